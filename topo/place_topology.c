// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>

#include "vmm/base/mem.h"

static unsigned threads_of(const struct place_view *view, const struct placement *placement)
{
	const struct machine *machine = view->machine;
	unsigned *width = mem_alloc(machine->core_count, sizeof *width);
	unsigned *used = mem_alloc(machine->core_count, sizeof *used);
	unsigned threads = 0;

	for (size_t i = 0; i < machine->cpu_count; i++)
		width[machine->cpus[i].core]++;
	for (size_t i = 0; i < placement->vcpu_count; i++)
		used[machine_cpu(machine, placement->vcpus[i].cpu)->core]++;
	for (unsigned i = 0; i < machine->core_count && threads != 1; i++) {
		if (used[i] == 0)
			continue;
		if (used[i] != width[i] || (threads != 0 && threads != width[i]))
			threads = 1;
		else
			threads = width[i];
	}
	free(width);
	free(used);
	return threads == 0 ? 1 : threads;
}

static unsigned package_of(const struct place_view *view, const struct placement *placement,
			   size_t vcpu)
{
	return machine_cpu(view->machine, placement->vcpus[vcpu].cpu)->package;
}

/* Whether @sockets equal runs of vCPUs lie on one package each, no two runs on the same. */
static bool sockets_are_true(const struct place_view *view, const struct placement *placement,
			     unsigned sockets)
{
	size_t each = placement->vcpu_count / sockets;

	if (placement->vcpu_count % sockets != 0)
		return false;
	for (size_t i = 0; i < placement->vcpu_count; i++)
		for (size_t j = 0; j < i; j += each)
			if ((i / each == j / each) !=
			    (package_of(view, placement, i) == package_of(view, placement, j)))
				return false;
	return true;
}

/* A guest socket per host package if that comes out even, else one: never a split package. */
void place_topology(const struct place_view *view, struct placement *placement)
{
	unsigned vcpus = (unsigned)placement->vcpu_count;
	struct place_topology *topology = &placement->topology;
	unsigned sockets = 1;

	for (size_t i = 1; i < placement->vcpu_count; i++)
		sockets += package_of(view, placement, i) != package_of(view, placement, i - 1);
	if (!sockets_are_true(view, placement, sockets))
		sockets = 1;
	topology->sockets = sockets;
	topology->dies = 1;
	topology->threads = threads_of(view, placement);
	if (vcpus / sockets % topology->threads != 0)
		topology->threads = 1;
	topology->cores = vcpus / sockets / topology->threads;
}
