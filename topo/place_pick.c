// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"

/*
 * Which CPUs of a node become vCPUs: whole cores before broken ones; the fewest L3 domains, an equal part
 * of each if that is possible (then the guest can be told), else the largest ones; of domains that fit
 * equally the fullest, so that empty ones stay whole.
 */

struct pick {
	const struct place_view *view;
	size_t node, kind;
	bool *is_used; /* by position in view.cores */
	unsigned wanted, cell;
	struct placement *placement;
};

/* An L3 domain with whole cores on the node. */
struct domain {
	unsigned l3;
	unsigned room; /* CPUs */
	bool is_used;
};

static bool is_here(const struct pick *pick, size_t at)
{
	const struct place_core *core = &pick->view->cores[at];

	return core->node == pick->node && !pick->is_used[at] &&
	       (pick->kind == pick->view->kind_count ||
		core->kind == pick->view->kinds[pick->kind]);
}

static bool is_whole(const struct pick *pick, size_t at)
{
	return pick->view->cores[at].free == pick->view->cores[at].width;
}

static void use_core(struct pick *pick, size_t at)
{
	const struct place_view *view = pick->view;
	const struct machine *machine = view->machine;

	pick->is_used[at] = true;
	for (size_t i = 0; i < machine->cpu_count && pick->wanted > 0; i++) {
		const struct machine_cpu *cpu = &machine->cpus[i];
		struct place_vcpu *vcpu;

		if (cpu->core != view->cores[at].number ||
		    !hwloc_bitmap_isset(view->vcpu_cpus, cpu->os_index))
			continue;
		vcpu = &pick->placement->vcpus[pick->placement->vcpu_count++];
		vcpu->cpu = cpu->os_index;
		vcpu->cell = pick->cell;
		pick->wanted--;
	}
}

/* Cores in order as long as they are needed in full, then one that gives just the rest if there is one. */
static void use_cores(struct pick *pick, unsigned l3, bool whole, unsigned most)
{
	unsigned goal = pick->wanted - (most < pick->wanted ? most : pick->wanted);
	size_t spare = SIZE_MAX;

	for (size_t i = 0; i < pick->view->core_count && pick->wanted > goal; i++) {
		unsigned gives = pick->view->cores[i].free;

		if (!is_here(pick, i) || is_whole(pick, i) != whole ||
		    (l3 != UINT32_MAX && pick->view->cores[i].l3 != l3))
			continue;
		if (gives <= pick->wanted - goal)
			use_core(pick, i);
		else if (spare == SIZE_MAX || gives < pick->view->cores[spare].free)
			spare = i;
	}
	if (pick->wanted > goal && spare != SIZE_MAX)
		use_core(pick, spare);
}

static struct domain *domains_of(const struct pick *pick, size_t *ret_count)
{
	struct domain *domains = NULL;
	size_t count = 0;

	for (size_t i = 0; i < pick->view->core_count; i++) {
		const struct place_core *core = &pick->view->cores[i];
		size_t at = 0;

		if (!is_here(pick, i) || !is_whole(pick, i))
			continue;
		while (at < count && domains[at].l3 != core->l3)
			at++;
		if (at == count)
			MEM_APPEND(domains, count)->l3 = core->l3;
		domains[at].room += core->free;
	}
	*ret_count = count;
	return domains;
}

/* The fullest unused domain with at least @room CPUs, or NULL. */
static struct domain *tightest(struct domain *domains, size_t count, unsigned room)
{
	struct domain *best = NULL;

	for (size_t i = 0; i < count; i++)
		if (!domains[i].is_used && domains[i].room >= room &&
		    (best == NULL || domains[i].room < best->room))
			best = &domains[i];
	return best;
}

static struct domain *largest(struct domain *domains, size_t count)
{
	struct domain *best = NULL;

	for (size_t i = 0; i < count; i++)
		if (!domains[i].is_used && (best == NULL || domains[i].room > best->room))
			best = &domains[i];
	return best;
}

/* The fewest domains that have room for all; 0: there is none. */
static unsigned fewest(const struct pick *pick, struct domain *domains, size_t count)
{
	unsigned number = 0;
	unsigned room = 0;

	while (room < pick->wanted) {
		struct domain *next = largest(domains, count);

		if (next == NULL)
			break;
		next->is_used = true;
		room += next->room;
		number++;
	}
	for (size_t i = 0; i < count; i++)
		domains[i].is_used = false;
	return room < pick->wanted ? 0 : number;
}

/* Marks @number domains with room for an equal part each; false if there are not so many. */
static bool mark_equal(const struct pick *pick, struct domain *domains, size_t count,
		       unsigned number)
{
	unsigned width = pick->view->kind_width[pick->kind];
	unsigned part = pick->wanted / number;

	for (unsigned i = 0; i < number && part * number == pick->wanted && part % width == 0;
	     i++) {
		struct domain *next = tightest(domains, count, part);

		if (next == NULL)
			break;
		next->is_used = true;
		if (i + 1 == number)
			return true;
	}
	for (size_t i = 0; i < count; i++)
		domains[i].is_used = false;
	return false;
}

static void use_domains(struct pick *pick)
{
	size_t count;
	struct domain *domains = domains_of(pick, &count);
	unsigned number = fewest(pick, domains, count);
	unsigned part = number == 0 ? 0 : pick->wanted / number;

	if (number > 0 && mark_equal(pick, domains, count, number)) {
		for (size_t i = 0; i < count; i++)
			if (domains[i].is_used)
				use_cores(pick, domains[i].l3, true, part);
	}
	while (pick->wanted > 0) {
		struct domain *next = tightest(domains, count, pick->wanted);

		next = next == NULL ? largest(domains, count) : next;
		if (next == NULL)
			break;
		next->is_used = true;
		use_cores(pick, next->l3, true, UINT32_MAX);
	}
	free(domains);
}

static uint64_t cost_of(const struct pick *pick)
{
	uint64_t cost = 0;

	for (size_t i = 0; i < pick->view->core_count; i++)
		cost += pick->is_used[i] ? pick->view->cores[i].cost : 0;
	return cost;
}

/* The large cores first, none broken into as long as a smaller one gives the rest. */
static void use_cheapest(struct pick *pick)
{
	for (unsigned gives = 64; gives > 0; gives--)
		for (size_t i = 0; i < pick->view->core_count && pick->wanted >= gives; i++)
			if (is_here(pick, i) && pick->view->cores[i].free == gives)
				use_core(pick, i);
	for (unsigned gives = 1; gives <= 64 && pick->wanted > 0; gives++)
		for (size_t i = 0; i < pick->view->core_count && pick->wanted > 0; i++)
			if (is_here(pick, i) && pick->view->cores[i].free == gives)
				use_core(pick, i);
}

void place_cpus_pick(const struct place_view *view, size_t node, size_t kind, unsigned cell,
		     unsigned count, uint64_t most, struct placement *placement)
{
	struct pick pick = { .view = view,
			     .node = node,
			     .kind = kind,
			     .wanted = count,
			     .cell = cell,
			     .placement = placement };

	pick.is_used = mem_alloc(view->core_count, sizeof *pick.is_used);
	use_domains(&pick);
	use_cores(&pick, UINT32_MAX, false, UINT32_MAX);
	if (cost_of(&pick) > most) {
		/* Good neighbourhood would cost a free GPU its share. */
		memset(pick.is_used, 0, view->core_count * sizeof *pick.is_used);
		placement->vcpu_count -= count;
		pick.wanted = count;
		use_cheapest(&pick);
	}
	free(pick.is_used);
}
