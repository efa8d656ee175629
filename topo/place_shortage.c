// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"

/* What the nodes that have the GPUs lack; the nearest to fitting is what a refusal talks of. */

struct survey {
	struct place_shortage best;
	unsigned char *seen; /* by mask of places: it has been measured */
};

void place_shortage_done(struct place_shortage *shortage)
{
	free(shortage->nodes);
	shortage->nodes = NULL;
}

/* The most that one kind of core has on the nodes looked at; all of them if the spec pins. */
static unsigned cpus_on(const struct place_view *view, const struct place_shortage *shortage)
{
	unsigned most = 0;

	for (size_t kind = 0; kind <= view->kind_count; kind++) {
		unsigned cpus = 0;

		if (kind == view->kind_count && view->request->pin == NULL)
			break;
		for (size_t i = 0; i < shortage->node_count; i++)
			cpus += place_cpus_room(view, shortage->nodes[i], kind);
		most = cpus > most ? cpus : most;
	}
	return most;
}

static void measure(const struct place_view *view, const unsigned *gpus_at,
		    struct place_shortage *shortage)
{
	shortage->nodes = place_cells_nodes(view, gpus_at, place_view_widest(view),
					    &shortage->node_count);
	for (size_t i = 0; i < shortage->node_count; i++) {
		bool whole = view->request->memory_bytes % SIZE_GIB == 0;

		shortage->bytes += view->most_bytes[whole ? 0 : 1][shortage->nodes[i]];
	}
	shortage->cpus = cpus_on(view, shortage);
	shortage->is_cpus = shortage->cpus < view->request->vcpus;
}

/* Nearer to fitting: enough CPUs beats too few; then more of what is short, then fewer and lower nodes. */
static bool is_nearer(const struct place_shortage *a, const struct place_shortage *b)
{
	int fewer = __builtin_popcount(a->mask) - __builtin_popcount(b->mask);

	if (b->mask == 0 || a->is_cpus != b->is_cpus)
		return b->mask == 0 || b->is_cpus;
	if (a->is_cpus && a->cpus != b->cpus)
		return a->cpus > b->cpus;
	if (!a->is_cpus && a->bytes != b->bytes)
		return a->bytes > b->bytes;
	return fewer != 0 ? fewer < 0 : a->mask < b->mask;
}

static void survey_split(struct place_splits *splits, const struct place_chooser *chooser,
			 const unsigned *gpus_at, const struct place_pick *pick)
{
	const struct place_view *view = splits->view;
	struct survey *survey = splits->data;
	struct place_shortage now = { 0 };

	(void)chooser;
	(void)pick;
	for (size_t i = 0; i < view->place_count; i++)
		now.mask |= gpus_at[view->places[i]] > 0 ? 1U << i : 0;
	if (survey->seen[now.mask])
		return;
	survey->seen[now.mask] = 1;
	measure(view, gpus_at, &now);
	now.sets = survey->best.sets + 1;
	if (is_nearer(&now, &survey->best)) {
		place_shortage_done(&survey->best);
		survey->best = now;
	} else {
		survey->best.sets++;
		place_shortage_done(&now);
	}
}

void place_search_shortage(const struct place_view *view, struct place_shortage *ret_shortage)
{
	struct survey survey = { .best = { 0 } };
	struct place_splits splits = { .view = view,
				       .each = survey_split,
				       .request_count = view->request->gpu_count,
				       .data = &survey };

	survey.seen = mem_alloc((size_t)1 << view->place_count, 1);
	place_splits_walk(&splits);
	free(survey.seen);
	*ret_shortage = survey.best;
}
