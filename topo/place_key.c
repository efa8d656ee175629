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

/*
 * How many of the average GPU's shares there are in @amount; nearly a share will do, as the kernel's own
 * memory would else leave every node one short. In pieces small enough that the product cannot wrap.
 */
static uint64_t shares(uint64_t amount, uint64_t gpus, uint64_t all)
{
	return all == 0 ? 0 : amount * gpus * 8 / (all * 7);
}

/* With whole cores the siblings that stay idle are lost to others too. */
static uint64_t cpus_used(const struct place_view *view, const struct place_choice *choice,
			  size_t cell)
{
	uint64_t cpus = choice->cells[cell].vcpu_count;
	uint64_t width = view->kind_width[choice->kind];

	return view->request->threads == PLACE_SHARE ? cpus : (cpus + width - 1) / width * width;
}

/* The free GPUs of @node that stay behind with an average GPU's share of CPUs and memory. */
static uint64_t served(const struct place_view *view, const struct place_choice *choice,
		       const struct average *average, size_t node)
{
	uint64_t gpus = view->free_gpus[node] - place_key_offered(view, choice, node);
	uint64_t cpus = view->open_cpus[node];
	uint64_t mib = view->open_bytes[node] >> 20;

	for (size_t i = 0; i < choice->cell_count; i++)
		if (choice->cell_nodes[i] == node) {
			cpus = left(cpus, cpus_used(view, choice, i));
			mib = left(mib, choice->cells[i].memory_bytes >> 20);
		}
	cpus = shares(cpus, average->gpus, average->cpus);
	mib = shares(mib, average->gpus, average->mib);
	gpus = cpus < gpus ? cpus : gpus;
	return mib < gpus ? mib : gpus;
}

static void judge_sets(const struct place_view *view, struct place_choice *choice)
{
	struct average average = average_of(view);

	for (size_t node = 0; node < view->machine->node_count; node++) {
		uint64_t gpus = served(view, choice, &average, node);

		choice->served += gpus;
		for (unsigned size = 1; size <= PLACE_SET_MOST; size *= 2)
			choice->sets_left += gpus >= size;
	}
}

void place_key_judge(const struct place_view *view, struct place_choice *choice)
{
	size_t unknown = view->machine->node_count;

	choice->unknown = choice->gpus_at[unknown];
	judge_distance(view, choice);
	judge_sets(view, choice);
	for (size_t i = 0; i <= unknown; i++)
		if (choice->gpus_at[i] > 0)
			choice->left_over += view->free_gpus[i] -
					     place_key_offered(view, choice, i);
}

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Whether proportion is kept comes after what is left to others, leaving the GPUs' nodes before. */
static uint64_t beyond_own(const struct place_choice *choice)
{
	return choice->width > PLACE_OWN_UNION ? choice->width : PLACE_OWN_UNION;
}

/* The level of the PCIe tree at which the GPUs farthest from each other meet; more is farther. */
static uint64_t reach(const struct place_choice *choice)
{
	size_t level = 0;

	if (choice->spread > 0)
		return PLACE_LEVELS + 1;
	while (level < PLACE_LEVELS && choice->cost.pairs[level] == 0)
		level++;
	return PLACE_LEVELS - level;
}

static int compare_at(enum place_point point, const struct place_choice *a,
		      const struct place_choice *b)
{
	switch (point) {
	case PLACE_POINT_UNKNOWN:
		return compare(a->unknown, b->unknown);
	case PLACE_POINT_DIAMETER:
		return compare(a->diameter, b->diameter);
	case PLACE_POINT_DISTANCE:
		return compare(a->distance, b->distance);
	case PLACE_POINT_WIDTH:
		return compare(beyond_own(a), beyond_own(b));
	case PLACE_POINT_REACH:
		return compare(reach(a), reach(b));
	case PLACE_POINT_SETS:
		return compare(b->sets_left, a->sets_left);
	case PLACE_POINT_SERVED:
		return compare(b->served, a->served);
	case PLACE_POINT_SPREAD:
		return compare(a->spread, b->spread);
	case PLACE_POINT_EVEN:
		return compare(a->width, b->width);
	case PLACE_POINT_COST:
		break;
	}
	return place_cost_compare(&a->cost, &b->cost);
}

enum place_point place_key_point(const struct place_choice *a, const struct place_choice *b)
{
	unsigned point = 0;

	while (point < PLACE_POINT_COST && compare_at((enum place_point)point, a, b) == 0)
		point++;
	return (enum place_point)point;
}

bool place_key_is_better(const struct place_choice *a, const struct place_choice *b)
{
	return compare_at(place_key_point(a, b), a, b) < 0;
}
