// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <string.h>

/* "80:00.0/81:00.0": all components but the last, the function itself, are bridges. */
unsigned place_distance_depth(const struct device *device)
{
	unsigned depth = 1;

	if (device->path == NULL || device->path[0] == '\0')
		return 0;
	for (const char *at = device->path; *at != '\0'; at++)
		depth += *at == '/';
	return depth;
}

unsigned place_distance_shared(const struct device *a, const struct device *b)
{
	const char *left = a->path, *right = b->path;
	unsigned shared = 1;

	if (place_distance_depth(a) == 0 || place_distance_depth(b) == 0 ||
	    a->domain != b->domain || strncmp(left, right, 3) != 0)
		return 0;
	for (;;) {
		size_t length = strcspn(left, "/");

		if (left[length] == '\0' || right[strcspn(right, "/")] == '\0' ||
		    strncmp(left, right, length + 1) != 0)
			return shared;
		shared++;
		left += length + 1;
		right += length + 1;
	}
}
