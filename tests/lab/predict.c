// SPDX-License-Identifier: MIT
/*
 * What gpuvm says of a window, for tests/lab/window to hold against what a guest sees. On standard input lines
 *
 *     VERSION VENDOR BITS 1GIB-PAGES MEMORY-MIB KNOB-MIB BUS:PORT:KIB...
 *
 * VERSION is a package's, KNOB-MIB 0 if it is not set; each BAR is 64-bit and prefetchable. For each line one of
 *
 *     fits|misfits BASE SIZE SMALLEST-KNOB-MIB ADDRESS...
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/window.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"

static struct window_bar *read_bars(char *rest, size_t *ret_count)
{
	struct window_bar *bars = mem_alloc(1, sizeof *bars);
	char *word;

	while ((word = strsep(&rest, " \n")) != NULL) {
		struct window_bar bar = { .is_64bit = true, .is_prefetchable = true };
		uint64_t kib;

		if (*word == '\0')
			continue;
		if (sscanf(word, "%u:%u:%" SCNu64, &bar.bus, &bar.port, &kib) != 3)
			abort();
		bar.size_bytes = kib * SIZE_KIB;
		*MEM_APPEND(bars, *ret_count) = bar;
	}
	return bars;
}

static void predict(char *line)
{
	struct window_guest guest = { 0 };
	struct version version = { 0 };
	unsigned has_1gib_pages, knob_mib;
	char name[64], vendor[16];
	struct window window;
	struct window_bar *bars;
	uint64_t *addresses, memory_mib;
	int length = 0;

	if (sscanf(line, "%63s %15s %u %u %" SCNu64 " %u%n", name, vendor, &guest.address_bits,
		   &has_1gib_pages, &memory_mib, &knob_mib, &length) != 6)
		abort();
	version_parse(name, &version);
	guest.cpu_vendor = vendor;
	guest.has_1gib_pages = has_1gib_pages != 0;
	guest.memory_bytes = memory_mib * SIZE_MIB;
	guest.bars = bars = read_bars(line + length, &guest.bar_count);
	addresses = mem_alloc(guest.bar_count, sizeof *addresses);
	window = window_predict(&guest, &version, knob_mib, addresses);
	printf("%s %" PRIu64 " %" PRIu64 " %u", window.fits ? "fits" : "misfits", window.base,
	       window.size_bytes, window_knob(&guest, &version));
	for (size_t i = 0; i < guest.bar_count; i++)
		printf(" %" PRIu64, addresses[i]);
	puts("");
	free(addresses);
	free(bars);
}

int main(void)
{
	char line[4096];

	while (fgets(line, sizeof line, stdin) != NULL)
		predict(line);
	return 0;
}
