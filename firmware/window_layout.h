/* SPDX-License-Identifier: MIT */
/* How OVMF lays out BARs in the window, for window.c; its header tells the rules and their sources. */
#ifndef GPUVM_FIRMWARE_WINDOW_LAYOUT_H
#define GPUVM_FIRMWARE_WINDOW_LAYOUT_H

#include "firmware/window.h"

/* A range of addresses; none if its size is 0. */
struct window_piece {
	uint64_t base, size_bytes;
};

/* What is laid out in a port or on a root bus. Invariant: the alignment is a power of two. */
struct window_node {
	uint64_t size_bytes, alignment_bytes, offset_bytes;
	size_t id; /* position in the guest's BARs: of a BAR its own, else that of the first one in it */
};

struct window_layout {
	struct window_node
		*bars; /* one for each of the guest's, empty if it is not in the window; the offset
				   * is within its root bus's piece */
	size_t *bus_of_bar; /* position in buses */
	size_t bar_count;
	struct window_node *
		buses; /* one piece each, by number; the offset is its address, once it is placed */
	size_t bus_count;
};

/* The layout of all of @guest's BARs, not placed yet. Release with window_layout_done(). */
struct window_layout window_layout_build(const struct window_guest *guest);
void window_layout_done(struct window_layout *layout);

/* Gives each root bus its address in @window, none in @taken. False if one finds no place. */
bool window_layout_place(struct window_layout *layout, const struct window_piece *window,
			 const struct window_piece *taken);

/* The first multiple of @alignment, a power of two, that is not below @value. */
uint64_t window_layout_align(uint64_t value, uint64_t alignment);

/* The largest power of two that is not above @value, which is not 0. */
uint64_t window_layout_power(uint64_t value);

#endif
