/* SPDX-License-Identifier: MIT */
/* Hosts made in memory, and placements as one line of text; for the tests of place. */
#ifndef GPUVM_TESTS_PLACE_HOST_H
#define GPUVM_TESTS_PLACE_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "topo/device_names.h"
#include "topo/place.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"

#define NAMED(...) ((const char *const[]){ __VA_ARGS__ })
#define COUNT(...) (sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* A machine of equal nodes. os indexes as Linux gives them: all first threads, then all second ones. */
struct shape {
	unsigned nodes, nodes_per_package, cores, threads; /* cores per node */
	unsigned l3_cores;                                 /* cores per L3 domain */
	unsigned
		slow_cores; /* the last of each node: one thread, of kind 0; the others are of kind 1 */
	unsigned total_gib, available_gib;
	unsigned pages_1g, free_1g, pages_2m, free_2m; /* per node */
	unsigned closed_from, closed_below;            /* CPUs that may not run VMs */
	bool is_flat; /* the firmware gives all other nodes the same distance */
};

/* One PCI function; a row without address ends the list. NUMA node and group -1: none. */
struct card {
	const char *address;
	int node, group;
	const char *
		name; /* "H100", "T4", "MI300" of AMD; "AST2500" is a management display, "Console" the boot VGA, "Audio" is no GPU */
	const char *driver;
};

struct made {
	struct device_names names;
	char **card_names; /* by device */
	struct host host;
	struct machine machine;
	struct device_list devices;
};

static inline void made_cpus(struct machine *machine, const struct shape *shape)
{
	unsigned cores = shape->nodes * shape->cores;

	machine->core_count = cores;
	for (unsigned i = 0; i < cores * shape->threads; i++) {
		struct machine_cpu *cpu;
		unsigned core = i % cores;
		unsigned node = core / shape->cores;
		bool slow = core % shape->cores >= shape->cores - shape->slow_cores;

		if (slow && i >= cores)
			continue;
		cpu = MEM_APPEND(machine->cpus, machine->cpu_count);
		*cpu = (struct machine_cpu){ .os_index = i,
					     .core = core,
					     .l3 = core / shape->l3_cores,
					     .package = node / shape->nodes_per_package,
					     .node = node,
					     .kind = slow || shape->slow_cores == 0 ? 0 : 1,
					     .usable = i < shape->closed_from ||
						       i >= shape->closed_below };
		hwloc_bitmap_set(machine->nodes[node].cpus, i);
	}
}

static inline void made_machine(struct machine *machine, const struct shape *shape)
{
	machine->nodes = mem_alloc(shape->nodes, sizeof *machine->nodes);
	machine->node_count = shape->nodes;
	machine->package_count = shape->nodes / shape->nodes_per_package;
	for (unsigned i = 0; i < shape->nodes; i++) {
		struct machine_node *node = &machine->nodes[i];

		*node = (struct machine_node){
			.os_index = i,
			.package = i / shape->nodes_per_package,
			.cpus = hwloc_bitmap_alloc(),
			.memory_total_bytes = shape->total_gib * SIZE_GIB,
			.memory_available_bytes = shape->available_gib * SIZE_GIB,
			.distances = mem_alloc(shape->nodes, sizeof *node->distances),
		};
		*MEM_APPEND(node->pages, node->page_count) =
			(struct machine_pages){ SIZE_GIB, shape->pages_1g, shape->free_1g };
		*MEM_APPEND(node->pages, node->page_count) =
			(struct machine_pages){ 2 * SIZE_MIB, shape->pages_2m, shape->free_2m };
		for (unsigned j = 0; j < shape->nodes; j++)
			node->distances[j] = i == j                                          ? 10
					     : shape->is_flat                                ? 20
					     : node->package == j / shape->nodes_per_package ? 12
											     : 21;
	}
	made_cpus(machine, shape);
}

static inline void made_device(struct device_list *list, const struct card *card)
{
	struct device *device = MEM_APPEND(list->devices, list->count);
	unsigned domain, bus, slot, function;

	assert_int_equal(sscanf(card->address, "%x:%x:%x.%x", &domain, &bus, &slot, &function), 4);
	*device = (struct device){ .domain = (uint16_t)domain,
				   .bus = (uint8_t)bus,
				   .slot = (uint8_t)slot,
				   .function = (uint8_t)function,
				   .vendor_id = 0x10de,
				   .device_id = strcmp(card->name, "H100") == 0 ? 0x2330 : 0x1eb8,
				   .class_id = 0x0302,
				   .driver = mem_strdup(card->driver),
				   .iommu_group = card->group,
				   .numa_node = card->node,
				   .is_pcie = true,
				   .path = mem_strdup("") };
	snprintf(device->address, sizeof device->address, "%s", card->address);
	if (strcmp(card->name, "AST2500") == 0)
		device->vendor_id = 0x1a03;
	if (strcmp(card->name, "MI300") == 0)
		device->vendor_id = 0x1002;
	device->is_boot_vga = strcmp(card->name, "Console") == 0;
	if (strcmp(card->name, "Audio") == 0)
		device->class_id = 0x0403;
}

