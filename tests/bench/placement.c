// SPDX-License-Identifier: MIT
/*
 * place() behind a pipe, for tests/bench/placement: one JSON object a line in, one a line out.
 *   {"nodes": [{"package", "cores", "memory_mib"}], "threads", "distances": [[]],
 *    "gpus": [{"node", "path": ["0000:20:01.0", ..., "0000:23:00.0"]}]}    an empty host      -> {}
 *   {"arrive": ID, "vcpus", "memory_mib", "gpus"}    -> {"gpus": [], "cpus": [], "memory_mib": [by node]} or {"refused": "..."}
 *   {"depart": ID}                                   -> {}
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topo/place.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"

/* A VM that was placed. */
struct vm {
	json_int_t id;
	char **addresses;
	size_t address_count;
	hwloc_bitmap_t cpus;
	uint64_t *memory_bytes; /* by node */
};

struct bench {
	struct host host;
	struct machine machine;
	struct device_list devices;
	struct vm *vms;
	size_t vm_count;
};

static json_int_t integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void add_node(struct machine *machine, const json_t *row, const json_t *distances)
{
	struct machine_node *node = MEM_APPEND(machine->nodes, machine->node_count);

	node->os_index = (unsigned)machine->node_count - 1;
	node->package = (unsigned)integer(row, "package");
	node->cpus = hwloc_bitmap_alloc();
	node->memory_total_bytes = (uint64_t)integer(row, "memory_mib") * SIZE_MIB;
	node->memory_available_bytes = node->memory_total_bytes;
	node->distances = mem_alloc(json_array_size(distances), sizeof *node->distances);
	for (size_t i = 0; i < json_array_size(distances); i++)
		node->distances[i] = (unsigned)json_integer_value(json_array_get(distances, i));
	if (node->package >= machine->package_count)
		machine->package_count = node->package + 1;
}

/* Linux's order: the first threads of all cores, then their second ones. One L3 for each node. */
static void add_cpus(struct machine *machine, const json_t *nodes, unsigned threads)
{
	for (unsigned thread = 0; thread < threads; thread++) {
		unsigned core = 0;

		for (unsigned node = 0; node < machine->node_count; node++) {
			json_int_t cores = integer(json_array_get(nodes, node), "cores");

			for (json_int_t i = 0; i < cores; i++) {
				unsigned os_index = (unsigned)machine->cpu_count;
				struct machine_cpu *cpu = MEM_APPEND(machine->cpus,
								     machine->cpu_count);

				*cpu = (struct machine_cpu){
					.os_index = os_index,
					.core = core++,
					.l3 = node,
					.package = machine->nodes[node].package,
					.node = node,
					.usable = true
				};
				hwloc_bitmap_set(machine->nodes[node].cpus, os_index);
			}
		}
		machine->core_count = core;
	}
}

