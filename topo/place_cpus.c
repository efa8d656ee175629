// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>

#include "vmm/base/mem.h"

/* One core as far as it lies on the node and is of the kind wanted. */
struct core {
	unsigned number, l3;
	unsigned free_cpus;
	bool is_whole; /* every CPU of it that the machine has is free */
};

struct pick {
	const struct place_view *view;
	hwloc_bitmap_t free; /* on the node, of the kind */
	struct core *cores;  /* by number */
	size_t core_count;
	unsigned wanted, cell;
	struct placement *placement;
};

hwloc_bitmap_t place_host_cpus(const struct machine *machine, size_t node)
{
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();
	const struct machine_cpu *first = NULL;

	for (size_t i = 0; i < machine->cpu_count; i++) {
		const struct machine_cpu *cpu = &machine->cpus[i];

		if (!cpu->usable || cpu->node != node)
			continue;
		if (first == NULL)
			first = cpu;
		if (cpu->core == first->core)
			hwloc_bitmap_set(cpus, cpu->os_index);
	}
	return cpus;
}

static hwloc_bitmap_t free_of(const struct place_view *view, size_t node, size_t kind)
{
	hwloc_bitmap_t free_cpus = hwloc_bitmap_alloc();

	hwloc_bitmap_and(free_cpus, view->machine->nodes[node].cpus, view->kind_cpus[kind]);
	return free_cpus;
}

unsigned place_cpus_room(const struct place_view *view, size_t node, size_t kind)
{
	hwloc_bitmap_t free_cpus = free_of(view, node, kind);
	int room = hwloc_bitmap_weight(free_cpus);

	hwloc_bitmap_free(free_cpus);
	return room < 0 ? 0 : (unsigned)room;
}

/* The cores of pick->free. CPUs of a core that are not free make it not whole. */
static void gather_cores(struct pick *pick)
{
	const struct machine *machine = pick->view->machine;
	unsigned *width = mem_alloc(machine->core_count, sizeof *width);
	struct core *by_number = mem_alloc(machine->core_count, sizeof *by_number);

	for (size_t i = 0; i < machine->cpu_count; i++) {
		const struct machine_cpu *cpu = &machine->cpus[i];
		struct core *core = &by_number[cpu->core];

		width[cpu->core]++;
		if (!hwloc_bitmap_isset(pick->free, cpu->os_index))
			continue;
		core->number = cpu->core;
		core->l3 = cpu->l3;
		core->free_cpus++;
	}
	pick->cores = mem_alloc(machine->core_count, sizeof *pick->cores);
	for (unsigned i = 0; i < machine->core_count; i++) {
		if (by_number[i].free_cpus == 0)
			continue;
		by_number[i].is_whole = by_number[i].free_cpus == width[i];
		pick->cores[pick->core_count++] = by_number[i];
	}
	free(by_number);
	free(width);
}

static void use_core(struct pick *pick, const struct core *core)
{
	const struct machine *machine = pick->view->machine;

	for (size_t i = 0; i < machine->cpu_count && pick->wanted > 0; i++) {
		const struct machine_cpu *cpu = &machine->cpus[i];
		struct place_vcpu *vcpu;

		if (cpu->core != core->number || !hwloc_bitmap_isset(pick->free, cpu->os_index))
			continue;
		vcpu = &pick->placement->vcpus[pick->placement->vcpu_count++];
		vcpu->cpu = cpu->os_index;
		vcpu->cell = pick->cell;
		hwloc_bitmap_clr(pick->free, cpu->os_index);
		pick->wanted--;
	}
}

/* The L3 domain whose whole cores have room for all, with the least to spare; UINT32_MAX: none. */
static unsigned best_l3(const struct pick *pick)
{
	unsigned best = UINT32_MAX;
	unsigned best_room = UINT32_MAX;

	for (size_t i = 0; i < pick->core_count; i++) {
		unsigned room = 0;

		for (size_t j = 0; j < pick->core_count; j++)
			if (pick->cores[j].is_whole && pick->cores[j].l3 == pick->cores[i].l3)
				room += pick->cores[j].free_cpus;
		if (room >= pick->wanted && room < best_room) {
			best = pick->cores[i].l3;
			best_room = room;
		}
	}
	return best;
}

void place_cpus_pick(const struct place_view *view, size_t node, size_t kind, unsigned cell,
		     unsigned count, struct placement *placement)
{
	struct pick pick = { .view = view, .wanted = count, .cell = cell, .placement = placement };
	unsigned l3;

	pick.free = free_of(view, node, kind);
	gather_cores(&pick);
	l3 = best_l3(&pick);
	for (size_t i = 0; i < pick.core_count; i++)
		if (pick.cores[i].is_whole && (l3 == UINT32_MAX || pick.cores[i].l3 == l3))
			use_core(&pick, &pick.cores[i]);
	for (size_t i = 0; i < pick.core_count; i++)
		if (!pick.cores[i].is_whole)
			use_core(&pick, &pick.cores[i]);
	hwloc_bitmap_free(pick.free);
	free(pick.cores);
}

hwloc_bitmap_t place_cpus_of_cell(const struct placement *placement, unsigned cell)
{
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();

	for (size_t i = 0; i < placement->vcpu_count; i++)
		if (placement->vcpus[i].cell == cell)
			hwloc_bitmap_set(cpus, placement->vcpus[i].cpu);
	return cpus;
}
