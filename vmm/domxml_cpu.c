// SPDX-License-Identifier: MIT
#include <hwloc.h>
#include <inttypes.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/domxml_internal.h"
#include "vmm/mmio.h"

#define MOST_ALLOCATION_THREADS 16

/* libvirt's list syntax, "0-3,8", as the value of an attribute. */
static void add_list(xmlNodePtr node, const char *attribute, hwloc_const_bitmap_t list)
{
	CLEANUP(text) char *text = NULL;

	if (hwloc_bitmap_list_asprintf(&text, list) < 0)
		abort();
	domxml_attribute(node, attribute, "%s", text);
}

static void add_kib(xmlNodePtr parent, const char *name, uint64_t bytes)
{
	domxml_leaf(parent, name, "%" PRIu64, bytes / SIZE_KIB);
	domxml_attribute(xmlGetLastChild(parent), "unit", "KiB");
}

static bool is_first_of_its_pages(const struct placement *placement, size_t cell)
{
	for (size_t i = 0; i < cell; i++)
		if (placement->cells[i].page_bytes == placement->cells[cell].page_bytes)
			return false;
	return true;
}

/* One <page> for each size, naming the guest cells that are made of it. */
static void add_pages(xmlNodePtr backing, const struct placement *placement)
{
	xmlNodePtr hugepages = NULL;

	for (size_t i = 0; i < placement->cell_count; i++) {
		uint64_t page_bytes = placement->cells[i].page_bytes;
		hwloc_bitmap_t cells;
		xmlNodePtr page;

		if (page_bytes == 0 || !is_first_of_its_pages(placement, i))
			continue;
		if (hugepages == NULL)
			hugepages = domxml_child(backing, "hugepages");
		cells = hwloc_bitmap_alloc();
		for (size_t j = i; j < placement->cell_count; j++)
			if (placement->cells[j].page_bytes == page_bytes)
				hwloc_bitmap_set(cells, (unsigned)j);
		page = domxml_child(hugepages, "page");
		domxml_attribute(page, "size", "%" PRIu64, page_bytes / SIZE_KIB);
		domxml_attribute(page, "unit", "KiB");
		add_list(page, "nodeset", cells);
		hwloc_bitmap_free(cells);
	}
}

static bool has_pages(const struct placement *placement)
{
	for (size_t i = 0; i < placement->cell_count; i++)
		if (placement->cells[i].page_bytes != 0)
			return true;
	return false;
}

/* memfd needs no hugetlbfs mount that libvirt knew when it started, and is memory that another process can map, as
 * virtiofsd has to. */
static void add_source(xmlNodePtr backing, const struct domain *domain)
{
	if (has_pages(domain->placement) || domain->share_count > 0)
		domxml_attribute(domxml_child(backing, "source"), "type", "memfd");
	if (domain->share_count > 0)
		domxml_attribute(domxml_child(backing, "access"), "mode", "shared");
}

static void add_memory(xmlNodePtr root, const struct domain *domain)
{
	size_t vcpus = domain->placement->vcpu_count;
	xmlNodePtr backing, allocation;

	add_kib(root, "memory", domain->spec->memory_bytes);
	add_kib(root, "currentMemory", domain->spec->memory_bytes);
	backing = domxml_child(root, "memoryBacking");
	add_pages(backing, domain->placement);
	add_source(backing, domain);
	domxml_child(backing, "nosharepages");
	/* VFIO pins all of it anyway; several threads do it sooner. */
	allocation = domxml_child(backing, "allocation");
	domxml_attribute(allocation, "mode", "immediate");
	domxml_attribute(allocation, "threads", "%zu",
			 vcpus < MOST_ALLOCATION_THREADS ? vcpus : MOST_ALLOCATION_THREADS);
}

static bool is_on_node(const struct domain *domain, unsigned cpu, unsigned os_index)
{
	const struct machine *machine = domain->host->machine;
	const struct machine_cpu *found = machine_cpu(machine, cpu);

	return found != NULL && machine->nodes[found->node].os_index == os_index;
}

/*
 * libvirt 9.0 binds the threads that allocate a cell's memory to its node (thread-context), and QEMU 7.2 does
 * not start if its own threads may use no CPU there; libvirt 9.2 knows. So a cell on a node where the
 * emulator has no CPU lends it that of its last vCPU.
 */
static hwloc_bitmap_t emulator_cpus(const struct domain *domain)
{
	const struct placement *placement = domain->placement;
	hwloc_bitmap_t cpus = hwloc_bitmap_dup(placement->emulator_cpus);

	for (size_t i = 0; i < placement->cell_count; i++) {
		unsigned node = placement->cells[i].host_node;
		bool has_one = false;
		int last = -1;
		unsigned cpu;

		hwloc_bitmap_foreach_begin(cpu, placement->emulator_cpus)
			has_one |= is_on_node(domain, cpu, node);
		hwloc_bitmap_foreach_end();
		for (size_t j = 0; j < placement->vcpu_count; j++)
			if (placement->vcpus[j].cell == i)
				last = (int)placement->vcpus[j].cpu;
		if (!has_one && last >= 0)
			hwloc_bitmap_set(cpus, (unsigned)last);
	}
	return cpus;
}

