// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"

/* The second best set of GPUs for the same split: the best of those that lack one of the chosen. */

static struct place_choice *best_without(const struct place_view *view,
					 const struct place_choice *choice, size_t banned)
{
	struct place_chooser chooser = { .banned = &banned, .banned_count = 1 };
	struct place_pick none = { .gpu = SIZE_MAX };
	struct place_table all = { 0 };
	struct place_choice *found = NULL;

	place_chooser_init(&chooser, view, view->request->gpu_count);
	*MEM_APPEND(all.picks, all.count) = none;
	for (size_t i = 0; i < view->place_count && chooser.possible; i++) {
		struct place_table *before = MEM_APPEND(chooser.tables, chooser.table_count);

		*before = all;
		all = place_chooser_merge(&chooser, before, &chooser.place[i],
					  choice->gpus_at[view->places[i]], NULL);
	}
	for (size_t i = 0; i < all.count && chooser.possible; i++) {
		if (all.picks[i].state != chooser.goal)
			continue;
		found = place_choice_new(view);
		found->cost = all.picks[i].cost;
		place_chooser_take(&chooser, &all.picks[i], found);
	}
	free(all.picks);
	place_chooser_done(&chooser);
	return found;
}

struct place_choice *place_rival_gpus(const struct place_view *view,
				      const struct place_choice *choice)
{
	struct place_choice *best = NULL;

	for (size_t i = 0; i < view->unit_count; i++) {
		const struct place_unit *unit = &view->units[i];
		CLEANUP(place_choice) struct place_choice *found = NULL;

		if (unit->forced || choice->picks[unit->gpus[0]] == SIZE_MAX)
			continue;
		found = best_without(view, choice, unit->gpus[0]);
		if (found == NULL ||
		    (best != NULL && place_cost_compare(&best->cost, &found->cost) <= 0))
			continue;
		place_choice_free(best);
		best = STEAL(found);
	}
	return best;
}