static inline char *made_name(struct device_names *names, const struct device *device,
			      enum device_name which)
{
	const struct made *made = (const struct made *)names;

	return mem_strdup(which == DEVICE_NAME_VENDOR
				  ? "Nemo"
				  : made->card_names[device - made->devices.devices]);
}

static inline void made_names(struct made *made)
{
	made->names.find = made_name;
	for (size_t i = 0; i < made->devices.count; i++)
		made->devices.devices[i].names = &made->names;
}

static inline struct made *made_host(const struct shape *shape, const struct card *cards)
{
	struct made *made = mem_alloc(1, sizeof *made);

	made_machine(&made->machine, shape);
	for (size_t i = 0; cards->address != NULL; cards++) {
		made_device(&made->devices, cards);
		*MEM_APPEND(made->card_names, i) = mem_strdup(cards->name);
	}
	made_names(made);
	made->host = (struct host){ .devices = &made->devices,
				    .gpus = gpu_list_build(&made->devices),
				    .machine = &made->machine,
				    .has_iommu = true,
				    .has_vfio_pci = true,
				    .has_kvm = true };
	return made;
}

/* Where the cards are in the PCIe tree, in their order: device.path; NULL: not known for any. */
static inline void made_paths(struct made *made, const char *const *paths)
{
	for (size_t i = 0; paths != NULL && i < made->devices.count; i++) {
		free(made->devices.devices[i].path);
		made->devices.devices[i].path = mem_strdup(paths[i]);
	}
}

static inline void made_free(struct made *made)
{
	gpu_list_free(made->host.gpus);
	for (size_t i = 0; i < made->devices.count; i++) {
		free(made->card_names[i]);
		free(made->devices.devices[i].driver);
		free(made->devices.devices[i].path);
	}
	free(made->card_names);
	free(made->devices.devices);
	for (size_t i = 0; i < made->machine.node_count; i++) {
		hwloc_bitmap_free(made->machine.nodes[i].cpus);
		free(made->machine.nodes[i].pages);
		free(made->machine.nodes[i].distances);
	}
	free(made->machine.nodes);
	free(made->machine.cpus);
	free(made);
}

/* "1-3,8" as os indexes, or NULL of NULL. New bitmap. */
static inline hwloc_bitmap_t list_of(const char *cpus)
{
	hwloc_bitmap_t list = cpus == NULL ? NULL : hwloc_bitmap_alloc();

	if (cpus != NULL)
		hwloc_bitmap_list_sscanf(list, cpus);
	return list;
}

/* What others have, as a test writes it; rows end with one without holder. */
struct has_cpus {
	const char *cpus, *holder;
};

struct has {
	struct place_taken_gpu gpus[8];
	struct has_cpus cpus[4];
	struct place_taken_memory memory[4];
};

struct taken_lists {
	struct place_taken taken;
	struct place_taken_cpus cpus[4];
};

static inline void taken_fill(struct taken_lists *lists, const struct has *has)
{
	struct place_taken *taken = &lists->taken;

	*lists = (struct taken_lists){
		.taken = { .gpus = has->gpus, .cpus = lists->cpus, .memory = has->memory }
	};
	while (taken->gpu_count < 8 && has->gpus[taken->gpu_count].holder != NULL)
		taken->gpu_count++;
	while (taken->memory_count < 4 && has->memory[taken->memory_count].holder != NULL)
		taken->memory_count++;
	for (size_t i = 0; i < 4 && has->cpus[i].holder != NULL; i++) {
		hwloc_bitmap_t cpus = hwloc_bitmap_alloc();

		hwloc_bitmap_list_sscanf(cpus, has->cpus[i].cpus);
		lists->cpus[i] = (struct place_taken_cpus){ cpus, has->cpus[i].holder };
		taken->cpus_count++;
	}
}

static inline void taken_drop(struct taken_lists *lists)
{
	for (size_t i = 0; i < lists->taken.cpus_count; i++)
		hwloc_bitmap_free((hwloc_bitmap_t)(uintptr_t)lists->cpus[i].cpus);
}

