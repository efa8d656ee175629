// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"

/*
 * Chooses GPUs from given nodes: walks the units in order, takes one if that can still end well, else
 * leaves it. What cannot end well is remembered by (unit, taken on its node, still wanted of each
 * class), so the walk is a product of small numbers and never exponential in GPUs. Exact: it finds a
 * set if there is one.
 */
struct walk {
	const struct place_view *view;
	const struct place_unit **units;
	size_t count;
	const unsigned *caps; /* by node; NULL: none */
	size_t request_count;
	bool each; /* at least one GPU from each node */
	unsigned wanted[PLACE_CLASSES_MOST], left[PLACE_CLASSES_MOST];
	unsigned taken_most; /* GPUs on one node */
	size_t states;       /* combinations of @left */
	char *hopeless;
	size_t *picks; /* by position in host.gpus: class, or SIZE_MAX */
};

static bool walk_from(struct walk *walk, size_t at, unsigned taken);

static bool take_gpus(struct walk *walk, size_t at, size_t nth, unsigned taken)
{
	const struct place_view *view = walk->view;
	const struct place_unit *unit = walk->units[at];
	size_t gpu;

	if (nth == unit->count)
		return walk_from(walk, at + 1, taken + (unsigned)unit->count);
	gpu = unit->gpus[nth];
	if (view->insisted[gpu] >= 0)
		return (size_t)view->insisted[gpu] < walk->request_count &&
		       take_gpus(walk, at, nth + 1, taken);
	for (size_t class = 0; class < view->class_count; class ++) {
		if (view->classes[class].matched[gpu] != '1' || walk->left[class] == 0)
			continue;
		walk->left[class]--;
		walk->picks[gpu] = class;
		if (take_gpus(walk, at, nth + 1, taken))
			return true;
		walk->picks[gpu] = SIZE_MAX;
		walk->left[class]++;
	}
	return false;
}

static size_t state_of(const struct walk *walk, size_t at, unsigned taken)
{
	size_t left = 0;

	for (size_t class = 0; class < walk->view->class_count; class ++)
		left = left * (walk->wanted[class] + 1) + walk->left[class];
	return (at * (walk->taken_most + 1) + taken) * walk->states + left;
}

/* Of the first requests only, the unit of a later one may stay. */
static bool is_forced(const struct walk *walk, const struct place_unit *unit)
{
	for (size_t i = 0; i < unit->count; i++) {
		int request = walk->view->insisted[unit->gpus[i]];

		if (request >= 0 && (size_t)request < walk->request_count)
			return true;
	}
	return false;
}

static bool walk_from(struct walk *walk, size_t at, unsigned taken)
{
	const struct place_unit *unit;
	size_t state;
	bool leaves = at > 0 &&
		      (at == walk->count || walk->units[at - 1]->node != walk->units[at]->node);

	if (leaves && walk->each && taken == 0)
		return false;
	if (at == walk->count) {
		for (size_t class = 0; class < walk->view->class_count; class ++)
			if (walk->left[class] != 0)
				return false;
		return true;
	}
	unit = walk->units[at];
	taken = leaves ? 0 : taken;
	state = state_of(walk, at, taken);
	if (walk->hopeless[state])
		return false;
	if ((walk->caps == NULL || taken + unit->count <= walk->caps[unit->node]) &&
	    take_gpus(walk, at, 0, taken))
		return true;
	if (!is_forced(walk, unit) && walk_from(walk, at + 1, taken))
		return true;
	walk->hopeless[state] = 1;
	return false;
}

static unsigned node_most(const struct walk *walk, size_t node)
{
	unsigned most = 0;

	for (size_t i = 0; i < walk->view->unit_count; i++)
		if (walk->view->units[i].node == node)
			most += (unsigned)walk->view->units[i].count;
	return walk->caps != NULL && walk->caps[node] < most ? walk->caps[node] : most;
}

static void add_units_of(struct walk *walk, size_t node)
{
	const struct place_view *view = walk->view;
	size_t from = walk->count;

	for (size_t i = 0; i < view->unit_count; i++)
		if (view->units[i].node == node)
			walk->units[walk->count++] = &view->units[i];
	/* Stable: insisted ones first, then large groups, which few requests can take, then by address. */
	for (size_t i = from + 1; i < walk->count; i++) {
		const struct place_unit *moving = walk->units[i];
		size_t at = i;

		for (; at > from; at--) {
			const struct place_unit *before = walk->units[at - 1];

			if (before->forced > moving->forced ||
			    (before->forced == moving->forced && before->count >= moving->count))
				break;
			walk->units[at] = before;
		}
		walk->units[at] = moving;
	}
}

