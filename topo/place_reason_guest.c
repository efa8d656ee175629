// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"

/* What the guest sees of it, who runs QEMU, and what is lost. */

static const char *plural(unsigned count)
{
	return count == 1 ? "" : "s";
}

/* CPUs of the cores used that no vCPU runs on. */
static unsigned idle_siblings(const struct place_view *view, const struct placement *placement)
{
	hwloc_bitmap_t used = hwloc_bitmap_alloc();
	hwloc_bitmap_t wide;
	int idle;

	for (size_t i = 0; i < placement->vcpu_count; i++)
		hwloc_bitmap_set(used, placement->vcpus[i].cpu);
	wide = place_cpus_widen(view->machine, used);
	idle = hwloc_bitmap_weight(wide) - hwloc_bitmap_weight(used);
	hwloc_bitmap_free(used);
	hwloc_bitmap_free(wide);
	return (unsigned)idle;
}

static void tell_topology(const struct place_view *view, struct placement *placement)
{
	const struct place_topology *guest = &placement->topology;
	unsigned idle = idle_siblings(view, placement);
	CLEANUP(text)
	char *seen = text_format("%u socket%s, %u L3 domain%s each, %u core%s, %u thread%s",
				 guest->sockets, plural(guest->sockets), guest->dies,
				 plural(guest->dies), guest->cores, plural(guest->cores),
				 guest->threads, plural(guest->threads));

	if (guest->is_host_block)
		place_reason_add(placement, "topology", "the guest sees its CPUs as they are: %s",
				 seen);
	else if (idle > 0)
		place_reason_add(placement, "topology",
				 "the guest sees one thread per core, because %u thread%s of the "
				 "cores used %s%s; lost is that the guest knows what shares a core "
				 "or an L3 domain",
				 idle, plural(idle), idle == 1 ? "is" : "are",
				 view->request->threads == PLACE_SHARE ? " left to others"
								       : " left idle");
	else
		place_reason_add(placement, "topology",
				 "the guest sees %s: its CPUs lie unevenly on the host's packages, "
				 "L3 domains or cores, and lost is that the guest knows them",
				 seen);
}

static void tell_cliques(struct placement *placement)
{
	bool is_any = false;

	for (int clique = 0; clique < PLACE_CLIQUES_MOST; clique++) {
		char **items = mem_alloc(placement->gpu_count, sizeof *items);
		const struct device *first = NULL;
		unsigned shared = UINT32_MAX;
		size_t count = 0;
		CLEANUP(text) char *list = NULL;

		for (size_t i = 0; i < placement->gpu_count; i++) {
			const struct device *device = placement->gpus[i].gpu->device;
			unsigned here;

			if (placement->gpus[i].clique != clique)
				continue;
			first = first == NULL ? device : first;
			here = place_distance_shared(first, device);
			shared = device != first && here < shared ? here : shared;
			items[count++] = mem_strdup(device->address);
		}
		list = place_words_list(items, count);
		place_words_free(items, count);
		is_any |= count > 0;
		if (count > 0)
			place_reason_add(placement, "p2p", "%s share a PCIe %s: clique %d", list,
					 shared > 1 ? "switch" : "root complex", clique);
	}
	if (!is_any)
		place_reason_add(
			placement, "p2p",
			"no two NVIDIA GPUs of the VM share a PCIe switch or root complex, "
			"so none may reach another's memory directly");
}

static void tell_emulator(const struct place_view *view, const struct place_choice *choice,
			  struct placement *placement)
{
	hwloc_bitmap_t near = hwloc_bitmap_alloc();
	CLEANUP(text) char *list = machine_cpus_format(placement->emulator_cpus);
	bool one = hwloc_bitmap_weight(placement->emulator_cpus) == 1;
	bool named = view->request->emulator != NULL;

	for (size_t i = 0; i < choice->cell_count; i++)
		hwloc_bitmap_or(near, near, view->machine->nodes[choice->cell_nodes[i]].cpus);
	place_reason_add(placement, "cpus", "QEMU and its I/O run on CPU%s %s, %s", one ? "" : "s",
			 list, named ? "which the spec names" : "kept for the host");
	if (!hwloc_bitmap_isincluded(placement->emulator_cpus, near))
		place_reason_add(
			placement, "lost",
			"not all CPUs for QEMU's own threads are on the VM's nodes, so its "
			"I/O crosses nodes");
	hwloc_bitmap_free(near);
}

static void tell_kind(const struct place_view *view, const struct place_choice *choice,
		      struct placement *placement)
{
	if (view->kind_count < 2)
		return;
	if (choice->kind == view->kind_count)
		place_reason_add(placement, "cpus",
				 "the CPUs that the spec pins are of several kinds, fast and "
				 "slow ones mixed");
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

void place_reason_guest(const struct place_view *view, const struct place_choice *choice,
			struct placement *placement)
{
	tell_kind(view, choice, placement);
	tell_emulator(view, choice, placement);
	tell_topology(view, placement);
	if (view->request->p2p)
		tell_cliques(placement);
	tell_loss(view, choice, placement);
}
