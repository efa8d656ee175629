// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>

#include "vmm/base/mem.h"

/* Every way to split the GPUs of a request over the places, with the best GPUs for each. */

struct walk {
	struct place_splits *splits;
	struct place_chooser chooser;
	unsigned *gpus_at;
	unsigned most[PLACE_PLACES_MOST + 1];  /* GPUs that a place can give */
	unsigned later[PLACE_PLACES_MOST + 1]; /* GPUs that it and the places after it can give */
};

static unsigned most_of(const struct place_table *table)
{
	unsigned most = 0;

	for (size_t i = 0; i < table->count; i++)
		most = table->picks[i].total > most ? table->picks[i].total : most;
	return most;
}

static bool is_single(const struct walk *walk)
{
	const struct place_view *view = walk->splits->view;
	unsigned places = 0;

	for (size_t i = 0; i < view->place_count; i++)
		places += walk->gpus_at[view->places[i]] > 0;
	return places == 1;
}

static void report(struct walk *walk, const struct place_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->picks[i].state == walk->chooser.goal) {
			walk->splits->count++;
			walk->splits->each(walk->splits, &walk->chooser, walk->gpus_at,
					   &table->picks[i]);
		}
}

/* Sets of @before for the places before @at, of which @wanted GPUs are still to come. */
static void walk_from(struct walk *walk, size_t at, unsigned wanted,
		      const struct place_table *before)
{
	const struct place_view *view = walk->splits->view;
	unsigned first = wanted < walk->most[at] ? wanted : walk->most[at];

	if (at == view->place_count) {
		if (!is_single(walk))
			report(walk, before);
		return;
	}
	for (unsigned here = first + 1; here-- > 0;) {
		struct place_table table;

		if (wanted - here > walk->later[at + 1] || walk->splits->count >= PLACE_SPLITS_MOST)
			break;
		table = place_chooser_merge(&walk->chooser, before, &walk->chooser.place[at], here,
					    NULL);
		walk->gpus_at[view->places[at]] = here;
		if (table.count > 0)
			walk_from(walk, at + 1, wanted - here, &table);
		walk->gpus_at[view->places[at]] = 0;
		free(table.picks);
	}
}

static void walk_single(struct walk *walk, size_t at, unsigned wanted)
{
	struct place_table table = walk->chooser.place[at];

	/* A place that has to give some of its own cannot be passed over. */
	for (size_t i = 0; i < walk->splits->view->place_count; i++)
		if (i != at && (walk->chooser.place[i].count == 0 ||
				walk->chooser.place[i].picks[0].total != 0))
			return;
	walk->gpus_at[walk->splits->view->places[at]] = wanted;
	report(walk, &table);
	walk->gpus_at[walk->splits->view->places[at]] = 0;
}

static unsigned wanted_of(const struct place_view *view, size_t request_count)
{
	unsigned wanted = 0;

	for (size_t i = 0; i < request_count; i++)
		wanted += view->request->gpus[i].count;
	return wanted;
}

static bool walk_start(struct walk *walk)
{
	const struct place_view *view = walk->splits->view;

	place_chooser_init(&walk->chooser, view, walk->splits->request_count);
	for (size_t i = view->place_count; i-- > 0 && walk->chooser.possible;) {
		walk->most[i] = most_of(&walk->chooser.place[i]);
		walk->later[i] = walk->later[i + 1] + walk->most[i];
	}
	return walk->chooser.possible;
}

void place_splits_walk(struct place_splits *splits)
{
	struct walk walk = { .splits = splits };
	unsigned wanted = wanted_of(splits->view, splits->request_count);
	struct place_pick none = { .gpu = SIZE_MAX };
	struct place_table before = { &none, 1 };

	walk.gpus_at = mem_alloc(splits->view->machine->node_count + 1, sizeof *walk.gpus_at);
	if (walk_start(&walk)) {
		for (size_t i = 0; i < splits->view->place_count; i++)
			walk_single(&walk, i, wanted);
		if (splits->view->place_count > 1 &&
		    (splits->enough == NULL || !splits->enough(splits)))
			walk_from(&walk, 0, wanted, &before);
	}
	place_chooser_done(&walk.chooser);
	free(walk.gpus_at);
}

bool place_splits_any(const struct place_view *view, size_t request_count)
{
	struct place_chooser chooser = { .view = view };
	struct place_pick none = { .gpu = SIZE_MAX };
	struct place_table all = { 0 };
	bool found = false;

	place_chooser_init(&chooser, view, request_count);
	if (chooser.possible)
		*MEM_APPEND(all.picks, all.count) = none;
	for (size_t i = 0; i < view->place_count && chooser.possible; i++) {
		struct place_table *before = MEM_APPEND(chooser.tables, chooser.table_count);

		*before = all;
		all = place_chooser_merge(&chooser, before, &chooser.place[i], UINT32_MAX, NULL);
	}
	for (size_t i = 0; i < all.count; i++)
		found |= all.picks[i].state == chooser.goal;
	free(all.picks);
	place_chooser_done(&chooser);
	return found;
}