/* The node that can give most comes first and is filled: more GPUs lie close, fewer nodes are broken into. */
static unsigned order_units(struct walk *walk, unsigned mask)
{
	const struct place_view *view = walk->view;
	unsigned possible = 0;
	unsigned todo = mask;

	while (todo != 0) {
		size_t best = SIZE_MAX;
		unsigned best_most = 0;

		for (size_t i = 0; i < view->place_count; i++) {
			unsigned most = node_most(walk, view->places[i]);

			if ((todo & 1U << i) != 0 && (best == SIZE_MAX || most > best_most)) {
				best = i;
				best_most = most;
			}
		}
		todo &= ~(1U << best);
		possible += best_most;
		if (best_most > walk->taken_most)
			walk->taken_most = best_most;
		add_units_of(walk, view->places[best]);
	}
	return possible;
}

/* Counts what the first requests want; false if an insisted GPU cannot be had. */
static bool want(struct walk *walk, unsigned mask)
{
	const struct place_view *view = walk->view;

	for (size_t i = 0; i < walk->request_count; i++)
		if (view->request_class[i] != SIZE_MAX)
			walk->wanted[view->request_class[i]] += view->request->gpus[i].count;
	walk->states = 1;
	for (size_t class = 0; class < view->class_count; class ++) {
		if (walk->wanted[class] > view->classes[class].most)
			return false;
		walk->left[class] = walk->wanted[class];
		walk->states *= walk->wanted[class] + 1;
	}
	for (size_t i = 0; i < view->host->gpus->count; i++) {
		unsigned bit = 0;

		if (view->insisted[i] < 0 || (size_t)view->insisted[i] >= walk->request_count)
			continue;
		for (size_t j = 0; j < view->place_count; j++)
			if (view->places[j] == view->gpu_node[i])
				bit = 1U << j;
		if (view->states[i] != PLACE_GPU_FREE || (mask & bit) == 0)
			return false;
	}
	return true;
}

/* Gives each class's GPUs to its requests in order, by address. */
static void hand_out(const struct walk *walk, struct place_choice *choice)
{
	const struct place_view *view = walk->view;
	size_t count = view->host->gpus->count;

	memset(choice->gpus_at, 0, (view->machine->node_count + 1) * sizeof *choice->gpus_at);
	for (size_t i = 0; i < count; i++) {
		choice->picks[i] = SIZE_MAX;
		if (view->insisted[i] >= 0 && (size_t)view->insisted[i] < walk->request_count)
			choice->picks[i] = (size_t)view->insisted[i];
	}
	for (size_t request = 0; request < walk->request_count; request++) {
		unsigned left = view->request->gpus[request].count;

		for (size_t i = 0; i < count && view->request_class[request] != SIZE_MAX; i++) {
			if (walk->picks[i] != view->request_class[request] || left == 0 ||
			    choice->picks[i] != SIZE_MAX)
				continue;
			choice->picks[i] = request;
			left--;
		}
	}
	for (size_t i = 0; i < count; i++)
		if (choice->picks[i] != SIZE_MAX)
			choice->gpus_at[view->gpu_node[i]]++;
}

bool place_gpus_choose(const struct place_view *view, size_t request_count, unsigned mask,
		       const unsigned *caps, bool each, struct place_choice *choice)
{
	struct walk walk = {
		.view = view, .caps = caps, .request_count = request_count, .each = each
	};
	size_t count = view->host->gpus->count;
	unsigned wanted = 0;
	bool found = false;

	if (!want(&walk, mask))
		return false;
	for (size_t i = 0; i < request_count; i++)
		wanted += view->request->gpus[i].count;
	walk.units = mem_alloc(view->unit_count, sizeof *walk.units);
	walk.picks = mem_alloc(count, sizeof *walk.picks);
	for (size_t i = 0; i < count; i++)
		walk.picks[i] = SIZE_MAX;
	if (order_units(&walk, mask) >= wanted) {
		if (walk.taken_most > wanted)
			walk.taken_most = wanted;
		walk.hopeless = mem_alloc((walk.count + 1) * (walk.taken_most + 1), walk.states);
		found = walk_from(&walk, 0, 0);
		if (found)
			hand_out(&walk, choice);
	}
	free(walk.hopeless);
	free(walk.picks);
	free(walk.units);
	return found;
}
