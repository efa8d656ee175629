// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"

/* How vCPUs and memory are laid on host nodes: one guest cell per node used, none of them empty. */

/* One host node that may become a cell. */
struct plot {
	size_t node;
	unsigned gpus;
	uint64_t cpu_room, unit_room;
	uint64_t cpus, units;
	bool used;
};

struct field {
	const struct place_view *view;
	enum place_width width;
	uint64_t unit_bytes;
	struct plot *plots; /* the GPUs' own nodes first, then nearest first */
	size_t count;
	size_t own_count;
};

static unsigned slit(const struct machine *machine, size_t from, size_t to)
{
	return machine->nodes[from].distances[to];
}

static bool shares_package(const struct place_view *view, const unsigned *gpus_at, size_t node)
{
	const struct machine_node *nodes = view->machine->nodes;

	for (size_t i = 0; i < view->machine->node_count; i++)
		if (gpus_at[i] > 0 && nodes[i].package == nodes[node].package)
			return true;
	return false;
}

/* Distance from the nearest of the GPUs' own nodes; with none known, less for more free CPUs. */
static unsigned remoteness(const struct place_view *view, const unsigned *gpus_at, size_t node)
{
	unsigned least = UINT32_MAX;

	for (size_t i = 0; i < view->machine->node_count; i++)
		if (gpus_at[i] > 0 && slit(view->machine, i, node) < least)
			least = slit(view->machine, i, node);
	if (least != UINT32_MAX)
		return least;
	return UINT32_MAX - 1 - place_cpus_room(view, node, view->kind_count);
}

size_t *place_cells_nodes(const struct place_view *view, const unsigned *gpus_at,
			  enum place_width width, size_t *ret_count)
{
	size_t *nodes = mem_alloc(view->machine->node_count, sizeof *nodes);
	size_t count = 0;
	size_t own;

	for (size_t i = 0; i < view->machine->node_count; i++)
		if (gpus_at[i] > 0)
			nodes[count++] = i;
	own = count;
	for (size_t i = 0; i < view->machine->node_count && width >= PLACE_PACKAGE; i++) {
		unsigned here = remoteness(view, gpus_at, i);
		size_t at;

		if (gpus_at[i] > 0 || (width == PLACE_PACKAGE && !shares_package(view, gpus_at, i)))
			continue;
		for (at = count++; at > own && remoteness(view, gpus_at, nodes[at - 1]) > here;
		     at--)
			nodes[at] = nodes[at - 1];
		nodes[at] = i;
	}
	*ret_count = count;
	return nodes;
}

static uint64_t total_units(const struct field *field)
{
	return field->view->request->memory_bytes / field->unit_bytes;
}

/*
 * Shares @total among the used plots in proportion to @weights, within @rooms, at least 1 each. What
 * proportion leaves over goes to the lowest, what rooms push out to the nearest. The rooms suffice.
 */
static void share(uint64_t total, size_t count, const uint64_t *weights, const uint64_t *rooms,
		  uint64_t *ret_shares)
{
	uint64_t given = 0;
	uint64_t all = 0;

	for (size_t i = 0; i < count; i++)
		all += weights[i];
	for (size_t i = 0; i < count; i++) {
		uint64_t ideal = all == 0 ? 0 : total * weights[i] / all;

		ret_shares[i] = ideal < 1 ? 1 : ideal > rooms[i] ? rooms[i] : ideal;
		given += ret_shares[i];
	}
	while (given > total) {
		size_t most = 0;

		for (size_t i = 1; i < count; i++)
			if (ret_shares[i] >= ret_shares[most])
				most = i;
		ret_shares[most]--;
		given--;
	}
	for (size_t i = 0; i < count && given < total; i++)
		if (weights[i] > 0 && ret_shares[i] < rooms[i]) {
			ret_shares[i]++;
			given++;
		}
	for (size_t i = 0; i < count && given < total; i++) {
		uint64_t more = rooms[i] - ret_shares[i];

		more = more < total - given ? more : total - given;
		ret_shares[i] += more;
		given += more;
	}
}

