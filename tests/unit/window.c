// SPDX-License-Identifier: MIT
/*
 * Windows and what fits in them. The expected numbers are worked out by hand from edk2's rules, never by the code
 * under test; tests/lab/window holds those of 40 address bits against real firmware.
 */
#include "firmware/window.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/scratch.h"
#include "vmm/base/size.h"

#define DEBIAN12 "2022.11-6+deb12u2"
#define DEBIAN13 "2025.02-8+deb13u1"
#define INTEL    "GenuineIntel"
#define AMD      "AuthenticAMD"

/* Four virtio devices on pcie.0: 4 MiB at the bottom of the window, as each port's part is 1 MiB. */
#define VIRTIO "0:16:16K 0:17:16K 0:18:16K 0:19:16K "
/* GPUs by their 64-bit prefetchable BARs, on the root bus numbered 32 or 48. */
#define RTX4090(port)   "32:" #port ":32G 32:" #port ":32M "
#define RTX3060(port)   "32:" #port ":256M 32:" #port ":32M "
#define H100(bus, port) #bus ":" #port ":16M " #bus ":" #port ":128G " #bus ":" #port ":32M "
#define B200(port)      "32:" #port ":64M 32:" #port ":256G 32:" #port ":32M "
#define B300(port)      "32:" #port ":64M 32:" #port ":512G 32:" #port ":32M "
#define FOUR(gpu)       gpu(0) gpu(1) gpu(2) gpu(3)
#define EIGHT(gpu)      FOUR(gpu) gpu(4) gpu(5) gpu(6) gpu(7)
#define H100_32(port)   H100(32, port)
#define H100_48(port)   H100(48, port)

enum {
	BARS = 64
};

struct bars {
	struct window_bar bars[BARS];
	size_t count;
};

/* "BUS:PORT:SIZE[K|M|G]", with "/" behind it for 32-bit, "*" for not prefetchable. */
static void read_bars(const char *text, struct bars *bars)
{
	int length;

	for (bars->count = 0; *text != '\0'; bars->count++) {
		struct window_bar *bar = &bars->bars[bars->count];
		char unit;

		assert_true(bars->count < BARS);
		assert_int_equal(sscanf(text, "%u:%u:%" SCNu64 "%c%n", &bar->bus, &bar->port,
					&bar->size_bytes, &unit, &length),
				 4);
		bar->size_bytes *= unit == 'K' ? SIZE_KIB : unit == 'M' ? SIZE_MIB : SIZE_GIB;
		text += length;
		bar->is_64bit = *text != '/';
		bar->is_prefetchable = *text != '*';
		text += *text == '/' || *text == '*';
		text += strspn(text, " ");
	}
}

static struct window_guest guest_of(const char *vendor, unsigned bits, bool has_1gib_pages,
				    uint64_t memory_gib, const struct bars *bars)
{
	return (struct window_guest){ .address_bits = bits,
				      .cpu_vendor = vendor,
				      .has_1gib_pages = has_1gib_pages,
				      .memory_bytes = memory_gib * SIZE_GIB,
				      .bars = bars->bars,
				      .bar_count = bars->count };
}

