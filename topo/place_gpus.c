// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"

/* Which GPUs there are to choose from, as units that go together. The choice is in place_choose.c. */

static size_t gpu_node(const struct host *host, const struct gpu *gpu)
{
	int os_index = host_gpu_node(host, gpu);

	for (size_t i = 0; i < host->machine->node_count; i++)
		if (os_index >= 0 && host->machine->nodes[i].os_index == (unsigned)os_index)
			return i;
	return host->machine->node_count;
}

static char *matched_gpus(const struct host *host, const char *match)
{
	char *matched = mem_alloc(host->gpus->count + 1, 1);

	for (size_t i = 0; i < host->gpus->count; i++) {
		const struct gpu *gpu = &host->gpus->gpus[i];
		bool chosen = gpu->offer == GPU_OFFERED &&
			      gpu_matches(gpu, match == NULL ? "any" : match);

		matched[i] = chosen ? '1' : '0';
	}
	return matched;
}

static size_t class_of(struct place_view *view, const struct place_gpu_request *gpus)
{
	CLEANUP(text) char *matched = matched_gpus(view->host, gpus->match);
	size_t class;

	for (class = 0; class < view->class_count; class ++)
		if (strcmp(view->classes[class].matched, matched) == 0)
			break;
	if (class == PLACE_CLASSES_MOST)
		return SIZE_MAX; /* place_check() has refused it */
	if (class == view->class_count) {
		view->class_count++;
		for (size_t i = 0; matched[i] != '\0'; i++)
			view->classes[class].most += matched[i] == '1';
		view->classes[class].matched = STEAL(matched);
	}
	view->classes[class].count += gpus->count;
	return class;
}

static void gather_requests(struct place_view *view)
{
	const struct place_request *request = view->request;
	const struct gpu_list *gpus = view->host->gpus;

	view->request_class = mem_alloc(request->gpu_count, sizeof *view->request_class);
	view->insisted = mem_alloc(gpus->count, sizeof *view->insisted);
	for (size_t i = 0; i < gpus->count; i++)
		view->insisted[i] = -1;
	for (size_t i = 0; i < request->gpu_count; i++) {
		const struct place_gpu_request *wanted = &request->gpus[i];

		view->gpu_wanted += wanted->count;
		view->request_class[i] = SIZE_MAX;
		if (wanted->address_count == 0)
			view->request_class[i] = class_of(view, wanted);
		for (size_t j = 0; j < wanted->address_count; j++) {
			const struct gpu *gpu = gpu_find(gpus, wanted->addresses[j]);

			if (gpu != NULL)
				view->insisted[gpu - gpus->gpus] = (int)i;
		}
	}
}

static bool is_matched(const struct place_view *view, size_t gpu)
{
	for (size_t class = 0; class < view->class_count; class ++)
		if (view->classes[class].matched[gpu] == '1')
			return true;
	return false;
}

static enum place_gpu_state gpu_state(const struct place_view *view, size_t at)
{
	const struct gpu *gpu = &view->host->gpus->gpus[at];

	if (view->insisted[at] < 0 && gpu->offer != GPU_OFFERED)
		return PLACE_GPU_NOT_OFFERED;
	if (place_gpu_holder(gpu, view->taken) != NULL)
		return PLACE_GPU_TAKEN;
	if (view->insisted[at] < 0 && !is_matched(view, at))
		return PLACE_GPU_UNASKED;
	if (view->gpu_node[at] == view->machine->node_count &&
	    view->request->policy != PLACE_PREFERRED)
		return PLACE_GPU_NODE_UNKNOWN;
	return PLACE_GPU_FREE;
}

/* The position in host.gpus of another GPU in the group of @gpu; SIZE_MAX if @member is none. */
static size_t member_gpu(const struct place_view *view, const struct gpu_member *member)
{
	const struct gpu *gpu;

	if (member->role != GPU_MEMBER_GPU)
		return SIZE_MAX;
	gpu = gpu_find(view->host->gpus, member->device->address);
	return gpu == NULL ? SIZE_MAX : (size_t)(gpu - view->host->gpus->gpus);
}

bool place_gpus_is_tied(const struct place_view *view, size_t gpu)
{
	const struct gpu *wanted = &view->host->gpus->gpus[gpu];

	for (size_t i = 0; i < wanted->member_count; i++) {
		size_t other = member_gpu(view, &wanted->members[i]);

		if (other != SIZE_MAX && view->states[other] != PLACE_GPU_FREE &&
		    view->states[other] != PLACE_GPU_TIED)
			return true;
	}
	return false;
}