static void share_out(struct field *field)
{
	uint64_t *numbers = mem_alloc(field->count * 3, sizeof *numbers);
	uint64_t *weights = numbers, *rooms = numbers + field->count;
	uint64_t *shares = numbers + 2 * field->count;
	bool own = field->width <= PLACE_OWN_UNION;
	size_t count = 0;

	/* The used plots move to the front. */
	for (size_t i = 0; i < field->count; i++)
		if (field->plots[i].used)
			field->plots[count++] = field->plots[i];
	field->count = count;
	for (size_t i = 0; i < count; i++) {
		weights[i] = field->plots[i].gpus;
		rooms[i] = field->plots[i].cpu_room;
	}
	share(field->view->request->vcpus, count, weights, rooms, shares);
	for (size_t i = 0; i < count; i++) {
		field->plots[i].cpus = shares[i];
		weights[i] = own ? field->plots[i].gpus : shares[i];
		rooms[i] = field->plots[i].unit_room;
	}
	share(total_units(field), count, weights, rooms, shares);
	for (size_t i = 0; i < count; i++)
		field->plots[i].units = shares[i];
	free(numbers);
}

static bool is_fertile(const struct plot *plot)
{
	return plot->cpu_room > 0 && plot->unit_room > 0;
}

/* Every package with a GPU needs a cell if the policy ends there. */
static bool covers_packages(const struct field *field)
{
	const struct machine_node *nodes = field->view->machine->nodes;

	for (size_t i = 0; i < field->own_count; i++) {
		bool covered = false;

		for (size_t j = 0; j < field->count; j++)
			covered |= field->plots[j].used &&
				   nodes[field->plots[j].node].package ==
					   nodes[field->plots[i].node].package;
		if (!covered)
			return false;
	}
	return true;
}

/* For each own node without room, the nearest node of its package that has some. */
static void cover_packages(struct field *field)
{
	const struct machine_node *nodes = field->view->machine->nodes;

	for (size_t j = field->own_count; j < field->count; j++) {
		struct plot *plot = &field->plots[j];

		for (size_t i = 0; i < field->own_count && is_fertile(plot); i++) {
			const struct plot *own = &field->plots[i];

			if (!own->used && nodes[own->node].package == nodes[plot->node].package)
				plot->used = true;
		}
		if (covers_packages(field))
			return;
	}
}

/* Marks the plots to use: own nodes, then the nearest that bring what is still short. */
static bool enclose(struct field *field)
{
	uint64_t cpus = 0, units = 0;
	size_t used = 0;

	for (size_t i = 0; i < field->own_count; i++) {
		/* Fewer vCPUs than nodes: a wide search need not use them all. */
		bool useful = field->width <= PLACE_OWN_UNION || i < field->view->request->vcpus;

		field->plots[i].used = useful && is_fertile(&field->plots[i]);
		if (field->width <= PLACE_OWN_UNION && !field->plots[i].used)
			return false;
	}
	if (field->width == PLACE_PACKAGE) {
		cover_packages(field);
		if (!covers_packages(field))
			return false;
	}
	for (size_t pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < field->count; i++) {
			struct plot *plot = &field->plots[i];
			bool needed = cpus < field->view->request->vcpus ||
				      units < total_units(field);

			/* First pass: count what is used; second: use more. */
			if (plot->used != (pass == 0))
				continue;
			if (pass == 1 && (!needed || !is_fertile(plot)))
				continue;
			plot->used = true;
			cpus += plot->cpu_room;
			units += plot->unit_room;
			used++;
		}
	}
	return used > 0 && cpus >= field->view->request->vcpus && units >= total_units(field) &&
	       used <= field->view->request->vcpus && used <= total_units(field);
}

static int plot_by_node(const void *a, const void *b)
{
	const struct plot *left = a, *right = b;

	return (left->node > right->node) - (left->node < right->node);
}

