// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>

#include "vmm/base/mem.h"

/* Which of the nodes that a width allows are used, and how much of the VM each gets. */

/* More nodes than this are not tried in every combination. */
#define PLOTS_MOST 16

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

static bool is_fertile(const struct place_plot *plot)
{
	return plot->cpu_room > 0 && plot->unit_room > 0;
}

/* Every package with a GPU needs a cell if the policy ends there. */
static bool covers_packages(const struct place_field *field)
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
static void cover_packages(struct place_field *field)
{
	const struct machine_node *nodes = field->view->machine->nodes;

	for (size_t j = field->own_count; j < field->count; j++) {
		struct place_plot *plot = &field->plots[j];

		for (size_t i = 0; i < field->own_count && is_fertile(plot); i++) {
			const struct place_plot *own = &field->plots[i];

			if (!own->used && nodes[own->node].package == nodes[plot->node].package)
				plot->used = true;
		}
		if (covers_packages(field))
			return;
	}
}

static uint64_t share_of(uint64_t total, unsigned gpus, unsigned all)
{
	return (total * gpus + all - 1) / all;
}

/* Own nodes only: all of them, and each with its share if that is asked for. */
static bool enclose_own(struct place_field *field)
{
	unsigned all = field->view->gpu_wanted;
	uint64_t cpus = 0, units = 0;

	for (size_t i = 0; i < field->count; i++) {
		struct place_plot *plot = &field->plots[i];

		plot->used = true;
		if (!is_fertile(plot))
			return false;
		if (field->width == PLACE_OWN_EVEN &&
		    (plot->cpu_room < share_of(field->cpu_units, plot->gpus, all) ||
		     plot->unit_room < share_of(field->units, plot->gpus, all)))
			return false;
		cpus += plot->cpu_room;
		units += plot->unit_room;
	}
	return field->count > 0 && cpus >= field->cpu_units && units >= field->units &&
	       field->count <= field->cpu_units && field->count <= field->units;
}

/* Whether the plots marked are enough, and not too many to give each something. */
static bool suffices(const struct place_field *field)
{
	uint64_t cpus = 0, units = 0;
	size_t used = 0;

	for (size_t i = 0; i < field->count; i++) {
		if (!field->plots[i].used)
			continue;
		cpus += field->plots[i].cpu_room;
		units += field->plots[i].unit_room;
		used++;
	}
	return used > 0 && cpus >= field->cpu_units && units >= field->units &&
	       used <= field->cpu_units && used <= field->units &&
	       (field->width != PLACE_PACKAGE || covers_packages(field));
}

/* Own nodes, then the nearest that bring what is still short. */
static bool enclose_nearest(struct place_field *field)
{
	uint64_t cpus = 0, units = 0;

	for (size_t i = 0; i < field->own_count; i++)
		field->plots[i].used = i < field->cpu_units && is_fertile(&field->plots[i]);
	if (field->width == PLACE_PACKAGE)
		cover_packages(field);
	for (size_t i = 0; i < field->count; i++)
		if (field->plots[i].used) {
			cpus += field->plots[i].cpu_room;
			units += field->plots[i].unit_room;
		}
	for (size_t i = 0; i < field->count; i++) {
		struct place_plot *plot = &field->plots[i];

		if (plot->used || !is_fertile(plot) ||
		    (cpus >= field->cpu_units && units >= field->units))
			continue;
		plot->used = true;
		cpus += plot->cpu_room;
		units += plot->unit_room;
	}
	return suffices(field);
}

/* The next larger number with as many bits set; Gosper, HAKMEM item 175. */
static unsigned next_mask(unsigned mask)
{
	unsigned lowest = mask & -mask;
	unsigned ripple = mask + lowest;

	return ripple | (((mask ^ ripple) >> 2) / lowest);
}

/*
 * The nearest ones can be too many for a VM with few CPUs, where fewer and farther ones would do: then
 * every combination, the smallest first.
 */
static bool enclose_fewest(struct place_field *field)
{
	size_t count = field->count < PLOTS_MOST ? field->count : PLOTS_MOST;
	uint64_t most = field->cpu_units < field->units ? field->cpu_units : field->units;

	if (most >= field->count)
		return false; /* no limit, so the nearest ones have been enough or nothing is */
	for (unsigned size = 1; size <= most; size++) {
		for (unsigned mask = (1U << size) - 1; mask < 1U << count; mask = next_mask(mask)) {
			bool fertile = true;

			for (size_t i = 0; i < field->count; i++) {
				field->plots[i].used = i < count && (mask >> i & 1) != 0;
				fertile &= !field->plots[i].used || is_fertile(&field->plots[i]);
			}
			if (fertile && suffices(field))
				return true;
		}
	}
	return false;
}

bool place_field_enclose(struct place_field *field)
{
	if (field->width <= PLACE_OWN_UNION)
		return enclose_own(field);
	return enclose_nearest(field) || enclose_fewest(field);
}

void place_field_share(struct place_field *field)
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
	share(field->cpu_units, count, weights, rooms, shares);
	for (size_t i = 0; i < count; i++) {
		field->plots[i].cpus = shares[i];
		weights[i] = own ? field->plots[i].gpus : shares[i];
		rooms[i] = field->plots[i].unit_room;
	}
	share(field->units, count, weights, rooms, shares);
	for (size_t i = 0; i < count; i++)
		field->plots[i].units = shares[i];
	free(numbers);
}
