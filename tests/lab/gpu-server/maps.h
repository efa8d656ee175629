/* SPDX-License-Identifier: MIT */
/*
 * What memory a client lets the function reach: ranges of DMA addresses, sorted, neighbours of one kind joined.
 * Bounded: a range that finds no room is counted, not kept.
 */
#ifndef GPUVM_LAB_MAPS_H
#define GPUVM_LAB_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAPS_MAX 4096

struct maps_range {
	uint64_t first;
	uint64_t last; /* in it: a range may end with the address space */
	bool is_writable;
};

struct maps {
	struct maps_range ranges[MAPS_MAX];
	size_t count;
	uint64_t added;
	uint64_t removed; /* requests, whatever they hit */
	uint64_t over;    /* of those added, over what was mapped */
	uint64_t lost;    /* ranges without room */
};

/* Bytes are all that the ranges hold; @first is not behind @last. */
void maps_add(struct maps *maps, uint64_t first, uint64_t last, bool is_writable);
void maps_remove(struct maps *maps, uint64_t first, uint64_t last);
/* Forgets the ranges, not the counts. */
void maps_clear(struct maps *maps);
/* UINT64_MAX also stands for the whole address space. */
uint64_t maps_bytes(const struct maps *maps);

#endif
