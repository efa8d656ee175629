// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>

#include "vmm/base/mem.h"

/* Which CPUs there are for vCPUs, core by core. Which of them are used is in place_pick.c. */

hwloc_bitmap_t place_cpus_widen(const struct machine *machine, hwloc_const_bitmap_t cpus)
{
	hwloc_bitmap_t wide = hwloc_bitmap_dup(cpus);
	bool *touched = mem_alloc(machine->core_count, sizeof *touched);

	for (size_t i = 0; i < machine->cpu_count; i++)
		touched[machine->cpus[i].core] |= hwloc_bitmap_isset(cpus,
								     machine->cpus[i].os_index);
	for (size_t i = 0; i < machine->cpu_count; i++)
		if (touched[machine->cpus[i].core])
			hwloc_bitmap_set(wide, machine->cpus[i].os_index);
	free(touched);
	return wide;
}

static int kind_descending(const void *a, const void *b)
{
	int left = *(const int *)a;
	int right = *(const int *)b;

	return (left < right) - (left > right);
}

static void gather_kinds(struct place_view *view)
{
	const struct machine *machine = view->machine;
	int *kinds = mem_alloc(machine->cpu_count, sizeof *kinds);
	size_t count = 0;

	for (size_t i = 0; i < machine->cpu_count; i++)
		if (machine->cpus[i].usable)
			kinds[count++] = machine->cpus[i].kind;
	qsort(kinds, count, sizeof *kinds, kind_descending);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || kinds[i] != kinds[i - 1])
			kinds[view->kind_count++] = kinds[i];
	view->kinds = kinds;
}

static void remove_taken(struct place_view *view)
{
	for (size_t i = 0; i < view->taken->cpus_count; i++) {
		hwloc_const_bitmap_t taken = view->taken->cpus[i].cpus;
		hwloc_bitmap_t wide = view->request->threads == PLACE_WHOLE_CORES
					      ? place_cpus_widen(view->machine, taken)
					      : hwloc_bitmap_dup(taken);

		hwloc_bitmap_andnot(view->free_cpus, view->free_cpus, wide);
		hwloc_bitmap_free(wide);
	}
}

static void gather_free_cpus(struct place_view *view)
{
	const struct machine *machine = view->machine;
	const struct place_request *request = view->request;

	view->free_cpus = hwloc_bitmap_alloc();
	view->host_cpus = hwloc_bitmap_alloc();
	for (size_t i = 0; i < machine->cpu_count; i++)
		if (machine->cpus[i].usable)
			hwloc_bitmap_set(view->free_cpus, machine->cpus[i].os_index);
	for (size_t node = 0; node < machine->node_count; node++) {
		hwloc_bitmap_t own = place_host_cpus(machine, view->rules, node);

		hwloc_bitmap_or(view->host_cpus, view->host_cpus, own);
		hwloc_bitmap_free(own);
	}
	hwloc_bitmap_andnot(view->free_cpus, view->free_cpus, view->host_cpus);
	remove_taken(view);
	if (request->emulator != NULL)
		hwloc_bitmap_andnot(view->free_cpus, view->free_cpus, request->emulator);
	view->vcpu_cpus = hwloc_bitmap_dup(view->free_cpus);
	if (request->pin != NULL)
		hwloc_bitmap_and(view->vcpu_cpus, view->vcpu_cpus, request->pin);
}

static void gather_cores(struct place_view *view)
{
	const struct machine *machine = view->machine;
	struct place_core *cores = mem_alloc(machine->core_count, sizeof *cores);
	bool shares = view->request->threads == PLACE_SHARE;

	for (size_t i = 0; i < machine->cpu_count; i++) {
		const struct machine_cpu *cpu = &machine->cpus[i];
		struct place_core *core = &cores[cpu->core];

		core->number = cpu->core;
		core->l3 = cpu->l3;
		core->node = cpu->node;
		core->width++;
		if (hwloc_bitmap_isset(view->vcpu_cpus, cpu->os_index)) {
			core->kind = cpu->kind;
			core->free++;
		}
		core->cost += !shares && hwloc_bitmap_isset(view->free_cpus, cpu->os_index);
	}
	for (unsigned i = 0; i < machine->core_count; i++) {
		if (cores[i].free == 0)
			continue;
		cores[view->core_count++] = cores[i];
	}
	view->cores = cores;
}

