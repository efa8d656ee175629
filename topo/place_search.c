// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"

/* Which set of nodes the GPUs come from: near before far, few nodes before many, then the best key. */

static struct place_choice *choice_new(const struct place_view *view, enum place_width width)
{
	struct place_choice *choice = mem_alloc(1, sizeof *choice);

	choice->width = width;
	choice->picks = mem_alloc(view->host->gpus->count, sizeof *choice->picks);
	choice->gpus_at = mem_alloc(view->machine->node_count + 1, sizeof *choice->gpus_at);
	return choice;
}

void place_choice_free(struct place_choice *choice)
{
	if (choice == NULL)
		return;
	free(choice->picks);
	free(choice->gpus_at);
	free(choice->cells);
	free(choice->cell_nodes);
	place_choice_free(choice->rival);
	free(choice);
}

static bool has_cell_on(const struct place_choice *choice, size_t node)
{
	for (size_t i = 0; i < choice->cell_count; i++)
		if (choice->cell_nodes[i] == node)
			return true;
	return false;
}

/* Sum of the SLIT distances, both ways, between all nodes with GPUs, CPUs or memory of the VM. */
static unsigned distance_of(const struct place_view *view, const struct place_choice *choice)
{
	const struct machine *machine = view->machine;
	unsigned sum = 0;

	for (size_t a = 0; a < machine->node_count; a++) {
		if (choice->gpus_at[a] == 0 && !has_cell_on(choice, a))
			continue;
		for (size_t b = 0; b < machine->node_count; b++)
			if (b != a && (choice->gpus_at[b] > 0 || has_cell_on(choice, b)))
				sum += machine->nodes[a].distances[b];
	}
	return sum;
}

static void judge(const struct place_view *view, struct place_choice *choice)
{
	size_t unknown = view->machine->node_count;

	choice->unknown = choice->gpus_at[unknown];
	choice->distance = distance_of(view, choice);
	for (size_t i = 0; i <= unknown; i++) {
		if (choice->gpus_at[i] == 0)
			continue;
		choice->left_over += view->free_gpus[i];
		if (i != unknown)
			choice->cpus_left += place_cpus_room(view, i, view->kind_count);
	}
	for (size_t i = 0; i < view->host->gpus->count; i++)
		if (choice->picks[i] != SIZE_MAX && view->host->gpus->gpus[i].offer == GPU_OFFERED)
			choice->left_over--;
	for (size_t i = 0; i < choice->cell_count; i++)
		if (choice->gpus_at[choice->cell_nodes[i]] > 0)
			choice->cpus_left -= choice->cells[i].vcpu_count;
}

static bool is_better(const struct place_choice *a, const struct place_choice *b)
{
	if (a->unknown != b->unknown)
		return a->unknown < b->unknown;
	if (a->distance != b->distance)
		return a->distance < b->distance;
	if (a->left_over != b->left_over)
		return a->left_over < b->left_over;
	if (a->cpus_left != b->cpus_left)
		return a->cpus_left > b->cpus_left;
	return a->mask < b->mask;
}

/* How many GPUs each node may give at this width; NULL: as many as it has. The caller frees. */
static unsigned *caps_of(const struct place_view *view, enum place_width width)
{
	size_t nodes = view->machine->node_count;
	unsigned *caps;

	if (width > PLACE_OWN_UNION)
		return NULL;
	caps = mem_alloc(nodes + 1, sizeof *caps);
	for (size_t i = 0; i < nodes; i++)
		caps[i] = width == PLACE_OWN_EVEN ? place_cells_cap(view, i) : UINT32_MAX;
	return caps;
}

/* The next larger number with as many bits set; Gosper, HAKMEM item 175. */
static unsigned next_mask(unsigned mask)
{
	unsigned lowest = mask & -mask;
	unsigned ripple = mask + lowest;

	return ripple | (((mask ^ ripple) >> 2) / lowest);
}

/* Keeps the better of two, frees the other. */
static void keep_better(struct place_choice **kept, struct place_choice *found)
{
	if (*kept == NULL || is_better(found, *kept)) {
		struct place_choice *other = *kept;

		*kept = found;
		found = other;
	}
	place_choice_free(found);
}

