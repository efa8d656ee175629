// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"

struct tally {
	unsigned cores, whole_cores, l3s;
};

static unsigned count_set(const bool *set, size_t count)
{
	unsigned sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += set[i];
	return sum;
}

/* The cores and L3 domains that @cpus touch. */
static struct tally count_cores(const struct machine *machine, hwloc_const_bitmap_t cpus)
{
	struct tally tally = { 0 };
	bool *used = mem_alloc(machine->core_count, sizeof *used);
	bool *broken = mem_alloc(machine->core_count, sizeof *broken);
	bool *l3s = mem_alloc(machine->cpu_count, sizeof *l3s);

	for (size_t i = 0; i < machine->cpu_count; i++) {
		const struct machine_cpu *cpu = &machine->cpus[i];

		if (!hwloc_bitmap_isset(cpus, cpu->os_index)) {
			broken[cpu->core] = true;
			continue;
		}
		used[cpu->core] = true;
		if (cpu->l3 < machine->cpu_count)
			l3s[cpu->l3] = true;
	}
	tally.cores = count_set(used, machine->core_count);
	for (unsigned i = 0; i < machine->core_count; i++)
		tally.whole_cores += used[i] && !broken[i];
	tally.l3s = count_set(l3s, machine->cpu_count);
	free(used);
	free(broken);
	free(l3s);
	return tally;
}

static void tell_cpus(const struct place_view *view, const struct place_choice *choice,
		      unsigned cell, struct placement *placement)
{
	size_t node = choice->cell_nodes[cell];
	hwloc_bitmap_t cpus = place_cpus_of_cell(placement, cell);
	hwloc_bitmap_t own = place_host_cpus(view->machine, node);
	struct tally tally = count_cores(view->machine, cpus);
	CLEANUP(text) char *list = machine_cpus_format(cpus);
	CLEANUP(text) char *kept = machine_cpus_format(own);
	CLEANUP(text) char *cores = NULL;

	if (tally.whole_cores == tally.cores)
		cores = text_format("%u whole core%s", tally.cores, tally.cores == 1 ? "" : "s");
	else
		cores = text_format("%u cores, %u of them whole", tally.cores, tally.whole_cores);
	place_reason_add(placement, "cpus",
			 "%u vCPU%s on CPU%s %s of node %u: %s in %u L3 domain%s, of %u free CPUs; "
			 "%s %s kept for the host, QEMU and its I/O",
			 choice->cells[cell].vcpu_count,
			 choice->cells[cell].vcpu_count == 1 ? "" : "s",
			 choice->cells[cell].vcpu_count == 1 ? "" : "s", list,
			 choice->cells[cell].host_node, cores, tally.l3s, tally.l3s == 1 ? "" : "s",
			 place_cpus_room(view, node, view->kind_count), kept,
			 hwloc_bitmap_weight(own) == 1 ? "is" : "are");
	hwloc_bitmap_free(cpus);
	hwloc_bitmap_free(own);
}

/* Why larger page sizes were passed over; NULL if none was. The caller frees. */
static char *passed_over(const struct place_view *view, size_t node, const struct place_cell *cell)
{
	const struct machine_node *host = &view->machine->nodes[node];
	char *text = NULL;
	bool are_any = cell->page_bytes != 0;

	for (size_t i = 0; i < host->page_count; i++) {
		uint64_t page_bytes = host->pages[i].page_bytes;
		CLEANUP(text) char *size = size_format(page_bytes);
		CLEANUP(text) char *item = NULL;

		if (page_bytes <= cell->page_bytes || host->pages[i].total == 0 ||
		    (page_bytes != SIZE_GIB && page_bytes != 2 * SIZE_MIB))
			continue;
		are_any = true;
		if (cell->memory_bytes % page_bytes != 0)
			item = text_format("it is no multiple of %s", size);
		else
			item = text_format("of %" PRIu64 " pages of %s needed %" PRIu64 " are free",
					   cell->memory_bytes / page_bytes, size,
					   place_memory_room(view, node, page_bytes) / page_bytes);
		text_join(&text, ", ", item);
	}
	return are_any ? text : mem_strdup("no hugepages are set up there");
}

