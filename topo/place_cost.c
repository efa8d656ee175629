// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

void place_cost_add(struct place_cost *to, const struct place_cost *cost)
{
	for (size_t i = 0; i < PLACE_LEVELS; i++) {
		to->pairs[i] += cost->pairs[i];
		to->losses[i] += cost->losses[i];
	}
	to->addresses += cost->addresses;
}

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int place_cost_compare_pairs(const struct place_cost *a, const struct place_cost *b)
{
	for (size_t i = 0; i < PLACE_LEVELS; i++)
		if (a->pairs[i] != b->pairs[i])
			return compare(a->pairs[i], b->pairs[i]);
	return 0;
}

int place_cost_compare(const struct place_cost *a, const struct place_cost *b)
{
	int pairs = place_cost_compare_pairs(a, b);

	if (pairs != 0)
		return pairs;
	/* Pairs behind a switch are worth more than full root complexes, those more than full nodes. */
	for (size_t i = PLACE_LEVELS; i-- > 0;)
		if (a->losses[i] != b->losses[i])
			return compare(a->losses[i], b->losses[i]);
	return compare(b->addresses, a->addresses);
}