static void add_unit(struct place_view *view, size_t first, bool *is_in_unit)
{
	const struct gpu *gpu = &view->host->gpus->gpus[first];
	struct place_unit *unit = MEM_APPEND(view->units, view->unit_count);

	unit->node = view->gpu_node[first];
	*MEM_APPEND(unit->gpus, unit->count) = first;
	for (size_t i = 0; i < gpu->member_count; i++) {
		size_t other = member_gpu(view, &gpu->members[i]);

		if (other != SIZE_MAX && other != first)
			*MEM_APPEND(unit->gpus, unit->count) = other;
	}
	for (size_t i = 0; i < unit->count; i++) {
		is_in_unit[unit->gpus[i]] = true;
		unit->forced |= view->insisted[unit->gpus[i]] >= 0;
	}
}

static void gather_units(struct place_view *view)
{
	size_t count = view->host->gpus->count;
	bool *is_in_unit = mem_alloc(count, sizeof *is_in_unit);

	for (size_t i = 0; i < count; i++)
		if (view->states[i] == PLACE_GPU_FREE && place_gpus_is_tied(view, i))
			view->states[i] = PLACE_GPU_TIED;
	for (size_t i = 0; i < count; i++)
		if (view->states[i] == PLACE_GPU_FREE && !is_in_unit[i])
			add_unit(view, i, is_in_unit);
	free(is_in_unit);
}

/* Nodes with units the spec insists on come first if there are too many to look at. */
static void gather_places(struct place_view *view)
{
	size_t nodes = view->machine->node_count + 1;
	char *kind = mem_alloc(nodes, 1);
	size_t room = PLACE_PLACES_MOST;

	for (size_t i = 0; i < view->unit_count; i++)
		if (view->units[i].forced)
			kind[view->units[i].node] = 'f';
	for (size_t i = 0; i < nodes; i++)
		if (kind[i] == 'f' && room > 0)
			room--;
	for (size_t i = 0; i < view->unit_count; i++)
		if (kind[view->units[i].node] == '\0' && room > 0) {
			kind[view->units[i].node] = 'u';
			room--;
		}
	for (size_t i = 0; i < nodes; i++)
		if (kind[i] != '\0' && view->place_count < PLACE_PLACES_MOST)
			view->places[view->place_count++] = i;
	free(kind);
}

void place_gpus_gather(struct place_view *view)
{
	const struct gpu_list *gpus = view->host->gpus;

	gather_requests(view);
	view->gpu_node = mem_alloc(gpus->count, sizeof *view->gpu_node);
	view->states = mem_alloc(gpus->count, sizeof *view->states);
	view->free_gpus = mem_alloc(view->machine->node_count + 1, sizeof *view->free_gpus);
	for (size_t i = 0; i < gpus->count; i++) {
		view->gpu_node[i] = gpu_node(view->host, &gpus->gpus[i]);
		view->states[i] = gpu_state(view, i);
		if (gpus->gpus[i].offer == GPU_OFFERED && view->states[i] != PLACE_GPU_TAKEN)
			view->free_gpus[view->gpu_node[i]]++;
	}
	gather_units(view);
	gather_places(view);
}

void place_gpus_done(struct place_view *view)
{
	for (size_t i = 0; i < view->unit_count; i++)
		free(view->units[i].gpus);
	for (size_t i = 0; i < view->class_count; i++)
		free(view->classes[i].matched);
	free(view->units);
	free(view->request_class);
	free(view->insisted);
	free(view->gpu_node);
	free(view->states);
	free(view->free_gpus);
}

static bool same_slot(const char *a, const char *b)
{
	size_t length = strcspn(a, ".");

	return strncmp(a, b, length) == 0 && b[length] == '.';
}

static bool is_part(const struct gpu *gpu, const char *address)
{
	/* A function of the card in a group of its own counts; virtual functions share a slot by accident. */
	if (!gpu->device->is_virtual_function && same_slot(gpu->device->address, address))
		return true;
	if (strcmp(gpu->device->address, address) == 0)
		return true;
	for (size_t i = 0; i < gpu->member_count; i++)
		if (strcmp(gpu->members[i].device->address, address) == 0)
			return true;
	return false;
}

const struct place_taken_gpu *place_gpu_taken(const struct gpu *gpu,
					      const struct place_taken *taken)
{
	for (size_t i = 0; i < taken->gpu_count; i++)
		if (is_part(gpu, taken->gpus[i].address))
			return &taken->gpus[i];
	return NULL;
}

const char *place_gpu_holder(const struct gpu *gpu, const struct place_taken *taken)
{
	const struct place_taken_gpu *entry = place_gpu_taken(gpu, taken);

	return entry == NULL ? NULL : entry->holder;
}