static void the_window_is_as_the_firmware_computes_it(void **state)
{
	static const struct {
		const char *about, *version, *vendor;
		unsigned bits;
		bool small_pages;
		unsigned memory_gib, knob_mib;
		enum window_origin origin;
		unsigned base_gib, size_gib;
	} cases[] = {
		/* 2^(39-3) = 64 GiB below 2^39 = 512 GiB */
		{ "a desktop", DEBIAN12, INTEL, 39, false, 32, 0, WINDOW_DYNAMIC, 448, 64 },
		{ "a desktop, newer", DEBIAN13, INTEL, 39, false, 32, 0, WINDOW_DYNAMIC, 448, 64 },
		/* 2^36 = 64 GiB, and 8 of it are less than classic's 32; memory ends at 4 + 2 = 6 GiB */
		{ "36 bits: classic is larger", DEBIAN12, INTEL, 36, false, 4, 0, WINDOW_CLASSIC,
		  32, 32 },
		/* 2^46 = 64 TiB: 8 TiB at 56 */
		{ "a server", DEBIAN12, INTEL, 46, false, 512, 0, WINDOW_DYNAMIC, 57344, 8192 },
		/* cut to 47: 16 TiB at 112; to 46 from 202308 on */
		{ "52 bits", DEBIAN12, INTEL, 52, false, 512, 0, WINDOW_DYNAMIC, 114688, 16384 },
		{ "52 bits, newer", DEBIAN13, INTEL, 52, false, 512, 0, WINDOW_DYNAMIC, 57344,
		  8192 },
		{ "48 bits", DEBIAN12, AMD, 48, false, 512, 0, WINDOW_DYNAMIC, 114688, 16384 },
		{ "48 bits, 202305", "2023.05-2", AMD, 48, false, 512, 0, WINDOW_DYNAMIC, 114688,
		  16384 },
		{ "48 bits, 202308", "2023.08-1", AMD, 48, false, 512, 0, WINDOW_DYNAMIC, 57344,
		  8192 },
		{ "41 bits", DEBIAN12, INTEL, 41, false, 64, 0, WINDOW_DYNAMIC, 1792, 256 },
		{ "42 bits", DEBIAN13, AMD, 42, false, 64, 0, WINDOW_DYNAMIC, 3584, 512 },
		/* without pages of 1 GiB: 40 bits, 128 GiB at 896, whoever made it */
		{ "no large pages", DEBIAN12, INTEL, 52, true, 64, 0, WINDOW_DYNAMIC, 896, 128 },
		/* AMD: [1012, 1024) is reserved; 1012 - 128 = 884, down to a multiple of 128: 768 */
		{ "no large pages, AMD", DEBIAN13, AMD, 52, true, 64, 0, WINDOW_DYNAMIC, 768, 128 },
		{ "40 bits of AMD's", DEBIAN12, AMD, 40, false, 64, 0, WINDOW_DYNAMIC, 896, 128 },
		{ "40 bits of AMD's, newer", DEBIAN13, AMD, 40, false, 64, 0, WINDOW_DYNAMIC, 768,
		  128 },
		{ "202302 keeps clear too", "2023.02-2", AMD, 40, false, 64, 0, WINDOW_DYNAMIC, 768,
		  128 },
		/* 40 bits of Intel's are QEMU's old default, and not trusted: above 4 + 62 = 66 GiB, at 96 */
		{ "40 bits of Intel's", DEBIAN12, INTEL, 40, false, 64, 0, WINDOW_CLASSIC, 96, 32 },
		{ "38 bits of Intel's", DEBIAN13, INTEL, 38, false, 64, 0, WINDOW_CLASSIC, 96, 32 },
		{ "39 bits of AMD's", DEBIAN13, AMD, 39, false, 64, 0, WINDOW_CLASSIC, 96, 32 },
		{ "40 bits of somebody's", DEBIAN13, "HygonGenuine", 40, false, 64, 0,
		  WINDOW_CLASSIC, 96, 32 },
		{ "41 bits of somebody's", DEBIAN13, NULL, 41, false, 64, 0, WINDOW_DYNAMIC, 1792,
		  256 },
		{ "before 202211", "2022.08-1", INTEL, 46, false, 64, 0, WINDOW_CLASSIC, 96, 32 },
		/* an unknown one may be as old: 32 GiB above 4 + 254 = 258, at 288 */
		{ "unknown", "?", INTEL, 46, false, 256, 0, WINDOW_CLASSIC, 288, 32 },
		/* 1/4 from about 202608 on, and 1/8 may still be the rule */
		{ "202608", "2026.08-1", INTEL, 46, false, 64, 0, WINDOW_DYNAMIC, 57344, 8192 },

		/* 39 bits: dynamic while classic's base + 64 < 512. 414: ends at 416, classic at 416, 480 < 512 */
		{ "much memory", DEBIAN12, INTEL, 39, false, 414, 0, WINDOW_DYNAMIC, 448, 64 },
		/* 415: ends at 417, classic at 448, and 448 + 64 is not below 512 */
		{ "too much for dynamic", DEBIAN12, INTEL, 39, false, 415, 0, WINDOW_CLASSIC, 448,
		  32 },

		/* the knob: 64 GiB at 64, above 4 + 30 = 34 */
		{ "grows, and is smaller", DEBIAN12, INTEL, 46, false, 32, 65536, WINDOW_DYNAMIC,
		  57344, 8192 },
		{ "decides, and is smaller", DEBIAN13, INTEL, 46, false, 32, 65536, WINDOW_SET, 64,
		  64 },
		{ "grows", DEBIAN12, INTEL, 39, false, 32, 131072, WINDOW_SET, 128, 128 },
		/* as large as dynamic is not larger, and dynamic only wins if it is */
		{ "grows to the same", DEBIAN12, INTEL, 39, false, 32, 65536, WINDOW_SET, 64, 64 },
		/* 100 GiB: on multiples of 64 */
		{ "no power of two", DEBIAN13, INTEL, 46, false, 62, 102400, WINDOW_SET, 64, 100 },
		{ "no power of two, above", DEBIAN13, INTEL, 46, false, 63, 102400, WINDOW_SET, 128,
		  100 },
		/* 1000 MiB: a whole GiB */
		{ "no whole GiB", DEBIAN13, INTEL, 46, false, 32, 1000, WINDOW_SET, 34, 1 },
		{ "before 202211", "2022.08-1", INTEL, 46, false, 64, 262144, WINDOW_SET, 256,
		  256 },
		/* unknown: it may decide, or not count beside a larger dynamic one; the smaller */
		{ "unknown", "?", INTEL, 46, false, 64, 262144, WINDOW_SET, 256, 256 },
		{ "an unknown patch", "2024.02-2ubuntu0.4", INTEL, 46, false, 64, 262144,
		  WINDOW_SET, 256, 256 },
	};
	static const struct bars none;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct window_guest guest = guest_of(cases[i].vendor, cases[i].bits,
							   !cases[i].small_pages,
							   cases[i].memory_gib, &none);
		struct version version;
		struct window window;

		version_parse(cases[i].version, &version);
		window = window_predict(&guest, &version, cases[i].knob_mib, NULL);
		if (window.origin != cases[i].origin ||
		    window.base != cases[i].base_gib * SIZE_GIB ||
		    window.size_bytes != cases[i].size_gib * SIZE_GIB || !window.fits)
			fail_msg("%s: %d, %" PRIu64 " GiB at %" PRIu64, cases[i].about,
				 window.origin, window.size_bytes / SIZE_GIB,
				 window.base / SIZE_GIB);
	}
}

