// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"

/* Why these CPUs and this memory, cell by cell. */

/* An L3 domain as the cell uses it. */
struct domain {
	unsigned l3;
	unsigned free; /* CPUs in whole cores on the node and of the kind */
	bool is_used;
	hwloc_bitmap_t cpus;
};

static struct domain *domain_of(struct domain **domains, size_t *count, unsigned l3)
{
	struct domain *domain;

	for (size_t i = 0; i < *count; i++)
		if ((*domains)[i].l3 == l3)
			return &(*domains)[i];
	domain = MEM_APPEND(*domains, *count);
	domain->l3 = l3;
	domain->cpus = hwloc_bitmap_alloc();
	return domain;
}

static struct domain *domains_on(const struct place_view *view, const struct place_choice *choice,
				 size_t node, hwloc_const_bitmap_t used, size_t *ret_count)
{
	struct domain *domains = NULL;

	*ret_count = 0;
	for (size_t i = 0; i < view->core_count; i++) {
		const struct place_core *core = &view->cores[i];

		if (core->node == node && core->free == core->width &&
		    (choice->kind == view->kind_count || core->kind == view->kinds[choice->kind]))
			domain_of(&domains, ret_count, core->l3)->free += core->free;
	}
	for (size_t i = 0; i < view->machine->cpu_count; i++) {
		const struct machine_cpu *cpu = &view->machine->cpus[i];
		bool is_used = hwloc_bitmap_isset(used, cpu->os_index);

		if (cpu->node != node || (!is_used && *ret_count == 0))
			continue;
		for (size_t j = 0; j < *ret_count; j++)
			is_used |= domains[j].l3 == cpu->l3 && domains[j].is_used;
		if (is_used)
			domain_of(&domains, ret_count, cpu->l3)->is_used = true;
		for (size_t j = 0; j < *ret_count; j++)
			if (domains[j].l3 == cpu->l3)
				hwloc_bitmap_set(domains[j].cpus, cpu->os_index);
	}
	return domains;
}

/* What the best L3 domain not used has against it. */
static void reject_domain(const struct place_view *view, const struct domain *domains, size_t count,
			  unsigned used, unsigned wanted, struct placement *placement)
{
	const struct domain *best = NULL;
	CLEANUP(text) char *cpus = NULL;

	for (size_t i = 0; i < count; i++)
		if (!domains[i].is_used && domains[i].free > 0 &&
		    (best == NULL || (best->free < wanted && domains[i].free > best->free) ||
		     (domains[i].free >= wanted && domains[i].free < best->free)))
			best = &domains[i];
	if (best == NULL || view->request->pin != NULL)
		return;
	cpus = machine_cpus_format(best->cpus);
	if (used == 1 && best->free >= wanted)
		place_reason_reject(placement,
				    "L3 domain of CPUs %s: room for %u; a fuller domain does", cpus,
				    best->free);
	else
		place_reason_reject(placement, "L3 domain of CPUs %s: room for %u only", cpus,
				    best->free);
}

struct tally {
	unsigned cores, whole_cores;
};

/* The cores that @cpus touch. */
static struct tally count_cores(const struct machine *machine, hwloc_const_bitmap_t cpus)
{
	struct tally tally = { 0 };
	unsigned *used = mem_alloc(machine->core_count, sizeof *used);
	unsigned *width = mem_alloc(machine->core_count, sizeof *width);

	for (size_t i = 0; i < machine->cpu_count; i++) {
		width[machine->cpus[i].core]++;
		used[machine->cpus[i].core] += hwloc_bitmap_isset(cpus,
								  machine->cpus[i].os_index) != 0;
	}
	for (unsigned i = 0; i < machine->core_count; i++) {
		tally.cores += used[i] > 0;
		tally.whole_cores += used[i] > 0 && used[i] == width[i];
	}
	free(used);
	free(width);
	return tally;
}