static void tell_memory(const struct place_view *view, const struct place_choice *choice,
			unsigned index, struct placement *placement)
{
	const struct place_cell *cell = &choice->cells[index];
	size_t node = choice->cell_nodes[index];
	CLEANUP(text) char *bytes = size_format(cell->memory_bytes);
	CLEANUP(text) char *page = size_format(cell->page_bytes);
	CLEANUP(text) char *kept = size_format(PLACE_NODE_RESERVE_BYTES);
	CLEANUP(text) char *normal = size_format_about(place_memory_normal(view, node));
	CLEANUP(text) char *passed = NULL;

	if (view->request->hugepages == PLACE_PAGES_AUTO)
		passed = passed_over(view, node, cell);
	if (cell->page_bytes != 0)
		place_reason_add(
			placement, "memory",
			"%s of node %u in %s pages: %" PRIu64 " of %" PRIu64 " free ones%s%s",
			bytes, cell->host_node, page, cell->memory_bytes / cell->page_bytes,
			place_memory_room(view, node, cell->page_bytes) / cell->page_bytes,
			passed == NULL ? "" : "; ", passed == NULL ? "" : passed);
	else
		place_reason_add(placement, "memory",
				 "%s of node %u in normal pages: %s are available, %s of "
				 "that stays free%s%s",
				 bytes, cell->host_node, normal, kept, passed == NULL ? "" : "; ",
				 passed == NULL ? "" : passed);
}

static void tell_threads(const struct place_view *view, struct placement *placement)
{
	const struct machine *machine = view->machine;
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();
	struct tally tally;

	for (size_t i = 0; i < placement->vcpu_count; i++)
		hwloc_bitmap_set(cpus, placement->vcpus[i].cpu);
	tally = count_cores(machine, cpus);
	hwloc_bitmap_free(cpus);
	if (placement->topology.threads > 1)
		place_reason_add(placement, "topology",
				 "the guest sees %u threads per core, as the host has",
				 placement->topology.threads);
	else if (machine->cpu_count > machine->core_count && tally.whole_cores < tally.cores)
		place_reason_add(
			placement, "topology",
			"the guest sees one thread per core: %u of the %u cores used are not "
			"used whole",
			tally.cores - tally.whole_cores, tally.cores);
}

static void tell_kind(const struct place_view *view, const struct place_choice *choice,
		      struct placement *placement)
{
	if (view->kind_count < 2)
		return;
	if (choice->kind == view->kind_count)
		place_reason_add(placement, "cpus",
				 "no one kind of core has room for %u vCPUs, so they run "
				 "on fast and slow ones mixed",
				 view->request->vcpus);
	else if (choice->kind == 0)
		place_reason_add(placement, "cpus", "all vCPUs run on the fastest kind of core");
	else
		place_reason_add(placement, "cpus",
				 "all vCPUs run on one kind of core; the faster kinds have "
				 "no room for %u",
				 view->request->vcpus);
}

/* What a wide search costs: vCPUs and memory that are not on the GPUs' own nodes. */
static void tell_loss(const struct place_view *view, const struct place_choice *choice,
		      struct placement *placement)
{
	for (size_t i = 0; i < choice->cell_count; i++) {
		const struct place_cell *cell = &choice->cells[i];
		CLEANUP(text) char *bytes = size_format(cell->memory_bytes);
		CLEANUP(text) char *room = NULL;
		size_t near = SIZE_MAX;
		unsigned distance = UINT32_MAX;

		if (choice->gpus_at[choice->cell_nodes[i]] > 0)
			continue;
		for (size_t j = 0; j < view->machine->node_count; j++) {
			unsigned here = view->machine->nodes[j].distances[choice->cell_nodes[i]];

			if (choice->gpus_at[j] > 0 && here < distance) {
				near = j;
				distance = here;
			}
		}
		if (near == SIZE_MAX)
			continue;
		room = size_format_about(place_memory_most(view, near, SIZE_GIB));
		place_reason_add(
			placement, "lost",
			"lost under policy = %s: %u vCPU%s and %s are on node %u, at "
			"distance %u from the GPUs' node %u, where only %u CPUs and %s were "
			"free; their way to the GPU crosses nodes",
			place_policy_name(view->request->policy), cell->vcpu_count,
			cell->vcpu_count == 1 ? "" : "s", bytes, cell->host_node, distance,
			view->machine->nodes[near].os_index,
			place_cpus_room(view, near, view->kind_count), room);
	}
}

void place_reason_cells(const struct place_view *view, const struct place_choice *choice,
			struct placement *placement)
{
	for (unsigned i = 0; i < choice->cell_count; i++) {
		tell_cpus(view, choice, i, placement);
		tell_memory(view, choice, i, placement);
	}
	tell_threads(view, placement);
	tell_kind(view, choice, placement);
	tell_loss(view, choice, placement);
}