static void what_fits_and_what_makes_it_fit(void **state)
{
	static const struct {
		const char *about, *version, *vendor;
		unsigned bits, memory_gib;
		const char *bars;
		bool fits;
		unsigned knob_mib; /* the smallest with which it does; 0: none */
	} cases[] = {
		/* 448: virtio; the GPU's 32 GiB + 32 MiB from 480 on end above 512 */
		{ "a desktop GPU", DEBIAN12, INTEL, 39, 32, VIRTIO RTX4090(0), false, 66560 },
		/* a window of 65 GiB at 64: virtio, then 96 to 128 GiB + 32 MiB, below 129 */
		{ "the same, newer", DEBIAN13, INTEL, 39, 32, VIRTIO RTX4090(0), false, 66560 },
		{ "without resizable BAR", DEBIAN12, INTEL, 39, 32, VIRTIO RTX3060(0), true, 1024 },
		/* alone it begins at 448, and ends at 480 GiB + 32 MiB */
		{ "nothing else", DEBIAN12, INTEL, 39, 32, RTX4090(0), true, 33792 },

		/* each after the first is 256 GiB further: 128, 384, ... 128 + 7 * 256 = 1920, + 128 GiB + 48 MiB */
		{ "8 H100", DEBIAN12, INTEL, 46, 1024, VIRTIO EIGHT(H100_32), true, 2098176 },
		/* two sockets: 128 + 3 * 256 + 128 + 48M ends just above 1024; the next at 1152 + 896 + 48M */
		{ "8 H100, two sockets", DEBIAN12, INTEL, 46, 1024,
		  VIRTIO FOUR(H100_32) FOUR(H100_48), true, 2098176 },
		/* 42 bits: 512 GiB. virtio, 128 to 256; 384 to 512 GiB + 48 MiB is too much */
		{ "2 H100, 42 bits", DEBIAN12, INTEL, 42, 256, VIRTIO H100(32, 0) H100(32, 1),
		  false, 525312 },
		{ "1 H100, 42 bits", DEBIAN12, INTEL, 42, 256, VIRTIO H100(32, 0), true, 263168 },
		/* 40 bits as QEMU had them: 32 GiB. 257 GiB at 256, up to 513; 4 fit nowhere: 1025 GiB above 258 */
		{ "1 H100, custom CPU", DEBIAN12, INTEL, 40, 128, VIRTIO H100(32, 0), false,
		  263168 },
		/* 2: 513 GiB from 512 on is more than 1024 */
		{ "2 H100, custom CPU", DEBIAN12, INTEL, 40, 128, VIRTIO H100(32, 0) H100(32, 1),
		  false, 0 },
		/* Rackspace's way: the window moves up with the memory. 300: at 512, up to 769 */
		{ "1 H100, more memory", DEBIAN12, INTEL, 40, 300, VIRTIO H100(32, 0), false,
		  263168 },
		/* 700: 702, to 768 at multiples of 256; 768 + 257 is above 1024 */
		{ "1 H100, most memory", DEBIAN12, INTEL, 40, 700, VIRTIO H100(32, 0), false, 0 },

		/* 256 + 7 * 512 = 3840, + 256 GiB + 96 MiB */
		{ "8 B200", DEBIAN13, INTEL, 52, 1024, VIRTIO EIGHT(B200), true, 4195328 },
		/* 512 + 7 * 1024 = 7680, + 512 GiB + 96 MiB: just above 8 TiB. 8193 GiB at 8192 */
		{ "8 B300", DEBIAN13, INTEL, 52, 1024, VIRTIO EIGHT(B300), false, 8389632 },
		{ "8 B300, 16 TiB", DEBIAN12, INTEL, 52, 1024, VIRTIO EIGHT(B300), true, 8389632 },
		{ "8 B300, one of the rules", "2026.08-1", INTEL, 52, 1024, VIRTIO EIGHT(B300),
		  false, 8389632 },
		/* 7: 512 + 6 * 1024 + 512 GiB + 96 MiB */
		{ "7 B300", DEBIAN13, INTEL, 52, 1024, VIRTIO FOUR(B300) B300(4) B300(5) B300(6),
		  true, 7341056 },

		{ "an unknown firmware", "?", INTEL, 46, 64, VIRTIO H100(32, 0), false, 263168 },
		{ "an unknown firmware, small", "?", INTEL, 46, 64, VIRTIO RTX3060(0), true, 1024 },
		/* it may be one whose knob only makes it larger, and 46 bits hold 512 GiB as they are */
		{ "a derivative's", "2024.02-2ubuntu0.4", INTEL, 46, 64, VIRTIO B300(0), true,
		  1049600 },

		/* 40 bits of AMD's: 896 virtio, 960; or 768 and 832 */
		{ "64 GiB", DEBIAN12, AMD, 40, 1, "0:16:16K 32:0:64G", true, 131072 },
		{ "64 GiB, newer", DEBIAN13, AMD, 40, 1, "0:16:16K 32:0:64G", true, 131072 },
		{ "64 GiB and a little", DEBIAN13, AMD, 40, 1, "0:16:16K 32:0:64G 32:0:1M", false,
		  132096 },
		{ "128 GiB, nothing else", DEBIAN12, AMD, 40, 1, "32:0:128G", true, 131072 },
		{ "128 GiB", DEBIAN12, AMD, 40, 1, "0:16:16K 32:0:128G", false, 262144 },
		/* 512 GiB at 512: 256 at 768 would end in what is reserved from 1012 on */
		{ "256 GiB", DEBIAN12, AMD, 40, 1, "0:16:16K 32:0:256G", false, 524288 },
		{ "256 GiB, reserved", DEBIAN13, AMD, 40, 1, "0:16:16K 32:0:256G", false, 0 },

		/* 840: ends at 842. Clear of what is reserved the window is at 768, and clear of that memory
		 * nowhere; above it 128 GiB at 896 end in the reserve */
		{ "memory in the way", DEBIAN13, AMD, 40, 840, "0:16:16K 32:0:64G", false, 0 },
		{ "memory in the way, older", DEBIAN12, AMD, 40, 840, "0:16:16K 32:0:64G", true,
		  131072 },
		{ "memory below it", DEBIAN13, AMD, 40, 766, "0:16:16K 32:0:64G", true, 131072 },

		/* a smaller bus fills what a larger one left: 0 virtio, 64 to 128; 16 is behind virtio */
		{ "gaps", DEBIAN13, INTEL, 39, 1, "0:16:16K 32:0:64G 48:0:16G", false, 131072 },
		/* equals, inserted in one list and then in another, are in the order of their ports again:
		 * 16 virtio; 16 to 32 + 1M, 48 to 64; or 16 to 32, 32 to 48 + 1M */
		{ "the whole one last", DEBIAN13, INTEL, 39, 1,
		  "0:16:16K 32:0:16G 32:0:1M 32:1:16G", true, 65536 },
		{ "the whole one first", DEBIAN13, INTEL, 39, 1,
		  "0:16:16K 32:0:16G 32:1:16G 32:1:1M", true, 50176 },
		{ "BARs elsewhere", DEBIAN13, INTEL, 36, 1, "32:0:256M/ 32:0:64G* 0:16:16K", true,
		  1024 },
		{ "no BARs", DEBIAN13, INTEL, 36, 1, "", true, 1024 },
		{ "an absurd BAR", DEBIAN13, INTEL, 46, 1, "32:0:17179869183G", false, 0 },
		/* 16 TiB is the most that the knob does: one of 8 TiB behind virtio is 8 to 16 */
		{ "the most", DEBIAN13, INTEL, 46, 1, "0:16:16K 32:0:8192G", false, 16777216 },
		{ "more than the most", DEBIAN13, INTEL, 46, 1, "0:16:16K 32:0:8192G 32:1:1G",
		  false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bars bars = { 0 };
		struct window_guest guest;
		struct version version;
		struct window window;
		unsigned knob_mib;

		read_bars(cases[i].bars, &bars);
		guest = guest_of(cases[i].vendor, cases[i].bits, true, cases[i].memory_gib, &bars);
		version_parse(cases[i].version, &version);
		window = window_predict(&guest, &version, 0, NULL);
		knob_mib = window_knob(&guest, &version);
		if (window.fits != cases[i].fits || knob_mib != cases[i].knob_mib)
			fail_msg("%s: %s, knob %u", cases[i].about,
				 window.fits ? "fits" : "does not fit", knob_mib);
		if (knob_mib == 0)
			continue;
		assert_true(window_predict(&guest, &version, knob_mib, NULL).fits);
	}
}

static void each_bar_has_its_address(void **state)
{
	static const struct {
		const char *about, *bars;
		uint64_t mib[8]; /* from the window's base on */
	} cases[] = {
		/* a port's part is whole MiB; the port's largest BAR comes first */
		{ "virtio", VIRTIO, { 0, 1, 2, 3 } },
		{ "one port", "32:0:16M 32:0:1G 32:0:32M", { 1024 + 32, 0, 1024 } },
		/* the second begins on its own multiple */
		{ "two ports", "32:0:1G 32:0:32M 32:1:1G 32:1:32M", { 0, 1024, 2048, 3072 } },
		/* inserted, the second goes before the first: it is whole; once more in the list of all, the first
		 * goes before it, with its rest */
		{ "equals", "32:0:1G 32:0:32M 32:1:1G", { 0, 1024, 2048 } },
		{ "two buses", "0:16:16K 32:0:1G 48:0:256M", { 0, 1024, 256 } },
		{ "not all there", "32:0:1G/ 32:0:16M 32:1:1G*", { 0, 0, 0 } },
	};
	const struct version version = { .release = 202502, .knob = VERSION_KNOB_DECIDES };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bars bars = { 0 };
		uint64_t addresses[BARS];
		struct window_guest guest;
		struct window window;

		read_bars(cases[i].bars, &bars);
		guest = guest_of(INTEL, 46, true, 4, &bars);
		window = window_predict(&guest, &version, 0, addresses);
		for (size_t j = 0; j < bars.count; j++) {
			bool is_there = bars.bars[j].is_64bit && bars.bars[j].is_prefetchable;
			uint64_t expected = is_there ? window.base + cases[i].mib[j] * SIZE_MIB : 0;

			if (addresses[j] != expected)
				fail_msg("%s: BAR %zu at %" PRIu64 " MiB", cases[i].about, j,
					 (addresses[j] - window.base) / SIZE_MIB);
		}
	}
}