/*
 * "17:00.0>0 | 0: 4 cpus 1,17,2,18 8 GiB normal | x2 host 0,16": GPUs with their cell (and >request if
 * it is not the first; p and a clique), cells with node, CPUs in vCPU order and memory, threads, the host's CPUs, dies if more than one.
 */
static inline char *placement_text(const struct placement *placement)
{
	char *text = mem_strdup("");
	CLEANUP(text) char *own = machine_cpus_format(placement->emulator_cpus);

	for (size_t i = 0; i < placement->gpu_count; i++) {
		const struct place_gpu *gpu = &placement->gpus[i];

		text_add(&text, "%s>%d", gpu->gpu->device->address + 5, gpu->cell);
		if (gpu->clique >= 0)
			text_add(&text, "p%d", gpu->clique);
		if (gpu->request != 0)
			text_add(&text, "(%zu)", gpu->request);
		text_add(&text, " ");
	}
	for (size_t i = 0; i < placement->cell_count; i++) {
		const struct place_cell *cell = &placement->cells[i];
		CLEANUP(text) char *memory = size_format(cell->memory_bytes);
		CLEANUP(text) char *page = size_format(cell->page_bytes);
		CLEANUP(text) char *cpus = NULL;

		for (size_t j = 0; j < placement->vcpu_count; j++) {
			CLEANUP(text) char *cpu = text_format("%u", placement->vcpus[j].cpu);

			if (placement->vcpus[j].cell == i)
				text_join(&cpus, ",", cpu);
		}
		text_add(&text, "| %u: cpus %s, %s%s%s ", cell->host_node, cpus, memory,
			 cell->page_bytes == 0 ? "" : " in ", cell->page_bytes == 0 ? "" : page);
	}
	text_add(&text, "| x%u host %s", placement->topology.threads, own);
	if (placement->topology.dies > 1)
		text_add(&text, ", %u dies", placement->topology.dies);
	return text;
}

/* What must hold of every placement. */
static inline void placement_check(const struct placement *placement, const struct host *host,
				   const struct place_request *request,
				   const struct place_taken *taken)
{
	hwloc_bitmap_t seen = hwloc_bitmap_alloc();
	uint64_t memory = 0;
	size_t vcpu = 0;

	for (size_t cell = 0; cell < placement->cell_count; cell++) {
		const struct place_cell *at = &placement->cells[cell];

		assert_true(at->vcpu_count >= 1 && at->memory_bytes > 0);
		assert_true(cell == 0 || placement->cells[cell - 1].host_node < at->host_node);
		assert_int_equal(at->memory_bytes % (at->page_bytes == 0 ? 1 : at->page_bytes), 0);
		memory += at->memory_bytes;
		for (unsigned i = 0; i < at->vcpu_count; i++, vcpu++) {
			unsigned cpu = placement->vcpus[vcpu].cpu;
			const struct machine_node *node = machine_node(host->machine,
								       at->host_node);

			assert_int_equal(placement->vcpus[vcpu].cell, cell);
			assert_true(machine_cpu(host->machine, cpu)->usable);
			assert_true(hwloc_bitmap_isset(node->cpus, cpu));
			assert_false(hwloc_bitmap_isset(seen, cpu));
			assert_false(hwloc_bitmap_isset(placement->emulator_cpus, cpu));
			for (size_t j = 0; j < taken->cpus_count; j++)
				assert_false(hwloc_bitmap_isset(taken->cpus[j].cpus, cpu));
			hwloc_bitmap_set(seen, cpu);
		}
	}
	assert_int_equal(vcpu, request->vcpus);
	assert_int_equal(placement->vcpu_count, request->vcpus);
	assert_int_equal(memory, request->memory_bytes);
	assert_true(placement->cell_count >= 1 && placement->reason_count >= 2);
	for (size_t i = 0; i < placement->gpu_count; i++) {
		const struct place_gpu *gpu = &placement->gpus[i];

		assert_null(place_gpu_holder(gpu->gpu, taken));
		if (request->policy == PLACE_REQUIRED)
			assert_true(gpu->cell >= 0);
		if (gpu->cell >= 0)
			assert_int_equal(placement->cells[gpu->cell].host_node,
					 host_gpu_node(host, gpu->gpu));
		for (size_t j = 0; j < i; j++)
			assert_ptr_not_equal(placement->gpus[j].gpu, gpu->gpu);
	}
	hwloc_bitmap_free(seen);
}

#endif
