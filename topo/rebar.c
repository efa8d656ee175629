// SPDX-License-Identifier: MIT
#include "topo/rebar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/text.h"

#define FUNCTION          "/sys/bus/pci/devices/%s"
#define EXTENDED          0x100 /* the first extended capability */
#define SPACE_BYTES       4096
#define CAPABILITY_REBAR  0x0015
#define MOST_CAPABILITIES ((SPACE_BYTES - EXTENDED) / 8)

static uint32_t word_at(const char *config, size_t offset)
{
	const unsigned char *bytes = (const unsigned char *)config + offset;

	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

/* Where the capability stands; 0: there is none. */
static size_t find_capability(const char *config)
{
	size_t offset = EXTENDED;

	/* A damaged list may go in circles. */
	for (int i = 0; i < MOST_CAPABILITIES && offset >= EXTENDED && offset <= SPACE_BYTES - 4;
	     i++) {
		uint32_t header = word_at(config, offset);

		if (header == 0 || header == UINT32_MAX)
			return 0;
		if ((header & 0xffff) == CAPABILITY_REBAR)
			return offset;
		offset = header >> 20 & ~3u;
	}
	return 0;
}

/* Control registers: bits 2:0 the BAR, 7:5 of the first how many there are. Sizes from bit 4 of the other on. */
static void read_capability(const char *config, int bar, struct rebar *rebar)
{
	size_t at = find_capability(config);
	unsigned count = at == 0 || at + 12 > SPACE_BYTES ? 0 : word_at(config, at + 8) >> 5 & 7;

	for (unsigned i = 0; i < count && at + 12 + 8 * i <= SPACE_BYTES; i++) {
		if ((word_at(config, at + 8 + 8 * i) & 7) != (uint32_t)bar)
			continue;
		rebar->state = REBAR_SIZES;
		rebar->sizes = word_at(config, at + 4 + 8 * i) >> 4;
	}
}

struct rebar rebar_read(const struct root *root, const struct device *device, int bar)
{
	struct rebar rebar = { .state = REBAR_NOT_TOLD };
	CLEANUP(text)
	char *mask = root_text(root, FUNCTION "/resource%d_resize", device->address, bar);
	CLEANUP(text) char *config = NULL;
	size_t length = 0;
	char *end = NULL;

	snprintf(rebar.source, sizeof rebar.source, FUNCTION "/resource%d_resize", device->address,
		 bar);
	if (mask != NULL) {
		rebar.sizes = strtoull(mask, &end, 16);
		if (end != mask && *end == '\0') {
			rebar.state = REBAR_SIZES;
			return rebar;
		}
	}
	config = root_bytes(root, &length, FUNCTION "/config", device->address);
	if (config == NULL || length < SPACE_BYTES)
		return rebar;
	snprintf(rebar.source, sizeof rebar.source, FUNCTION "/config", device->address);
	rebar.state = REBAR_NONE;
	read_capability(config, bar, &rebar);
	return rebar;
}

uint64_t rebar_largest(const struct rebar *rebar)
{
	for (int bit = 43; bit >= 0; bit--)
		if ((rebar->sizes >> bit & 1) != 0)
			return UINT64_C(1) << (bit + 20);
	return 0;
}
