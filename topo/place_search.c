// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"

/* The best of all splits of the GPUs over nodes that CPUs and memory can be laid for. */

struct search {
	struct place_choice *best, *rival;
	size_t found;
};

struct place_choice *place_choice_new(const struct place_view *view)
{
	struct place_choice *choice = mem_alloc(1, sizeof *choice);

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

/* Keeps the better of two, frees the other. */
static void keep_better(struct place_choice **kept, struct place_choice *found)
{
	if (*kept == NULL || place_key_is_better(found, *kept)) {
		struct place_choice *other = *kept;

		*kept = found;
		found = other;
	}
	place_choice_free(found);
}

static void consider(struct place_splits *splits, const struct place_chooser *chooser,
		     const unsigned *gpus_at, const struct place_pick *pick)
{
	const struct place_view *view = splits->view;
	struct search *search = splits->data;
	CLEANUP(place_choice) struct place_choice *choice = place_choice_new(view);

	memcpy(choice->gpus_at, gpus_at, (view->machine->node_count + 1) * sizeof *choice->gpus_at);
	if (!place_cells_lay(view, choice))
		return;
	choice->cost = pick->cost;
	place_key_judge(view, choice);
	place_chooser_take(chooser, pick, choice);
	search->found++;
	if (search->best == NULL) {
		search->best = STEAL(choice);
	} else if (place_key_is_better(choice, search->best)) {
		keep_better(&search->rival, STEAL(search->best));
		search->best = STEAL(choice);
	} else {
		keep_better(&search->rival, STEAL(choice));
	}
}

/* One node with all of the VM is as near as can be. */
static bool is_near(struct place_splits *splits)
{
	struct search *search = splits->data;

	return search->best != NULL && search->best->unknown == 0 && search->best->diameter == 0;
}

struct place_choice *place_search(const struct place_view *view)
{
	struct search search = { .found = 0 };
	struct place_splits splits = { .view = view,
				       .each = consider,
				       .enough = is_near,
				       .request_count = view->request->gpu_count,
				       .data = &search };

	place_splits_walk(&splits);
	if (search.best != NULL) {
		search.best->rivals = search.found - 1;
		search.best->rival = search.rival;
	}
	return search.best;
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