static void add_pins(xmlNodePtr root, const struct domain *domain)
{
	const struct placement *placement = domain->placement;
	xmlNodePtr cputune = domxml_child(root, "cputune");
	hwloc_bitmap_t emulator = emulator_cpus(domain);
	xmlNodePtr pin;

	for (size_t i = 0; i < placement->vcpu_count; i++) {
		pin = domxml_child(cputune, "vcpupin");
		domxml_attribute(pin, "vcpu", "%zu", i);
		domxml_attribute(pin, "cpuset", "%u", placement->vcpus[i].cpu);
	}
	add_list(domxml_child(cputune, "emulatorpin"), "cpuset", emulator);
	hwloc_bitmap_free(emulator);
	for (size_t i = 0; i < domain->disk_count; i++) {
		pin = domxml_child(cputune, "iothreadpin");
		domxml_attribute(pin, "iothread", "%u", domain->disks[i].iothread);
		add_list(pin, "cpuset", placement->emulator_cpus);
	}
}

static void add_nodes(xmlNodePtr root, const struct placement *placement)
{
	xmlNodePtr numatune = domxml_child(root, "numatune");
	xmlNodePtr memory = domxml_child(numatune, "memory");
	hwloc_bitmap_t nodes = hwloc_bitmap_alloc();

	for (size_t i = 0; i < placement->cell_count; i++)
		hwloc_bitmap_set(nodes, placement->cells[i].host_node);
	domxml_attribute(memory, "mode", "strict");
	add_list(memory, "nodeset", nodes);
	hwloc_bitmap_free(nodes);
	for (size_t i = 0; i < placement->cell_count; i++) {
		xmlNodePtr node = domxml_child(numatune, "memnode");

		domxml_attribute(node, "cellid", "%zu", i);
		domxml_attribute(node, "mode", "strict");
		domxml_attribute(node, "nodeset", "%u", placement->cells[i].host_node);
	}
}

void domxml_cpu_add_resources(xmlNodePtr root, const struct domain *domain)
{
	add_memory(root, domain);
	domxml_leaf(root, "vcpu", "%zu", domain->placement->vcpu_count);
	domxml_attribute(xmlGetLastChild(root), "placement", "static");
	domxml_leaf(root, "iothreads", "%zu", domain->disk_count);
	add_pins(root, domain);
	add_nodes(root, domain->placement);
}

/* The host's own distances between the nodes behind cell @from and every other cell. */
static void add_distances(xmlNodePtr cell, const struct domain *domain, size_t from)
{
	const struct machine *machine = domain->host->machine;
	const struct placement *placement = domain->placement;
	const struct machine_node *node = machine_node(machine, placement->cells[from].host_node);
	xmlNodePtr distances;

	if (placement->cell_count < 2 || node == NULL || node->distances == NULL)
		return;
	distances = domxml_child(cell, "distances");
	for (size_t i = 0; i < placement->cell_count; i++) {
		const struct machine_node *other = machine_node(machine,
								placement->cells[i].host_node);
		xmlNodePtr sibling;

		if (other == NULL)
			continue;
		sibling = domxml_child(distances, "sibling");
		domxml_attribute(sibling, "id", "%zu", i);
		domxml_attribute(sibling, "value", "%u", node->distances[other - machine->nodes]);
	}
}

static void add_cell(xmlNodePtr numa, const struct domain *domain, size_t index)
{
	const struct placement *placement = domain->placement;
	xmlNodePtr cell = domxml_child(numa, "cell");
	hwloc_bitmap_t vcpus = hwloc_bitmap_alloc();

	for (size_t i = 0; i < placement->vcpu_count; i++)
		if (placement->vcpus[i].cell == index)
			hwloc_bitmap_set(vcpus, (unsigned)i);
	domxml_attribute(cell, "id", "%zu", index);
	if (!hwloc_bitmap_iszero(vcpus))
		add_list(cell, "cpus", vcpus);
	domxml_attribute(cell, "memory", "%" PRIu64,
			 placement->cells[index].memory_bytes / SIZE_KIB);
	domxml_attribute(cell, "unit", "KiB");
	hwloc_bitmap_free(vcpus);
	add_distances(cell, domain, index);
}

/* Sizes OVMF's window for large BARs. */
static void add_address_bits(xmlNodePtr cpu, const struct domain *domain)
{
	xmlNodePtr node = domxml_child(cpu, "maxphysaddr");

	domxml_attribute(node, "mode", "passthrough");
	if (domain->mmio != NULL && domain->mmio->limit_bits != 0)
		domxml_attribute(node, "limit", "%u", domain->mmio->limit_bits);
}

void domxml_cpu_add_model(xmlNodePtr root, const struct domain *domain)
{
	xmlNodePtr cpu = domxml_child(root, "cpu");
	xmlNodePtr topology, numa;

	domxml_attribute(cpu, "mode", "host-passthrough");
	domxml_attribute(cpu, "check", "none");
	/* Brings the invariant TSC, and with it a refusal to migrate. */
	domxml_attribute(cpu, "migratable", "off");
	topology = domxml_child(cpu, "topology");
	domxml_attribute(topology, "sockets", "%u", domain->sockets);
	domxml_attribute(topology, "dies", "%u", domain->dies);
	domxml_attribute(topology, "cores", "%u", domain->cores);
	domxml_attribute(topology, "threads", "%u", domain->threads);
	domxml_attribute(domxml_child(cpu, "cache"), "mode", "passthrough");
	add_address_bits(cpu, domain);
	/* QEMU never turns it on by itself for the host's own model, and hides AMD's SMT without. */
	if (domain->threads > 1 && domain->host->machine->has_topoext) {
		xmlNodePtr feature = domxml_child(cpu, "feature");

		domxml_attribute(feature, "policy", "require");
		domxml_attribute(feature, "name", "topoext");
	}
	numa = domxml_child(cpu, "numa");
	for (size_t i = 0; i < domain->placement->cell_count; i++)
		add_cell(numa, domain, i);
}