static void a_window_out_of_reach_holds_nothing(void **state)
{
	const struct version version = { .release = 202502, .knob = VERSION_KNOB_DECIDES };
	struct bars bars = { 0 };
	struct window_guest guest;
	uint64_t address = 1;
	struct window window;

	(void)state;
	read_bars("32:0:1G", &bars);
	guest = guest_of(AMD, 40, true, 1, &bars);
	window = window_predict(&guest, &version, 1 << 20, &address);
	assert_false(window.is_reachable);
	assert_false(window.fits);
	assert_int_equal(address, 0);
	window = window_predict(&guest, &version, 1 << 19, &address);
	assert_true(window.is_reachable);
	assert_true(address == 512 * SIZE_GIB);
}

static void a_need_is_what_a_window_at_0_would_hold(void **state)
{
	struct bars bars = { 0 };
	struct window_guest guest;
	struct window_need need;

	(void)state;
	read_bars(VIRTIO H100(32, 0) H100(32, 1), &bars);
	guest = guest_of(INTEL, 46, true, 1, &bars);
	need = window_need(&guest);
	assert_true(need.bytes == 512 * SIZE_GIB + 48 * SIZE_MIB);
	assert_true(need.alignment_bytes == 128 * SIZE_GIB);
	guest.bar_count = 0;
	need = window_need(&guest);
	assert_true(need.bytes == 0 && need.alignment_bytes == 0);
}