static struct place_choice *search_size(const struct place_view *view, enum place_width width,
					unsigned size, const unsigned *caps)
{
	unsigned end = 1U << view->place_count;
	struct place_choice *best = NULL;
	struct place_choice *rival = NULL;
	size_t found = 0;

	for (unsigned mask = (1U << size) - 1; mask < end; mask = next_mask(mask)) {
		CLEANUP(place_choice) struct place_choice *choice = choice_new(view, width);

		choice->mask = mask;
		if (!place_gpus_choose(view, view->request->gpu_count, mask, caps, true, choice) ||
		    !place_cells_lay(view, choice))
			continue;
		judge(view, choice);
		found++;
		if (best != NULL && !is_better(choice, best))
			keep_better(&rival, STEAL(choice));
		else if (best != NULL)
			keep_better(&rival, STEAL(best));
		if (choice != NULL)
			keep_better(&best, STEAL(choice));
	}
	if (best != NULL) {
		best->rivals = found - 1;
		best->rival = rival;
	}
	return best;
}

struct place_choice *place_search(const struct place_view *view)
{
	enum place_width widest = place_view_widest(view);

	for (unsigned width = 0; width <= (unsigned)widest; width++) {
		unsigned *caps = caps_of(view, (enum place_width)width);
		struct place_choice *found = NULL;

		for (unsigned size = 1;
		     size <= view->place_count && size <= view->gpu_wanted && found == NULL; size++)
			found = search_size(view, (enum place_width)width, size, caps);
		free(caps);
		if (found != NULL)
			return found;
	}
	return NULL;
}

bool place_search_would_fit(const struct place_view *view, enum place_policy policy)
{
	struct place_request request = *view->request;
	CLEANUP(place_view) struct place_view *other = NULL;
	CLEANUP(place_choice) struct place_choice *choice = NULL;

	request.policy = policy;
	other = place_view_new(&request, view->host, view->taken, view->empty);
	choice = place_search(other);
	return choice != NULL;
}

void place_shortage_done(struct place_shortage *shortage)
{
	free(shortage->nodes);
	shortage->nodes = NULL;
}

static void measure(const struct place_view *view, const struct place_choice *choice,
		    struct place_shortage *shortage)
{
	uint64_t unit = view->request->memory_bytes % SIZE_GIB == 0 ? SIZE_GIB : 2 * SIZE_MIB;

	shortage->mask = choice->mask;
	shortage->nodes = place_cells_nodes(view, choice->gpus_at, place_view_widest(view),
					    &shortage->node_count);
	for (size_t i = 0; i < shortage->node_count; i++) {
		shortage->cpus += place_cpus_room(view, shortage->nodes[i], view->kind_count);
		shortage->bytes += place_memory_most(view, shortage->nodes[i], unit);
	}
	shortage->is_cpus = shortage->cpus < view->request->vcpus;
}

/* Nearer to fitting: enough CPUs beats too few; then more of what is short. */
static bool is_nearer(const struct place_shortage *a, const struct place_shortage *b)
{
	if (b->mask == 0 || a->is_cpus != b->is_cpus)
		return b->mask == 0 || b->is_cpus;
	return a->is_cpus ? a->cpus > b->cpus : a->bytes > b->bytes;
}

void place_search_shortage(const struct place_view *view, struct place_shortage *ret_shortage)
{
	struct place_shortage best = { 0 };
	size_t sets = 0;

	for (unsigned size = 1; size <= view->place_count && size <= view->gpu_wanted; size++) {
		for (unsigned mask = (1U << size) - 1; mask < 1U << view->place_count;
		     mask = next_mask(mask)) {
			CLEANUP(place_choice) struct place_choice *choice = NULL;
			struct place_shortage now = { 0 };

			choice = choice_new(view, PLACE_ANYWHERE);
			choice->mask = mask;
			if (!place_gpus_choose(view, view->request->gpu_count, mask, NULL, true,
					       choice))
				continue;
			sets++;
			measure(view, choice, &now);
			if (is_nearer(&now, &best)) {
				place_shortage_done(&best);
				best = now;
			} else {
				place_shortage_done(&now);
			}
		}
	}
	best.sets = sets;
	*ret_shortage = best;
}
