// SPDX-License-Identifier: MIT
#include "tests/lab/gpu-server/maps.h"

#include <string.h>

/* The first range that ends at @address or behind it. */
static size_t find(const struct maps *maps, uint64_t address)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (maps->ranges[middle].last < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void insert(struct maps *maps, size_t at, struct maps_range range)
{
	if (maps->count == MAPS_MAX) {
		maps->lost++;
		return;
	}
	memmove(&maps->ranges[at + 1], &maps->ranges[at], (maps->count - at) * sizeof range);
	maps->ranges[at] = range;
	maps->count++;
}

static void drop(struct maps *maps, size_t at, size_t count)
{
	memmove(&maps->ranges[at], &maps->ranges[at + count],
		(maps->count - at - count) * sizeof maps->ranges[0]);
	maps->count -= count;
}

/* Whether anything was there. */
static bool cut(struct maps *maps, uint64_t first, uint64_t last)
{
	size_t at = find(maps, first), end;
	bool had_any = at < maps->count && maps->ranges[at].first <= last;

	if (had_any && maps->ranges[at].first < first) {
		struct maps_range rest = maps->ranges[at];

		maps->ranges[at].last = first - 1;
		at++;
		if (rest.last > last) {
			rest.first = last + 1;
			insert(maps, at, rest);
			return true;
		}
	}
	for (end = at; end < maps->count && maps->ranges[end].last <= last; end++)
		;
	drop(maps, at, end - at);
	if (at < maps->count && maps->ranges[at].first <= last)
		maps->ranges[at].first = last + 1;
	return had_any;
}

static bool are_one(const struct maps_range *low, const struct maps_range *high)
{
	return low->last + 1 == high->first && low->is_writable == high->is_writable;
}

void maps_add(struct maps *maps, uint64_t first, uint64_t last, bool is_writable)
{
	struct maps_range range = { first, last, is_writable };
	size_t at;

	maps->added++;
	maps->over += cut(maps, first, last);
	at = find(maps, first);
	if (at > 0 && are_one(&maps->ranges[at - 1], &range)) {
		range.first = maps->ranges[at - 1].first;
		drop(maps, --at, 1);
	}
	if (at < maps->count && are_one(&range, &maps->ranges[at])) {
		range.last = maps->ranges[at].last;
		drop(maps, at, 1);
	}
	insert(maps, at, range);
}

void maps_remove(struct maps *maps, uint64_t first, uint64_t last)
{
	maps->removed++;
	cut(maps, first, last);
}

void maps_clear(struct maps *maps)
{
	maps->count = 0;
}

uint64_t maps_bytes(const struct maps *maps)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < maps->count; i++)
		bytes += maps->ranges[i].last - maps->ranges[i].first + 1;
	return bytes == 0 && maps->count > 0 ? UINT64_MAX : bytes;
}