/* Several rooms at once: [node * (kinds + 1) + kind], the last kind standing for any. */
static void gather_rooms(struct place_view *view)
{
	size_t kinds = view->kind_count + 1;

	view->rooms = mem_alloc(view->machine->node_count * kinds, sizeof *view->rooms);
	view->whole_rooms = mem_alloc(view->machine->node_count * kinds, sizeof *view->whole_rooms);
	view->kind_width = mem_alloc(kinds, sizeof *view->kind_width);
	for (size_t i = 0; i < view->core_count; i++)
		for (size_t kind = 0; kind < view->kind_count; kind++)
			if (view->cores[i].kind == view->kinds[kind] &&
			    view->cores[i].width > view->kind_width[kind])
				view->kind_width[kind] = view->cores[i].width;
	view->kind_width[view->kind_count] = 1;
	for (size_t i = 0; i < view->core_count; i++) {
		const struct place_core *core = &view->cores[i];

		for (size_t kind = 0; kind < kinds; kind++) {
			size_t at = core->node * kinds + kind;

			if (kind < view->kind_count && core->kind != view->kinds[kind])
				continue;
			view->rooms[at] += core->free;
			if (core->free == view->kind_width[kind])
				view->whole_rooms[at] += core->free;
		}
	}
}

/* Where in view.cores those of each node are, and what the dearest one costs. */
static void gather_ranges(struct place_view *view)
{
	size_t nodes = view->machine->node_count;

	view->core_from = mem_alloc(nodes, sizeof *view->core_from);
	view->core_below = mem_alloc(nodes, sizeof *view->core_below);
	for (size_t i = 0; i < view->core_count; i++) {
		const struct place_core *core = &view->cores[i];

		if (view->core_below[core->node] == 0)
			view->core_from[core->node] = i;
		view->core_below[core->node] = i + 1;
		view->cost_most = core->cost > view->cost_most ? core->cost : view->cost_most;
	}
}

void place_cpus_gather(struct place_view *view)
{
	const struct machine *machine = view->machine;

	gather_kinds(view);
	gather_free_cpus(view);
	gather_cores(view);
	gather_rooms(view);
	gather_ranges(view);
	view->open_cpus = mem_alloc(machine->node_count, sizeof *view->open_cpus);
	for (size_t i = 0; i < machine->cpu_count; i++)
		view->open_cpus[machine->cpus[i].node] +=
			hwloc_bitmap_isset(view->free_cpus, machine->cpus[i].os_index) != 0;
}

void place_cpus_done(struct place_view *view)
{
	hwloc_bitmap_free(view->host_cpus);
	hwloc_bitmap_free(view->free_cpus);
	hwloc_bitmap_free(view->vcpu_cpus);
	free(view->cores);
	free(view->core_from);
	free(view->core_below);
	free(view->kinds);
	free(view->kind_width);
	free(view->rooms);
	free(view->whole_rooms);
	free(view->open_cpus);
}

unsigned place_cpus_room(const struct place_view *view, size_t node, size_t kind)
{
	return view->rooms[node * (view->kind_count + 1) + kind];
}

/* As many CPUs as cores that cost @most in all can give; costs are powers of two, so large ones first. */
static unsigned room_within(const struct place_view *view, size_t node, size_t kind, unsigned unit,
			    uint64_t most)
{
	unsigned room = 0;

	for (unsigned cost = view->cost_most; cost > 0; cost--) {
		for (size_t i = view->core_from[node]; i < view->core_below[node]; i++) {
			const struct place_core *core = &view->cores[i];

			if (core->node != node || core->cost != cost || cost > most ||
			    (kind < view->kind_count && core->kind != view->kinds[kind]) ||
			    (unit > 1 && core->free != unit))
				continue;
			room += core->free;
			most -= cost;
		}
	}
	return room;
}

unsigned place_cpus_room_within(const struct place_view *view, size_t node, size_t kind,
				unsigned unit, uint64_t most)
{
	size_t at = node * (view->kind_count + 1) + kind;
	unsigned room = unit > 1 ? view->whole_rooms[at] : view->rooms[at];

	if (view->request->threads == PLACE_SHARE)
		return room < most ? room : (unsigned)(most - most % unit);
	/* Nothing can cost more than all that is open there. */
	if (view->open_cpus[node] <= most)
		return room;
	return room_within(view, node, kind, unit, most);
}

hwloc_bitmap_t place_cpus_of_cell(const struct placement *placement, unsigned cell)
{
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();

	for (size_t i = 0; i < placement->vcpu_count; i++)
		if (placement->vcpus[i].cell == cell)
			hwloc_bitmap_set(cpus, placement->vcpus[i].cpu);
	return cpus;
}
