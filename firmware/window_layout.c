// SPDX-License-Identifier: MIT
#include "firmware/window_layout.h"

#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"

#define PIECE_BYTES SIZE_MIB /* what a bridge can decode */
/* Of a BAR: more than any window holds, and the sum of as many as there can be does not wrap. */
#define MOST_BYTES (1024 * SIZE_TIB)

struct nodes {
	struct window_node *nodes;
	size_t count;
};

void window_layout_done(struct window_layout *layout)
{
	free(layout->bars);
	free(layout->buses);
	free(layout->bus_of_bar);
}

uint64_t window_layout_align(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

uint64_t window_layout_power(uint64_t value)
{
	return UINT64_C(1) << (63 - __builtin_clzll(value));
}

static uint64_t power_above(uint64_t value)
{
	uint64_t power = window_layout_power(value);

	return power == value ? power : power << 1;
}

/* What is left over of @node's size beyond whole alignments. */
static uint64_t rest_of(const struct window_node *node)
{
	return node->size_bytes & (node->alignment_bytes - 1);
}

static bool goes_before(const struct window_node *node, const struct window_node *other)
{
	if (node->alignment_bytes != other->alignment_bytes)
		return node->alignment_bytes > other->alignment_bytes;
	return rest_of(node) == 0 || rest_of(node) >= rest_of(other);
}

/* Equal ones in the firmware's order, which decides how much is lost between them. */
static void insert(struct nodes *list, const struct window_node *node)
{
	size_t at = 0;

	(void)MEM_APPEND(list->nodes, list->count);
	while (at + 1 < list->count && !goes_before(node, &list->nodes[at]))
		at++;
	for (size_t i = list->count - 1; i > at; i--)
		list->nodes[i] = list->nodes[i - 1];
	list->nodes[at] = *node;
}

/* Gives each its offset; returns all of them as one. */
static struct window_node lay_out(struct nodes *list, size_t id)
{
	struct window_node whole = { .alignment_bytes = PIECE_BYTES, .id = id };

	for (size_t i = 0; i < list->count; i++) {
		struct window_node *node = &list->nodes[i];

		node->offset_bytes = window_layout_align(whole.size_bytes, node->alignment_bytes);
		whole.size_bytes = node->offset_bytes + node->size_bytes;
	}
	whole.size_bytes = window_layout_align(whole.size_bytes, PIECE_BYTES);
	if (list->count > 0 && list->nodes[0].alignment_bytes > PIECE_BYTES)
		whole.alignment_bytes = list->nodes[0].alignment_bytes;
	return whole;
}

/* What @bar takes of the window; 0: it is not there. */
static uint64_t bytes_of(const struct window_bar *bar)
{
	if (!bar->is_64bit || !bar->is_prefetchable || bar->size_bytes == 0)
		return 0;
	return bar->size_bytes > MOST_BYTES ? MOST_BYTES : power_above(bar->size_bytes);
}

/* The position behind the last BAR of the port that has @first; its nodes go to @ports and, with where they are in
 * the port, to @layout. */
static size_t lay_out_port(const struct window_guest *guest, size_t first, struct nodes *ports,
			   struct window_layout *layout)
{
	const struct window_bar *bars = guest->bars;
	struct nodes list = { 0 };
	struct window_node port;
	size_t end = first;

	for (; end < guest->bar_count && bars[end].bus == bars[first].bus &&
	       bars[end].port == bars[first].port;
	     end++) {
		uint64_t size = bytes_of(&bars[end]);

		if (size > 0)
			insert(&list, &(struct window_node){ .size_bytes = size,
							     .alignment_bytes = size,
							     .id = end });
	}
	port = lay_out(&list, first);
	for (size_t i = 0; i < list.count; i++)
		layout->bars[list.nodes[i].id] = list.nodes[i];
	if (list.count > 0)
		insert(ports, &port);
	free(list.nodes);
	return end;
}

/* The BARs of the port whose first is @first, moved to where the port is. */
static void move_port(const struct window_guest *guest, const struct window_node *port,
		      struct window_layout *layout)
{
	const struct window_bar *first = &guest->bars[port->id];

	for (size_t i = port->id; i < guest->bar_count && guest->bars[i].bus == first->bus &&
				  guest->bars[i].port == first->port;
	     i++)
		layout->bars[i].offset_bytes += port->offset_bytes;
}

static size_t lay_out_bus(const struct window_guest *guest, size_t first,
			  struct window_layout *layout)
{
	struct nodes ports = { 0 };
	struct nodes merged = { 0 };
	size_t end = first;
	struct window_node bus;

	while (end < guest->bar_count && guest->bars[end].bus == guest->bars[first].bus)
		end = lay_out_port(guest, end, &ports, layout);
	/* A root bus has one list for prefetchable and other ones: each is inserted once more. */
	for (size_t i = 0; i < ports.count; i++)
		insert(&merged, &ports.nodes[i]);
	bus = lay_out(&merged, first);
	for (size_t i = 0; i < merged.count; i++)
		move_port(guest, &merged.nodes[i], layout);
	for (size_t i = first; i < end; i++)
		layout->bus_of_bar[i] = layout->bus_count;
	*MEM_APPEND(layout->buses, layout->bus_count) = bus;
	free(ports.nodes);
	free(merged.nodes);
	return end;
}

struct window_layout window_layout_build(const struct window_guest *guest)
{
	struct window_layout layout = { .bar_count = guest->bar_count };

	layout.bars = mem_alloc(guest->bar_count, sizeof *layout.bars);
	layout.bus_of_bar = mem_alloc(guest->bar_count, sizeof *layout.bus_of_bar);
	for (size_t i = 0; i < guest->bar_count;)
		i = lay_out_bus(guest, i, &layout);
	return layout;
}

/* The end of whatever of @taken or the first @count of @buses overlaps @wanted; 0 if nothing does. */
static uint64_t end_of_overlap(const struct window_piece *taken, const struct window_node *buses,
			       size_t count, const struct window_piece *wanted)
{
	uint64_t end = wanted->base + wanted->size_bytes;

	if (taken->base < end && wanted->base < taken->base + taken->size_bytes)
		return taken->base + taken->size_bytes;
	for (size_t i = 0; i < count; i++)
		if (buses[i].offset_bytes < end &&
		    wanted->base < buses[i].offset_bytes + buses[i].size_bytes)
			return buses[i].offset_bytes + buses[i].size_bytes;
	return 0;
}

/* Gives each root bus its place in @window around @taken. False if one has none. */
bool window_layout_place(struct window_layout *layout, const struct window_piece *window,
			 const struct window_piece *taken)
{
	for (size_t i = 0; i < layout->bus_count; i++) {
		struct window_node *bus = &layout->buses[i];
		struct window_piece wanted = {
			window_layout_align(window->base, bus->alignment_bytes), bus->size_bytes
		};
		uint64_t end;

		while (bus->size_bytes > 0 &&
		       (end = end_of_overlap(taken, layout->buses, i, &wanted)) != 0)
			wanted.base = window_layout_align(end, bus->alignment_bytes);
		if (wanted.base + wanted.size_bytes > window->base + window->size_bytes)
			return false;
		bus->offset_bytes = wanted.base;
	}
	return true;
}
