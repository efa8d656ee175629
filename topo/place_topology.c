// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"

/* What a vCPU's host CPU belongs to. */
typedef unsigned label_of(const struct machine_cpu *cpu);

static unsigned package_of(const struct machine_cpu *cpu)
{
	return cpu->package;
}

static unsigned l3_of(const struct machine_cpu *cpu)
{
	return cpu->l3;
}

static unsigned core_of(const struct machine_cpu *cpu)
{
	return cpu->core;
}

static unsigned label(const struct place_view *view, const struct placement *placement, size_t vcpu,
		      label_of *of)
{
	return of(machine_cpu(view->machine, placement->vcpus[vcpu].cpu));
}

static unsigned runs_of(const struct place_view *view, const struct placement *placement,
			label_of *of)
{
	unsigned runs = 1;

	for (size_t i = 1; i < placement->vcpu_count; i++)
		runs += label(view, placement, i, of) != label(view, placement, i - 1, of);
	return runs;
}

/* Whether @count equal runs of vCPUs have a label each, no two runs the same. */
static bool runs_are_true(const struct place_view *view, const struct placement *placement,
			  unsigned count, label_of *of)
{
	size_t each = placement->vcpu_count / count;

	if (placement->vcpu_count % count != 0)
		return false;
	for (size_t i = 0; i < placement->vcpu_count; i++)
		if (label(view, placement, i, of) != label(view, placement, i - i % each, of))
			return false;
	for (size_t i = 0; i < placement->vcpu_count; i += each)
		for (size_t j = 0; j < i; j += each)
			if (label(view, placement, i, of) == label(view, placement, j, of))
				return false;
	return true;
}

/* The host's threads per core if every core used is used whole, else 0. */
static unsigned threads_of(const struct place_view *view, const struct placement *placement)
{
	const struct machine *machine = view->machine;
	unsigned *width = mem_alloc(machine->core_count, sizeof *width);
	unsigned *used = mem_alloc(machine->core_count, sizeof *used);
	unsigned threads = 0;
	bool is_whole = true;

	for (size_t i = 0; i < machine->cpu_count; i++)
		width[machine->cpus[i].core]++;
	for (size_t i = 0; i < placement->vcpu_count; i++)
		used[machine_cpu(machine, placement->vcpus[i].cpu)->core]++;
	for (unsigned i = 0; i < machine->core_count && is_whole; i++) {
		if (used[i] == 0)
			continue;
		is_whole = used[i] == width[i] && (threads == 0 || threads == width[i]);
		threads = width[i];
	}
	free(width);
	free(used);
	return is_whole ? threads : 0;
}

/*
 * A guest socket per host package if that comes out even, else one: never a split package. Dies are the
 * host's L3 domains, but only if sockets, domains and cores are all of one size.
 */
void place_topology(const struct place_view *view, struct placement *placement)
{
	unsigned vcpus = (unsigned)placement->vcpu_count;
	struct place_topology *topology = &placement->topology;
	unsigned sockets = runs_of(view, placement, package_of);
	unsigned l3s = runs_of(view, placement, l3_of);
	unsigned cores = runs_of(view, placement, core_of);
	bool sockets_are_true = runs_are_true(view, placement, sockets, package_of);
	unsigned threads = threads_of(view, placement);

	topology->threads = threads == 0 ? 1 : threads;
	topology->sockets = sockets_are_true ? sockets : 1;
	topology->is_host_block = sockets_are_true && cores * threads == vcpus &&
				  l3s % sockets == 0 && cores % l3s == 0 &&
				  runs_are_true(view, placement, l3s, l3_of) &&
				  runs_are_true(view, placement, cores, core_of);
	topology->dies = topology->is_host_block ? l3s / sockets : 1;
	if (vcpus / topology->sockets % topology->threads != 0)
		topology->threads = 1;
	topology->cores = vcpus / topology->sockets / topology->dies / topology->threads;
}

/* Root complexes of a placement with more than one NVIDIA GPU get a clique each. */
void place_cliques(struct placement *placement)
{
	int next = 0;

	for (size_t i = 0; i < placement->gpu_count; i++) {
		struct place_gpu *gpu = &placement->gpus[i];
		bool is_first = true;

		/* QEMU takes the property on NVIDIA's GPUs only. */
		if (gpu->gpu->device->vendor_id != 0x10de || gpu->clique >= 0 ||
		    next == PLACE_CLIQUES_MOST)
			continue;
		for (size_t j = i + 1; j < placement->gpu_count; j++) {
			struct place_gpu *other = &placement->gpus[j];

			if (other->gpu->device->vendor_id != 0x10de ||
			    place_distance_shared(gpu->gpu->device, other->gpu->device) == 0)
				continue;
			gpu->clique = other->clique = next;
			is_first = false;
		}
		next += !is_first;
	}
}