static void memory_ends_where_qemu_ends_it(void **state)
{
	static const struct {
		const char *about, *vendor;
		unsigned bits;
		uint64_t mib, end_mib;
		bool fits;
	} cases[] = {
		{ "all of it low", INTEL, 39, 512, 4096, true },
		{ "the most that is low", INTEL, 39, 2815, 4096, true },
		{ "2 GiB low, the rest above 4", INTEL, 39, 2816, 4096 + 768, true },
		{ "a lot", INTEL, 39, 256 << 10, 258 << 10, true },
		/* 480 + 32 = 512 */
		{ "the most of 39 bits", INTEL, 39, 478 << 10, 480 << 10, true },
		{ "more than that", INTEL, 39, (478 << 10) + 2, (480 << 10) + 2, false },
		/* AMD: 980 + 32 = 1012 is the last that stays below what is reserved */
		{ "below AMD's reserve", AMD, 48, 978 << 10, 980 << 10, true },
		{ "above it", AMD, 48, 979 << 10, (1024 + 977) << 10, true },
		{ "above it, 40 bits", AMD, 40, 979 << 10, (1024 + 977) << 10, false },
		{ "no reserve", INTEL, 48, 979 << 10, 981 << 10, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct window_guest guest = { .address_bits = cases[i].bits,
						    .cpu_vendor = cases[i].vendor,
						    .memory_bytes = cases[i].mib * SIZE_MIB };

		if (window_memory_end(&guest) != cases[i].end_mib * SIZE_MIB ||
		    window_memory_fits(&guest) != cases[i].fits)
			fail_msg("%s: %" PRIu64 " MiB", cases[i].about,
				 window_memory_end(&guest) / SIZE_MIB);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_window_is_as_the_firmware_computes_it),
		cmocka_unit_test(what_fits_and_what_makes_it_fit),
		cmocka_unit_test(each_bar_has_its_address),
		cmocka_unit_test(a_window_out_of_reach_holds_nothing),
		cmocka_unit_test(a_need_is_what_a_window_at_0_would_hold),
		cmocka_unit_test(memory_ends_where_qemu_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