static void tell_cpus(const struct place_view *view, const struct place_choice *choice,
		      unsigned cell, struct placement *placement)
{
	size_t node = choice->cell_nodes[cell];
	unsigned wanted = choice->cells[cell].vcpu_count;
	hwloc_bitmap_t cpus = place_cpus_of_cell(placement, cell);
	struct tally tally = count_cores(view->machine, cpus);
	size_t count;
	struct domain *domains = domains_on(view, choice, node, cpus, &count);
	unsigned used = 0;
	CLEANUP(text) char *list = machine_cpus_format(cpus);
	CLEANUP(text) char *cores = NULL;

	if (tally.whole_cores == tally.cores)
		cores = text_format("%u whole core%s", tally.cores, tally.cores == 1 ? "" : "s");
	else
		cores = text_format("%u cores, %u of them whole", tally.cores, tally.whole_cores);
	for (size_t i = 0; i < count; i++)
		used += domains[i].is_used;
	place_reason_add(
		placement, "cpus",
		"%u vCPU%s on CPU%s %s of node %u%s: %s in %u L3 domain%s, of %u free CPUs", wanted,
		wanted == 1 ? "" : "s", wanted == 1 ? "" : "s", list, choice->cells[cell].host_node,
		view->request->pin == NULL ? "" : ", which the spec names", cores, used,
		used == 1 ? "" : "s", place_cpus_room(view, node, view->kind_count));
	reject_domain(view, domains, count, used, wanted, placement);
	for (size_t i = 0; i < count; i++)
		hwloc_bitmap_free(domains[i].cpus);
	free(domains);
	hwloc_bitmap_free(cpus);
}

/* Why larger page sizes were passed over; NULL if none was. The caller frees. */
static char *passed_over(const struct place_view *view, size_t node, const struct place_cell *cell)
{
	const struct machine_node *host = &view->machine->nodes[node];
	char *text = NULL;
	bool are_any = cell->page_bytes != 0;

	for (size_t i = 0; i < host->page_count; i++) {
		uint64_t page_bytes = host->pages[i].page_bytes;
		CLEANUP(text) char *size = size_format(page_bytes);
		CLEANUP(text) char *item = NULL;

		if (page_bytes <= cell->page_bytes || host->pages[i].total == 0 ||
		    (page_bytes != SIZE_GIB && page_bytes != 2 * SIZE_MIB))
			continue;
		are_any = true;
		if (cell->memory_bytes % page_bytes != 0)
			item = text_format("it is no multiple of %s", size);
		else
			item = text_format("of %" PRIu64 " pages of %s needed %" PRIu64 " are free",
					   cell->memory_bytes / page_bytes, size,
					   place_memory_room(view, node, page_bytes) / page_bytes);
		text_join(&text, ", ", item);
	}
	return are_any ? text : mem_strdup("hugepages: none are set up there");
}

static void tell_memory(const struct place_view *view, const struct place_choice *choice,
			unsigned index, struct placement *placement)
{
	const struct place_cell *cell = &choice->cells[index];
	size_t node = choice->cell_nodes[index];
	CLEANUP(text) char *bytes = size_format(cell->memory_bytes);
	CLEANUP(text) char *page = size_format(cell->page_bytes);
	CLEANUP(text) char *kept = size_format(place_rules_reserve(view));
	CLEANUP(text) char *normal = size_format_about(place_memory_normal(view, node));
	CLEANUP(text) char *passed = NULL;

	if (view->request->hugepages == PLACE_PAGES_AUTO)
		passed = passed_over(view, node, cell);
	if (cell->page_bytes != 0)
		place_reason_add(
			placement, "memory",
			"%s of node %u in %s pages: %" PRIu64 " of %" PRIu64 " free ones", bytes,
			cell->host_node, page, cell->memory_bytes / cell->page_bytes,
			place_memory_room(view, node, cell->page_bytes) / cell->page_bytes);
	else
		place_reason_add(placement, "memory",
				 "%s of node %u in normal pages: %s are available, %s of that "
				 "stays free",
				 bytes, cell->host_node, normal, kept);
	if (passed != NULL)
		place_reason_reject(placement, "%s", passed);
}

void place_reason_cells(const struct place_view *view, const struct place_choice *choice,
			struct placement *placement)
{
	for (unsigned i = 0; i < choice->cell_count; i++) {
		tell_cpus(view, choice, i, placement);
		tell_memory(view, choice, i, placement);
	}
}