static void add_device(struct device_list *list, const char *address, const char *parent,
		       const char *path, int node, bool is_gpu)
{
	struct device *device;
	unsigned domain, bus, slot, function;

	for (size_t i = 0; i < list->count; i++)
		if (text_equal(list->devices[i].address, address))
			return;
	if (sscanf(address, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		abort();
	device = MEM_APPEND(list->devices, list->count);
	*device = (struct device){ .domain = (uint16_t)domain,
				   .bus = (uint8_t)bus,
				   .slot = (uint8_t)slot,
				   .function = (uint8_t)function,
				   .vendor_id = is_gpu ? 0x10de : 0x8086,
				   .device_id = is_gpu ? 0x2330 : 0x352a,
				   .class_id = is_gpu ? 0x0302 : 0x0604,
				   .driver = mem_strdup(is_gpu ? "vfio-pci" : "pcieport"),
				   .iommu_group = (int)list->count,
				   .numa_node = node,
				   .is_bridge = !is_gpu,
				   .is_pcie = true,
				   .on_root_bus = parent[0] == '\0',
				   .path = mem_strdup(path) };
	snprintf(device->address, sizeof device->address, "%s", address);
	snprintf(device->parent, sizeof device->parent, "%s", parent);
}

/* A GPU and the bridges above it, once each. */
static void add_gpu(struct device_list *list, const json_t *row)
{
	const json_t *steps = json_object_get(row, "path");
	size_t count = json_array_size(steps);
	CLEANUP(text) char *path = NULL;
	const char *parent = "";

	for (size_t i = 0; i < count; i++) {
		const char *address = json_string_value(json_array_get(steps, i));

		text_join(&path, "/", strchr(address, ':') + 1);
		add_device(list, address, parent, path, (int)integer(row, "node"), i + 1 == count);
		parent = address;
	}
}

static int by_address(const void *a, const void *b)
{
	return strcmp(((const struct device *)a)->address, ((const struct device *)b)->address);
}

static void make_host(struct bench *bench, const json_t *shape)
{
	const json_t *nodes = json_object_get(shape, "nodes");
	const json_t *gpus = json_object_get(shape, "gpus");
	const json_t *distances = json_object_get(shape, "distances");

	for (size_t i = 0; i < json_array_size(nodes); i++)
		add_node(&bench->machine, json_array_get(nodes, i), json_array_get(distances, i));
	add_cpus(&bench->machine, nodes, (unsigned)integer(shape, "threads"));
	for (size_t i = 0; i < json_array_size(gpus); i++)
		add_gpu(&bench->devices, json_array_get(gpus, i));
	qsort(bench->devices.devices, bench->devices.count, sizeof *bench->devices.devices,
	      by_address);
	bench->host = (struct host){ .devices = &bench->devices,
				     .gpus = gpu_list_build(&bench->devices),
				     .machine = &bench->machine,
				     .has_iommu = true,
				     .has_vfio_pci = true,
				     .has_kvm = true };
}

static void vm_done(struct vm *vm)
{
	for (size_t i = 0; i < vm->address_count; i++)
		free(vm->addresses[i]);
	free(vm->addresses);
	hwloc_bitmap_free(vm->cpus);
	free(vm->memory_bytes);
}

static void bench_done(struct bench *bench)
{
	for (size_t i = 0; i < bench->vm_count; i++)
		vm_done(&bench->vms[i]);
	free(bench->vms);
	gpu_list_free(bench->host.gpus);
	for (size_t i = 0; i < bench->devices.count; i++) {
		free(bench->devices.devices[i].driver);
		free(bench->devices.devices[i].path);
	}
	free(bench->devices.devices);
	for (size_t i = 0; i < bench->machine.node_count; i++) {
		hwloc_bitmap_free(bench->machine.nodes[i].cpus);
		free(bench->machine.nodes[i].distances);
	}
	free(bench->machine.nodes);
	free(bench->machine.cpus);
}

/* place(), with what the running VMs have. */
static int ask(const struct bench *bench, const struct place_request *request,
	       struct placement **ret_placement, struct fail *fail)
{
	struct place_taken taken = { 0 };
	struct place_taken_gpu *gpus = NULL;
	struct place_taken_cpus *cpus = NULL;
	struct place_taken_memory *memory = NULL;
	int result;

	for (size_t i = 0; i < bench->vm_count; i++) {
		const struct vm *vm = &bench->vms[i];

		for (size_t j = 0; j < vm->address_count; j++)
			*MEM_APPEND(gpus, taken.gpu_count) = (struct place_taken_gpu){
				.address = vm->addresses[j], .holder = "a VM"
			};
		*MEM_APPEND(cpus, taken.cpus_count) = (struct place_taken_cpus){ vm->cpus, "a VM" };
		for (unsigned j = 0; j < bench->machine.node_count; j++)
			*MEM_APPEND(memory, taken.memory_count) = (struct place_taken_memory){
				.node = j, .bytes = vm->memory_bytes[j], .holder = "a VM"
			};
	}
	taken.gpus = gpus;
	taken.cpus = cpus;
	taken.memory = memory;
	result = place(request, &bench->host, &taken, ret_placement, fail);
	free(gpus);
	free(cpus);
	free(memory);
	return result;
}

/* Keeps @placement as VM @id and tells it. */
static json_t *keep(struct bench *bench, json_int_t id, const struct placement *placement)
{
	struct vm *vm = MEM_APPEND(bench->vms, bench->vm_count);
	json_t *gpus = json_array();
	json_t *cpus = json_array();
	json_t *memory = json_array();

	vm->id = id;
	vm->cpus = hwloc_bitmap_alloc();
	vm->memory_bytes = mem_alloc(bench->machine.node_count, sizeof *vm->memory_bytes);
	for (size_t i = 0; i < placement->gpu_count; i++) {
		const char *address = placement->gpus[i].gpu->device->address;

		*MEM_APPEND(vm->addresses, vm->address_count) = mem_strdup(address);
		json_array_append_new(gpus, json_string(address));
	}
	for (size_t i = 0; i < placement->vcpu_count; i++) {
		hwloc_bitmap_set(vm->cpus, placement->vcpus[i].cpu);
		json_array_append_new(cpus, json_integer(placement->vcpus[i].cpu));
	}
	for (size_t i = 0; i < placement->cell_count; i++)
		vm->memory_bytes[placement->cells[i].host_node] += placement->cells[i].memory_bytes;
	for (size_t i = 0; i < bench->machine.node_count; i++)
		json_array_append_new(memory,
				      json_integer((json_int_t)(vm->memory_bytes[i] / SIZE_MIB)));
	return json_pack("{s:o, s:o, s:o}", "gpus", gpus, "cpus", cpus, "memory_mib", memory);
}

static json_t *arrive(struct bench *bench, const json_t *line)
{
	CLEANUP(placement) struct placement *placement = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	struct place_gpu_request gpus = { .count = (unsigned)integer(line, "gpus"),
					  .match = "any",
					  .file = "bench.ini",
					  .label = "[gpu]" };
	struct place_request request = { .vcpus = (unsigned)integer(line, "vcpus"),
					 .memory_bytes = (uint64_t)integer(line, "memory_mib") *
							 SIZE_MIB,
					 .policy = PLACE_REQUIRED,
					 .hugepages = PLACE_PAGES_AUTO,
					 .gpus = &gpus,
					 .gpu_count = 1,
					 .file = "bench.ini" };

	if (ask(bench, &request, &placement, &fail) < 0)
		return json_pack("{s:s}", "refused", fail.items[0].what);
	return keep(bench, integer(line, "arrive"), placement);
}

static json_t *depart(struct bench *bench, json_int_t id)
{
	for (size_t i = 0; i < bench->vm_count; i++) {
		if (bench->vms[i].id != id)
			continue;
		vm_done(&bench->vms[i]);
		bench->vms[i] = bench->vms[--bench->vm_count];
		break;
	}
	return json_object();
}

static json_t *answer(struct bench *bench, const json_t *line)
{
	if (json_object_get(line, "nodes") != NULL) {
		bench_done(bench);
		*bench = (struct bench){ 0 };
		make_host(bench, line);
		return json_object();
	}
	if (json_object_get(line, "depart") != NULL)
		return depart(bench, integer(line, "depart"));
	return arrive(bench, line);
}

int main(void)
{
	struct bench bench = { 0 };
	CLEANUP(text) char *text = NULL;
	size_t room = 0;

	while (getline(&text, &room, stdin) > 0) {
		json_error_t error;
		json_t *line = json_loads(text, 0, &error);
		json_t *reply;

		if (line == NULL) {
			fprintf(stderr, "bench-placement: %s\n", error.text);
			bench_done(&bench);
			return 2;
		}
		reply = answer(&bench, line);
		json_dumpf(reply, stdout, JSON_COMPACT);
		putchar('\n');
		fflush(stdout);
		json_decref(reply);
		json_decref(line);
	}
	bench_done(&bench);
	return 0;
}