/* Turns shares into cells; false if no page size fits one of them. */
static bool harvest(struct field *field, struct place_choice *choice)
{
	choice->cell_count = 0;
	choice->cells = mem_alloc(field->count, sizeof *choice->cells);
	choice->cell_nodes = mem_alloc(field->count, sizeof *choice->cell_nodes);
	qsort(field->plots, field->count, sizeof *field->plots, plot_by_node);
	for (size_t i = 0; i < field->count; i++) {
		const struct plot *plot = &field->plots[i];
		struct place_cell *cell = &choice->cells[i];

		choice->cell_nodes[i] = plot->node;
		cell->host_node = field->view->machine->nodes[plot->node].os_index;
		cell->vcpu_count = (unsigned)plot->cpus;
		cell->memory_bytes = plot->units * field->unit_bytes;
		if (!place_memory_pick(field->view, plot->node, cell->memory_bytes,
				       &cell->page_bytes)) {
			free(choice->cells);
			free(choice->cell_nodes);
			choice->cells = NULL;
			choice->cell_nodes = NULL;
			return false;
		}
	}
	choice->cell_count = field->count;
	return true;
}

static bool lay_with(const struct place_view *view, struct place_choice *choice, size_t kind,
		     uint64_t unit_bytes)
{
	struct field field = { .view = view, .width = choice->width, .unit_bytes = unit_bytes };
	size_t *nodes = place_cells_nodes(view, choice->gpus_at, choice->width, &field.count);
	bool fits;

	field.plots = mem_alloc(field.count, sizeof *field.plots);
	for (size_t i = 0; i < field.count; i++) {
		struct plot *plot = &field.plots[i];

		plot->node = nodes[i];
		plot->gpus = choice->gpus_at[nodes[i]];
		field.own_count += plot->gpus > 0;
		plot->cpu_room = place_cpus_room(view, nodes[i], kind);
		plot->unit_room = place_memory_most(view, nodes[i], unit_bytes) / unit_bytes;
	}
	fits = enclose(&field);
	if (fits) {
		share_out(&field);
		fits = harvest(&field, choice);
	}
	choice->kind = kind;
	free(field.plots);
	free(nodes);
	return fits;
}

bool place_cells_lay(const struct place_view *view, struct place_choice *choice)
{
	const struct place_request *request = view->request;
	size_t kinds = view->kind_count == 1 ? 1 : view->kind_count + 1;

	for (size_t kind = 0; kind < kinds; kind++) {
		/* Whole GiB leave every page size open. */
		if (request->memory_bytes % SIZE_GIB == 0 && lay_with(view, choice, kind, SIZE_GIB))
			return true;
		if (place_memory_fixed(request) != SIZE_GIB &&
		    lay_with(view, choice, kind, 2 * SIZE_MIB))
			return true;
	}
	return false;
}

static bool has_share(const struct place_view *view, size_t node, unsigned gpus,
		      uint64_t unit_bytes)
{
	uint64_t total = view->request->memory_bytes / unit_bytes;
	uint64_t vcpus = ((uint64_t)view->request->vcpus * gpus + view->gpu_wanted - 1) /
			 view->gpu_wanted;
	uint64_t units = (total * gpus + view->gpu_wanted - 1) / view->gpu_wanted;

	return vcpus <= place_cpus_room(view, node, view->kind_count) &&
	       units <= place_memory_most(view, node, unit_bytes) / unit_bytes;
}

unsigned place_cells_cap(const struct place_view *view, size_t node)
{
	unsigned cap = 0;

	if (node == view->machine->node_count)
		return 0;
	for (unsigned gpus = 1; gpus <= view->gpu_wanted; gpus++) {
		bool whole = view->request->memory_bytes % SIZE_GIB == 0;

		if (!(whole && has_share(view, node, gpus, SIZE_GIB)) &&
		    (place_memory_fixed(view->request) == SIZE_GIB ||
		     !has_share(view, node, gpus, 2 * SIZE_MIB)))
			break;
		cap = gpus;
	}
	return cap;
}
