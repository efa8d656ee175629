// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"

/*
 * Which GPUs of a node are best taken, for every number of every class at once: from the leaves of the
 * PCIe tree upwards, sets of GPUs of disjoint subtrees are united, and of those that give the same numbers
 * the cheapest is kept. What a set costs is a sum over the tree, so this is exact, and polynomial.
 */

/* Free GPUs and units that lie below one point of the tree. */
struct leaf {
	const struct place_unit *unit; /* NULL: free, but not to be taken */
	const struct device *device;
	size_t order; /* position in view.units */
};

static bool fits(const struct place_chooser *chooser, size_t a, size_t b)
{
	for (size_t class = chooser->view->class_count; class -- > 0;) {
		size_t radix = chooser->wanted[class] + 1;

		if (a % radix + b % radix >= radix)
			return false;
		a /= radix;
		b /= radix;
	}
	return true;
}

/* Keeps @pick if no better one has its state. @at: position + 1 by state. */
static void keep(struct place_table *table, size_t *at, const struct place_pick *pick)
{
	struct place_pick *kept;

	if (at[pick->state] == 0) {
		*MEM_APPEND(table->picks, table->count) = *pick;
		at[pick->state] = table->count;
		return;
	}
	kept = &table->picks[at[pick->state] - 1];
	if (place_cost_compare(&pick->cost, &kept->cost) < 0)
		*kept = *pick;
}

struct place_table place_chooser_merge(const struct place_chooser *chooser,
				       const struct place_table *a, const struct place_table *b,
				       unsigned total, const struct place_cost *pair)
{
	size_t *at = mem_alloc(chooser->states, sizeof *at);
	struct place_table table = { 0 };

	for (size_t i = 0; i < a->count; i++) {
		for (size_t j = 0; j < b->count; j++) {
			const struct place_pick *left = &a->picks[i], *right = &b->picks[j];
			struct place_pick pick = { .state = left->state + right->state,
						   .total = left->total + right->total,
						   .cost = left->cost,
						   .left = left,
						   .right = right,
						   .gpu = SIZE_MAX };

			if ((total != UINT32_MAX && right->total != total) ||
			    !fits(chooser, left->state, right->state))
				continue;
			place_cost_add(&pick.cost, &right->cost);
			for (size_t k = 0; pair != NULL && k < PLACE_LEVELS; k++)
				pick.cost.pairs[k] += pair->pairs[k] * left->total * right->total;
			keep(&table, at, &pick);
		}
	}
	free(at);
	return table;
}

static struct place_table *own(struct place_chooser *chooser, struct place_table table)
{
	struct place_table *owned = MEM_APPEND(chooser->tables, chooser->table_count);

	*owned = table;
	return owned;
}

static struct place_table nothing_taken(void)
{
	struct place_table table = { 0 };

	*MEM_APPEND(table.picks, table.count) = (struct place_pick){ .gpu = SIZE_MAX };
	return table;
}

/* All sets with one GPU more, @gpu, for each class that it may serve. */
static struct place_table with_gpu(const struct place_chooser *chooser,
				   const struct place_table *before, size_t gpu)
{
	const struct place_view *view = chooser->view;
	size_t *at = mem_alloc(chooser->states, sizeof *at);
	struct place_table table = { 0 };

	for (size_t i = 0; i < before->count; i++) {
		size_t weight = 1;
		struct place_pick pick = before->picks[i];

		pick.left = &before->picks[i];
		pick.right = NULL;
		pick.gpu = gpu;
		pick.class = SIZE_MAX;
		pick.total++;
		if (view->insisted[gpu] >= 0) {
			if ((size_t)view->insisted[gpu] < chooser->request_count)
				keep(&table, at, &pick);
			continue;
		}
		for (size_t class = view->class_count; class -- > 0;) {
			struct place_pick more = pick;

			more.state += weight;
			more.class = class;
			if (view->classes[class].matched[gpu] == '1' &&
			    fits(chooser, pick.state, weight) && chooser->wanted[class] > 0)
				keep(&table, at, &more);
			weight *= chooser->wanted[class] + 1;
		}
	}
	free(at);
	return table;
}

