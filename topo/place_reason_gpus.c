// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

/* Why these GPUs. */

static char *addresses_of(const struct placement *placement, size_t request)
{
	char **items = mem_alloc(placement->gpu_count, sizeof *items);
	size_t count = 0;
	char *list;

	for (size_t i = 0; i < placement->gpu_count; i++)
		if (placement->gpus[i].request == request)
			items[count++] = mem_strdup(placement->gpus[i].gpu->device->address);
	list = place_words_list(items, count);
	place_words_free(items, count);
	return list;
}

/* GPUs that the request could have had. */
static unsigned free_matches(const struct place_view *view, size_t request)
{
	const struct place_class *class = &view->classes[view->request_class[request]];
	unsigned count = 0;

	for (size_t i = 0; i < view->host->gpus->count; i++)
		count += class->matched[i] == '1' && view->states[i] == PLACE_GPU_FREE;
	return count;
}

static void tell_gpus(const struct place_view *view, struct placement *placement)
{
	for (size_t i = 0; i < view->request->gpu_count; i++) {
		const struct place_gpu_request *wanted = &view->request->gpus[i];
		unsigned free_count = wanted->address_count > 0 ? 0 : free_matches(view, i);
		CLEANUP(text) char *taken = addresses_of(placement, i);
		CLEANUP(text) char *that_match = place_words_that_match(wanted, free_count);

		if (wanted->address_count > 0) {
			place_reason_add(placement, "gpus", "%s gets %s, which %s", wanted->label,
					 taken,
					 wanted->are_held ? "this VM holds from its last start"
							  : "the spec names");
		} else if (free_count == wanted->count) {
			place_reason_add(
				placement, "gpus", "%s gets %s, %s%s", wanted->label, taken,
				wanted->count == 1 ? "the only free GPU" : "the only free GPUs",
				that_match);
		} else {
			place_reason_add(placement, "gpus", "%s gets %s of the %u free GPUs%s",
					 wanted->label, taken, free_count, that_match);
		}
	}
}

/* How near all GPUs are to each other; static text, NULL: there is no more than one. */
static const char *nearness(const struct placement *placement, bool all_named)
{
	unsigned shared = UINT32_MAX;
	int cell = placement->gpus[0].cell;

	for (size_t i = 0; i < placement->gpu_count; i++) {
		cell = placement->gpus[i].cell == cell ? cell : -1;
		for (size_t j = 0; j < i; j++) {
			unsigned here = place_distance_shared(placement->gpus[i].gpu->device,
							      placement->gpus[j].gpu->device);

			shared = here < shared ? here : shared;
		}
	}
	if (shared == UINT32_MAX)
		return NULL;
	if (shared > 1)
		return "are behind one PCIe switch";
	if (shared == 1)
		return "are in one PCIe root complex";
	return cell >= 0   ? "are on one node"
	       : all_named ? "are on different nodes"
			   : "are on different nodes, as near to each other as can be";
}

const char *place_reason_fault(const struct place_cost *rival, const struct place_cost *cost)
{
	if (place_cost_compare_pairs(rival, cost) != 0)
		return "farther apart";
	if (rival->losses[PLACE_LEVEL_SWITCH] != cost->losses[PLACE_LEVEL_SWITCH])
		return "a larger set of free GPUs behind a switch would be broken up";
	if (rival->losses[PLACE_LEVEL_ROOT] != cost->losses[PLACE_LEVEL_ROOT])
		return "a larger set of free GPUs in a root complex would be broken up";
	if (rival->losses[PLACE_LEVEL_NODE] != cost->losses[PLACE_LEVEL_NODE])
		return "a larger set of free GPUs on a node would be broken up";
	return "as good, and the lower address decides";
}

static void reject_rival(const struct place_view *view, const struct place_choice *choice,
			 struct placement *placement)
{
	CLEANUP(place_choice) struct place_choice *rival = place_rival_gpus(view, choice);
	char **items;
	size_t count = 0;
	CLEANUP(text) char *list = NULL;

	if (rival == NULL)
		return;
	items = mem_alloc(view->host->gpus->count, sizeof *items);
	for (size_t i = 0; i < view->host->gpus->count; i++)
		if (rival->picks[i] != SIZE_MAX)
			items[count++] = mem_strdup(view->host->gpus->gpus[i].device->address);
	list = place_words_list(items, count);
	place_words_free(items, count);
	place_reason_reject(placement, "%s: %s", list,
			    place_reason_fault(&rival->cost, &choice->cost));
}

static void tell_held(const struct device *device, struct placement *placement)
{
	if (device->driver == NULL || text_starts(device->driver, "vfio"))
		return;
	place_reason_add(placement, "gpus",
			 "the host does without %s (driver %s%s%s) while the VM runs: IOMMU group "
			 "%d goes out whole",
			 device->address, device->driver, device->use == NULL ? "" : ", ",
			 device->use == NULL ? "" : device->use, device->iommu_group);
}

/* What goes along with @gpu although nobody asked for it. */
static void tell_group(const struct gpu *gpu, struct placement *placement)
{
	char **items = mem_alloc(gpu->member_count + 1, sizeof *items);
	CLEANUP(text) char *list = NULL;
	size_t count = 0;

	items[count++] = mem_strdup(gpu->device->address);
	for (size_t i = 0; i < gpu->member_count; i++)
		if (gpu->members[i].role == GPU_MEMBER_GPU)
			items[count++] = mem_strdup(gpu->members[i].device->address);
	list = place_words_list(items, count);
	if (count > 1)
		place_reason_add(placement, "gpus", "%s share IOMMU group %d, and go only together",
				 list, gpu->device->iommu_group);
	place_words_free(items, count);
	for (size_t i = 0; i < gpu->member_count; i++)
		if (gpu->members[i].role == GPU_MEMBER_HELD)
			tell_held(gpu->members[i].device, placement);
}

static bool is_first_of_group(const struct placement *placement, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (gpu_same_group(placement->gpus[i].gpu, placement->gpus[at].gpu))
			return false;
	return true;
}

/* What it means for the host that its console is given away. */
static void tell_console(const struct device *device, struct placement *placement)
{
	if (!device_is_console(device))
		return;
	if (device->driver == NULL || device->firmware_framebuffer != NULL)
		place_reason_add(placement, "gpus",
				 "the host's screen on %s goes dark when the VM starts, and stays "
				 "dark until the host boots again",
				 device->address);
	else
		place_reason_add(placement, "gpus",
				 "the host's screen on %s goes dark when the VM starts; driver %s "
				 "gets it back when the VM ends",
				 device->address, device->driver);
}

void place_reason_gpus(const struct place_view *view, const struct place_choice *choice,
		       struct placement *placement)
{
	const char *near = nearness(placement, place_reason_all_named(view->request));

	tell_gpus(view, placement);
	for (size_t i = 0; i < placement->gpu_count; i++) {
		const struct gpu *gpu = placement->gpus[i].gpu;

		if (gpu->offer != GPU_OFFERED)
			place_reason_add(placement, "gpus",
					 "%s is only taken because the spec names it: %s",
					 gpu->device->address, gpu->offer_reason);
		if (is_first_of_group(placement, i))
			tell_group(gpu, placement);
		tell_console(gpu->device, placement);
	}
	if (near != NULL)
		place_reason_add(placement, "gpus", "the %zu GPUs %s", placement->gpu_count, near);
	reject_rival(view, choice, placement);
}
