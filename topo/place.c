// SPDX-License-Identifier: MIT
#include "topo/place.h"

#include <stdlib.h>

#include "topo/place_internal.h"
#include "vmm/base/mem.h"

const char *place_policy_name(enum place_policy policy)
{
	switch (policy) {
	case PLACE_REQUIRED:
		return "required";
	case PLACE_SOCKET:
		return "socket";
	case PLACE_PREFERRED:
		return "preferred";
	}
	return "required";
}

void placement_free(struct placement *placement)
{
	if (placement == NULL)
		return;
	for (size_t i = 0; i < placement->reason_count; i++) {
		free(placement->reasons[i].why);
		free(placement->reasons[i].rejected);
	}
	free(placement->reasons);
	free(placement->gpus);
	free(placement->cells);
	free(placement->vcpus);
	hwloc_bitmap_free(placement->emulator_cpus);
	free(placement);
}

static int cell_on(const struct place_choice *choice, size_t node)
{
	for (size_t i = 0; i < choice->cell_count; i++)
		if (choice->cell_nodes[i] == node)
			return (int)i;
	return -1;
}

static void settle_gpus(const struct place_view *view, const struct place_choice *choice,
			struct placement *placement)
{
	for (size_t request = 0; request < view->request->gpu_count; request++) {
		for (size_t i = 0; i < view->host->gpus->count; i++) {
			struct place_gpu *gpu;

			if (choice->picks[i] != request)
				continue;
			gpu = MEM_APPEND(placement->gpus, placement->gpu_count);
			gpu->gpu = &view->host->gpus->gpus[i];
			gpu->request = request;
			gpu->cell = cell_on(choice, view->gpu_node[i]);
			gpu->clique = -1;
			gpu->allow_boot_vga = view->request->gpus[request].allow_boot_vga;
		}
	}
	if (view->request->p2p)
		place_cliques(placement);
}

static void settle_cells(const struct place_view *view, const struct place_choice *choice,
			 struct placement *placement)
{
	placement->vcpus = mem_alloc(view->request->vcpus, sizeof *placement->vcpus);
	for (size_t i = 0; i < choice->cell_count; i++) {
		size_t node = choice->cell_nodes[i];
		unsigned offered = place_key_offered(view, choice, node);

		*MEM_APPEND(placement->cells, placement->cell_count) = choice->cells[i];
		place_cpus_pick(view, node, choice->kind, (unsigned)i, choice->cells[i].vcpu_count,
				place_rules_cpus_most(view, node, offered), placement);
	}
	place_topology(view, placement);
}

/* Asked for, else the host's on the nodes used, else the host's anywhere: never none at all. */
static void settle_emulator(const struct place_view *view, const struct place_choice *choice,
			    struct placement *placement)
{
	if (view->request->emulator != NULL) {
		placement->emulator_cpus = hwloc_bitmap_dup(view->request->emulator);
		return;
	}
	placement->emulator_cpus = hwloc_bitmap_alloc();
	for (size_t i = 0; i < choice->cell_count; i++) {
		hwloc_bitmap_t own = place_host_cpus(view->machine, view->rules,
						     choice->cell_nodes[i]);

		hwloc_bitmap_or(placement->emulator_cpus, placement->emulator_cpus, own);
		hwloc_bitmap_free(own);
	}
	if (hwloc_bitmap_iszero(placement->emulator_cpus))
		hwloc_bitmap_copy(placement->emulator_cpus, view->host_cpus);
}

static struct placement *settle(const struct place_view *view, const struct place_choice *choice)
{
	struct placement *placement = mem_alloc(1, sizeof *placement);

	settle_gpus(view, choice, placement);
	settle_cells(view, choice, placement);
	settle_emulator(view, choice, placement);
	place_reason(view, choice, placement);
	return placement;
}

int place(const struct place_request *request, const struct host *host,
	  const struct place_taken *taken, struct placement **ret_placement, struct fail *fail)
{
	CLEANUP(place_view) struct place_view *now = NULL;
	CLEANUP(place_view) struct place_view *empty = NULL;
	CLEANUP(place_choice) struct place_choice *choice = NULL;
	CLEANUP(place_choice) struct place_choice *fits_empty = NULL;

	if (place_check(request, host, fail) < 0 ||
	    place_pin_check_free(request, host, taken, fail) < 0)
		return -1;
	now = place_view_new(request, host, taken, false);
	choice = place_search(now);
	if (choice != NULL) {
		*ret_placement = settle(now, choice);
		return 0;
	}
	empty = place_view_new(request, host, taken, true);
	fits_empty = place_search(empty);
	return place_refuse(now, empty, fits_empty, fail);
}