static bool is_banned(const struct place_chooser *chooser, const struct place_unit *unit)
{
	for (size_t i = 0; i < unit->count; i++)
		for (size_t j = 0; j < chooser->banned_count; j++)
			if (unit->gpus[i] == chooser->banned[j])
				return true;
	return false;
}

/* Of the first requests only, the unit of a later one may stay. */
static bool is_forced(const struct place_chooser *chooser, const struct place_unit *unit)
{
	for (size_t i = 0; i < unit->count; i++) {
		int request = chooser->view->insisted[unit->gpus[i]];

		if (request >= 0 && (size_t)request < chooser->request_count)
			return true;
	}
	return false;
}

static struct place_table of_leaf(struct place_chooser *chooser, const struct leaf *leaf)
{
	struct place_table taken = nothing_taken();
	struct place_table all = { 0 };

	if (leaf->unit == NULL || is_banned(chooser, leaf->unit))
		return taken;
	if (!is_forced(chooser, leaf->unit))
		all = nothing_taken();
	for (size_t i = 0; i < leaf->unit->count; i++)
		taken = with_gpu(chooser, own(chooser, taken), leaf->unit->gpus[i]);
	for (size_t i = 0; i < taken.count; i++) {
		if (leaf->order < 64)
			taken.picks[i].cost.addresses |= UINT64_C(1) << (63 - leaf->order);
		*MEM_APPEND(all.picks, all.count) = taken.picks[i];
	}
	free(taken.picks);
	return all;
}

/* A set of free GPUs that loses some: the square, so that large sets are spared before small ones. */
static void add_losses(struct place_table *table, enum place_level level, uint64_t free_count)
{
	for (size_t i = 0; i < table->count; i++) {
		uint64_t total = table->picks[i].total;
		uint64_t left = total > free_count ? 0 : free_count - total;

		table->picks[i].cost.losses[level] += free_count * free_count - left * left;
	}
}

static size_t free_below(const struct leaf *leaves, size_t count)
{
	size_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += leaves[i].unit == NULL ? 1 : leaves[i].unit->count;
	return sum;
}

/* Moves the leaves that share more than @depth levels with the first one to the front; how many. */
static size_t gather_branch(struct leaf *leaves, size_t count, unsigned depth)
{
	size_t same = 1;

	for (size_t i = 1; i < count; i++) {
		struct leaf moving = leaves[i];

		if (place_distance_shared(leaves[0].device, moving.device) <= depth)
			continue;
		memmove(&leaves[same + 1], &leaves[same], (i - same) * sizeof *leaves);
		leaves[same++] = moving;
	}
	return same;
}

static enum place_level level_of(unsigned depth)
{
	return depth == 0 ? PLACE_LEVEL_NODE : depth == 1 ? PLACE_LEVEL_ROOT : PLACE_LEVEL_SWITCH;
}

/* The sets of @leaves, which share @depth levels. */
static struct place_table of_branch(struct place_chooser *chooser, struct leaf *leaves,
				    size_t count, unsigned depth)
{
	struct place_cost pair = { .pairs[0] = 0 };
	size_t done = gather_branch(leaves, count, depth);
	struct place_table table;

	if (count == 1)
		return of_leaf(chooser, &leaves[0]);
	if (done == count)
		return of_branch(chooser, leaves, count, depth + 1);
	/* A pair that meets closer to the root has farther to go. */
	pair.pairs[level_of(depth)] = 64 - (depth < 63 ? depth : 63);
	table = of_branch(chooser, leaves, done, depth + 1);
	while (done < count) {
		size_t next = gather_branch(leaves + done, count - done, depth);
		struct place_table branch = of_branch(chooser, leaves + done, next, depth + 1);
		struct place_table *left = own(chooser, table);
		size_t left_at = (size_t)(left - chooser->tables);
		struct place_table *right = own(chooser, branch);

		table = place_chooser_merge(chooser, &chooser->tables[left_at], right, UINT32_MAX,
					    &pair);
		done += next;
	}
	if (depth > 0)
		add_losses(&table, level_of(depth), free_below(leaves, count));
	return table;
}

static struct place_table of_place(struct place_chooser *chooser, size_t node)
{
	const struct place_view *view = chooser->view;
	struct leaf *leaves = mem_alloc(view->host->gpus->count, sizeof *leaves);
	struct place_table table;
	size_t count = 0;

