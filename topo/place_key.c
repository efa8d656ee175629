// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

/* Which of two choices is better: near before far, then what it leaves to others. */

static bool is_used(const struct place_choice *choice, size_t node)
{
	if (choice->gpus_at[node] > 0)
		return true;
	for (size_t i = 0; i < choice->cell_count; i++)
		if (choice->cell_nodes[i] == node)
			return true;
	return false;
}

/* SLIT, but never nearer in another package than in one's own: some firmware gives all the same. */
static unsigned way(const struct machine *machine, size_t a, size_t b)
{
	bool leaves = machine->nodes[a].package != machine->nodes[b].package;

	return machine->nodes[a].distances[b] + (leaves ? PLACE_OTHER_PACKAGE : 0);
}

static void judge_distance(const struct place_view *view, struct place_choice *choice)
{
	const struct machine *machine = view->machine;

	for (size_t a = 0; a < machine->node_count; a++) {
		for (size_t b = 0; b < machine->node_count; b++) {
			if (a == b || !is_used(choice, a) || !is_used(choice, b))
				continue;
			choice->distance += machine->nodes[a].distances[b];
			choice->spread += way(machine, a, b) * choice->gpus_at[a] *
					  choice->gpus_at[b];
			if (way(machine, a, b) > choice->diameter)
				choice->diameter = way(machine, a, b);
		}
	}
}

unsigned place_key_offered(const struct place_view *view, const struct place_choice *choice,
			   size_t node)
{
	unsigned offered = choice->gpus_at[node];

	for (size_t i = 0; i < view->host->gpus->count && offered > 0; i++)
		if (view->insisted[i] >= 0 && view->gpu_node[i] == node &&
		    view->host->gpus->gpus[i].offer != GPU_OFFERED)
			offered--;
	return offered;
}

/* What the VM leaves of @open when cells of it take @taken. */
static uint64_t left(uint64_t open, uint64_t taken)
{
	return open > taken ? open - taken : 0;
}

/* How many of the average GPU's shares there are in @amount, a broken one counting. */
static uint64_t shares(uint64_t amount, uint64_t gpus, uint64_t all)
{
	/* In pieces small enough that the product cannot wrap. */
	return all == 0 ? 0 : (amount * gpus + all - 1) / all;
}

struct average {
	uint64_t gpus, cpus, mib;
};

static struct average average_of(const struct place_view *view)
{
	struct average average = { 0 };
	const struct machine *machine = view->machine;

	for (size_t node = 0; node < machine->node_count; node++) {
		unsigned here = 0;

		for (size_t i = 0; i < view->host->gpus->count; i++)
			here += view->gpu_node[i] == node &&
				view->host->gpus->gpus[i].offer == GPU_OFFERED;
		if (here == 0)
			continue;
		average.gpus += here;
		average.mib += machine->nodes[node].memory_total_bytes >> 20;
		for (size_t i = 0; i < machine->cpu_count; i++)
			average.cpus += machine->cpus[i].node == node && machine->cpus[i].usable &&
					!hwloc_bitmap_isset(view->host_cpus,
							    machine->cpus[i].os_index);
	}
	return average;
}

static void judge_stranded(const struct place_view *view, struct place_choice *choice)
{
	struct average average = average_of(view);

	for (size_t node = 0; node < view->machine->node_count; node++) {
		uint64_t cpus = view->open_cpus[node];
		uint64_t mib = view->open_bytes[node] >> 20;
		uint64_t free_gpus = view->free_gpus[node] - place_key_offered(view, choice, node);
		uint64_t usable;

		for (size_t i = 0; i < choice->cell_count; i++)
			if (choice->cell_nodes[i] == node) {
				cpus = left(cpus, choice->cells[i].vcpu_count);
				mib = left(mib, choice->cells[i].memory_bytes >> 20);
			}
		usable = shares(cpus, average.gpus, average.cpus);
		if (shares(mib, average.gpus, average.mib) < usable)
			usable = shares(mib, average.gpus, average.mib);
		choice->stranded += (unsigned)left(free_gpus, usable);
	}
}

void place_key_judge(const struct place_view *view, struct place_choice *choice)
{
	size_t unknown = view->machine->node_count;

	choice->unknown = choice->gpus_at[unknown];
	judge_distance(view, choice);
	judge_stranded(view, choice);
	for (size_t i = 0; i <= unknown; i++) {
		if (choice->gpus_at[i] == 0)
			continue;
		choice->left_over += view->free_gpus[i] - place_key_offered(view, choice, i);
		if (i != unknown)
			choice->cpus_left += view->open_cpus[i];
	}
	for (size_t i = 0; i < choice->cell_count; i++)
		if (choice->gpus_at[choice->cell_nodes[i]] > 0)
			choice->cpus_left -= choice->cells[i].vcpu_count;
}

bool place_key_is_better(const struct place_choice *a, const struct place_choice *b)
{
	if (a->unknown != b->unknown)
		return a->unknown < b->unknown;
	if (a->diameter != b->diameter)
		return a->diameter < b->diameter;
	if (a->distance != b->distance)
		return a->distance < b->distance;
	if (a->width != b->width)
		return a->width < b->width;
	if (a->spread != b->spread)
		return a->spread < b->spread;
	for (size_t i = 0; i < PLACE_LEVELS; i++)
		if (a->cost.pairs[i] != b->cost.pairs[i])
			return a->cost.pairs[i] < b->cost.pairs[i];
	if (a->stranded != b->stranded)
		return a->stranded < b->stranded;
	for (size_t i = PLACE_LEVELS; i-- > 0;)
		if (a->cost.losses[i] != b->cost.losses[i])
			return a->cost.losses[i] < b->cost.losses[i];
	if (a->cpus_left != b->cpus_left)
		return a->cpus_left > b->cpus_left;
	return a->cost.addresses > b->cost.addresses;
}
