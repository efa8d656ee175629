// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"

/* How vCPUs and memory are laid on host nodes: one guest cell per node used, none of them empty. */

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

static int plot_by_node(const void *a, const void *b)
{
	const struct place_plot *left = a, *right = b;

	return (left->node > right->node) - (left->node < right->node);
}

/* Turns shares into cells; false if no page size fits one of them. */
static bool harvest(struct place_field *field, struct place_choice *choice)
{
	choice->cell_count = 0;
	choice->cells = mem_alloc(field->count, sizeof *choice->cells);
	choice->cell_nodes = mem_alloc(field->count, sizeof *choice->cell_nodes);
	qsort(field->plots, field->count, sizeof *field->plots, plot_by_node);
	for (size_t i = 0; i < field->count; i++) {
		const struct place_plot *plot = &field->plots[i];
		struct place_cell *cell = &choice->cells[i];

		choice->cell_nodes[i] = plot->node;
		cell->host_node = field->view->machine->nodes[plot->node].os_index;
		cell->vcpu_count = (unsigned)(plot->cpus * field->cpu_unit);
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

/* How much of a node's CPUs and memory the VM may have with the GPUs that it gets there. */
static void measure(const struct place_field *field, const struct place_choice *choice, size_t kind,
		    struct place_plot *plot)
{
	const struct place_view *view = field->view;
	unsigned offered = place_key_offered(view, choice, plot->node);
	uint64_t bytes = view->most_bytes[field->unit_bytes == SIZE_GIB ? 0 : 1][plot->node];
	uint64_t most = place_rules_bytes_most(view, plot->node, offered);

	plot->gpus = choice->gpus_at[plot->node];
	plot->cpu_room = place_cpus_room_within(view, plot->node, kind, (unsigned)field->cpu_unit,
						place_rules_cpus_most(view, plot->node, offered)) /
			 field->cpu_unit;
	plot->unit_room = (bytes < most ? bytes : most) / field->unit_bytes;
}

static bool lay_with(const struct place_view *view, struct place_choice *choice, size_t kind,
		     unsigned cpu_unit, uint64_t unit_bytes)
{
	struct place_field field = { .view = view,
				     .width = choice->width,
				     .cpu_unit = cpu_unit,
				     .unit_bytes = unit_bytes,
				     .cpu_units = view->request->vcpus / cpu_unit,
				     .units = view->request->memory_bytes / unit_bytes };
	size_t *nodes = place_cells_nodes(view, choice->gpus_at, choice->width, &field.count);
	bool fits;

	field.plots = mem_alloc(field.count, sizeof *field.plots);
	for (size_t i = 0; i < field.count; i++) {
		field.plots[i].node = nodes[i];
		measure(&field, choice, kind, &field.plots[i]);
		field.own_count += field.plots[i].gpus > 0;
	}
	fits = place_field_enclose(&field);
	if (fits) {
		place_field_share(&field);
		fits = harvest(&field, choice);
	}
	choice->kind = kind;
	free(field.plots);
	free(nodes);
	return fits;
}

/* Whole GiB leave every page size open. */
static bool lay_cpus(const struct place_view *view, struct place_choice *choice, size_t kind,
		     unsigned cpu_unit)
{
	const struct place_request *request = view->request;

	if (request->memory_bytes % SIZE_GIB == 0 &&
	    lay_with(view, choice, kind, cpu_unit, SIZE_GIB))
		return true;
	return place_memory_fixed(request) != SIZE_GIB &&
	       lay_with(view, choice, kind, cpu_unit, 2 * SIZE_MIB);
}

bool place_cells_lay(const struct place_view *view, struct place_choice *choice)
{
	/* A VM runs on one kind of core, unless the spec pins it to several. */
	size_t kinds = view->kind_count + (view->kind_count > 1 && view->request->pin != NULL);

	for (unsigned width = 0; width <= (unsigned)place_view_widest(view); width++) {
		choice->width = (enum place_width)width;
		for (size_t kind = 0; kind < kinds; kind++) {
			unsigned unit = view->kind_width[kind];

			/* Cells of whole cores let the guest see threads. */
			if (unit > 1 && view->request->vcpus % unit == 0 &&
			    lay_cpus(view, choice, kind, unit))
				return true;
			if (lay_cpus(view, choice, kind, 1))
				return true;
		}
	}
	return false;
}