	for (size_t i = 0; i < view->unit_count; i++)
		if (view->units[i].node == node)
			leaves[count++] = (struct leaf){
				&view->units[i],
				view->host->gpus->gpus[view->units[i].gpus[0]].device, i
			};
	for (size_t i = 0; i < view->host->gpus->count; i++) {
		const struct gpu *gpu = &view->host->gpus->gpus[i];

		if (view->gpu_node[i] == node && gpu->offer == GPU_OFFERED &&
		    (view->states[i] == PLACE_GPU_UNASKED || view->states[i] == PLACE_GPU_TIED))
			leaves[count++] = (struct leaf){ NULL, gpu->device, SIZE_MAX };
	}
	table = of_branch(chooser, leaves, count, 0);
	add_losses(&table, PLACE_LEVEL_NODE, view->free_gpus[node]);
	free(leaves);
	return table;
}

/* Counts what the first requests want; false if more than there is, or an insisted GPU cannot be had. */
static bool want(struct place_chooser *chooser)
{
	const struct place_view *view = chooser->view;
	size_t weight = 1;

	for (size_t i = 0; i < chooser->request_count; i++)
		if (view->request_class[i] != SIZE_MAX)
			chooser->wanted[view->request_class[i]] += view->request->gpus[i].count;
	chooser->states = 1;
	for (size_t class = view->class_count; class -- > 0;) {
		if (chooser->wanted[class] > view->classes[class].most)
			return false;
		chooser->goal += chooser->wanted[class] * weight;
		weight *= chooser->wanted[class] + 1;
	}
	chooser->states = weight;
	for (size_t i = 0; i < view->host->gpus->count; i++) {
		bool is_wanted = view->insisted[i] >= 0 &&
				 (size_t)view->insisted[i] < chooser->request_count;

		if (is_wanted && view->states[i] != PLACE_GPU_FREE)
			return false;
	}
	return true;
}

void place_chooser_init(struct place_chooser *chooser, const struct place_view *view,
			size_t request_count)
{
	chooser->view = view;
	chooser->request_count = request_count;
	chooser->possible = want(chooser);
	for (size_t i = 0; i < view->place_count && chooser->possible; i++)
		chooser->place[i] = of_place(chooser, view->places[i]);
}

void place_chooser_done(struct place_chooser *chooser)
{
	for (size_t i = 0; i < chooser->table_count; i++)
		free(chooser->tables[i].picks);
	for (size_t i = 0; i < chooser->view->place_count; i++)
		free(chooser->place[i].picks);
	free(chooser->tables);
}

/* The class of each GPU of @pick. */
static void collect(const struct place_pick *pick, size_t *classes, bool *is_taken)
{
	for (; pick != NULL; pick = pick->left) {
		if (pick->right != NULL)
			collect(pick->right, classes, is_taken);
		if (pick->gpu != SIZE_MAX) {
			classes[pick->gpu] = pick->class;
			is_taken[pick->gpu] = true;
		}
	}
}

void place_chooser_take(const struct place_chooser *chooser, const struct place_pick *pick,
			struct place_choice *choice)
{
	const struct place_view *view = chooser->view;
	size_t count = view->host->gpus->count;
	size_t *classes = mem_alloc(count, sizeof *classes);
	bool *is_taken = mem_alloc(count, sizeof *is_taken);

	collect(pick, classes, is_taken);
	for (size_t i = 0; i < count; i++) {
		choice->picks[i] = SIZE_MAX;
		if (is_taken[i] && classes[i] == SIZE_MAX)
			choice->picks[i] = (size_t)view->insisted[i];
	}
	for (size_t request = 0; request < chooser->request_count; request++) {
		unsigned left = view->request->gpus[request].count;

		for (size_t i = 0; i < count && view->request_class[request] != SIZE_MAX; i++) {
			if (!is_taken[i] || classes[i] != view->request_class[request] ||
			    left == 0 || choice->picks[i] != SIZE_MAX)
				continue;
			choice->picks[i] = request;
			left--;
		}
	}
	free(classes);
	free(is_taken);
}
