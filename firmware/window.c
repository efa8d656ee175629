// SPDX-License-Identifier: MIT
#include "firmware/window.h"

#include "firmware/window_layout.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"

#define CLASSIC_BYTES  (32 * SIZE_GIB)
#define LEFT_BYTES     (32 * SIZE_GIB) /* q35's own idea of the window, which counts above the memory */
#define LOW_BYTES      (2 * SIZE_GIB)
#define LOW_MOST_BYTES (11 * SIZE_GIB / 4)
#define HIGH_BYTES     (4 * SIZE_GIB)

/* Addresses of the HyperTransport link on AMD (QEMU 7.1, hw/i386/pc.c). */
#define RESERVED_BASE (1012 * SIZE_GIB)
#define RESERVED_END  SIZE_TIB
#define RESERVED_BITS 40

/* The releases from and before which the window is computed so. */
static const struct rule {
	unsigned from, before; /* 0: always */
	unsigned most_bits;    /* 0: never dynamic */
	unsigned share;        /* dynamic: the part of all addresses, as a power of two */
	bool keeps_reserved;
} rules[] = {
	{ .before = 202211 },
	{ .from = 202211, .before = 202302, .most_bits = 47, .share = 3 },
	{ .from = 202302, .before = 202308, .most_bits = 47, .share = 3, .keeps_reserved = true },
	{ .from = 202308, .most_bits = 46, .share = 3, .keeps_reserved = true },
	{ .from = 202608, .most_bits = 46, .share = 2, .keeps_reserved = true },
};
#define RULES (sizeof rules / sizeof *rules)

static bool may_hold(const struct rule *rule, const struct version *version)
{
	return version->release == 0 || (version->release >= rule->from &&
					 (rule->before == 0 || version->release < rule->before));
}

struct window_need window_need(const struct window_guest *guest)
{
	__attribute__((cleanup(window_layout_done))) struct window_layout layout =
		window_layout_build(guest);
	const struct window_piece nothing = { 0 };
	const struct window_piece all = { 0, UINT64_C(1) << 62 };
	struct window_need need = { 0 };

	(void)window_layout_place(&layout, &all, &nothing);
	for (size_t i = 0; i < layout.bus_count; i++) {
		const struct window_node *bus = &layout.buses[i];

		if (bus->size_bytes == 0)
			continue;
		if (need.bytes < bus->offset_bytes + bus->size_bytes)
			need.bytes = bus->offset_bytes + bus->size_bytes;
		if (need.alignment_bytes < bus->alignment_bytes)
			need.alignment_bytes = bus->alignment_bytes;
	}
	return need;
}

static bool is_amd(const struct window_guest *guest)
{
	return text_equal(guest->cpu_vendor, "AuthenticAMD");
}

uint64_t window_memory_end(const struct window_guest *guest)
{
	uint64_t low = guest->memory_bytes < LOW_MOST_BYTES ? guest->memory_bytes : LOW_BYTES;
	uint64_t high = guest->memory_bytes - low;
	uint64_t end = HIGH_BYTES + high;

	/* Memory that would reach AMD's reserved addresses starts above them. */
	if (is_amd(guest) && window_layout_align(end, SIZE_GIB) + LEFT_BYTES > RESERVED_BASE)
		return RESERVED_END + high;
	return end;
}

bool window_memory_fits(const struct window_guest *guest)
{
	return window_layout_align(window_memory_end(guest), SIZE_GIB) + LEFT_BYTES <=
	       UINT64_C(1) << guest->address_bits;
}

/* The address bits that the firmware works with; 0: it does not trust what the CPU says. */
static unsigned trusted_bits(const struct rule *rule, const struct window_guest *guest)
{
	unsigned bits = guest->address_bits;
	bool is_trusted = bits > 40 || (is_amd(guest) && bits == 40) ||
			  (text_equal(guest->cpu_vendor, "GenuineIntel") &&
			   (bits == 36 || bits == 39));

	if (rule->most_bits == 0 || !is_trusted)
		return 0;
	if (bits > rule->most_bits)
		bits = rule->most_bits;
	return !guest->has_1gib_pages && bits > 40 ? 40 : bits;
}

static struct window_piece reserved_of(const struct rule *rule, const struct window_guest *guest)
{
	bool is_there = rule->keeps_reserved && is_amd(guest) &&
			guest->address_bits >= RESERVED_BITS;

	return is_there ? (struct window_piece){ RESERVED_BASE, RESERVED_END - RESERVED_BASE }
			: (struct window_piece){ 0 };
}

static struct window classic_window(const struct window_guest *guest, unsigned knob_mib)
{
	uint64_t size = knob_mib == 0 ? CLASSIC_BYTES
				      : window_layout_align(knob_mib * SIZE_MIB, SIZE_GIB);

	return (struct window){
		.origin = knob_mib == 0 ? WINDOW_CLASSIC : WINDOW_SET,
		.address_bits = guest->address_bits,
		.base = window_layout_align(window_layout_align(window_memory_end(guest), SIZE_GIB),
					    window_layout_power(size)),
		.size_bytes = size,
	};
}

static struct window dynamic_window(const struct rule *rule, const struct window_guest *guest,
				    unsigned bits)
{
	struct window_piece reserved = reserved_of(rule, guest);
	uint64_t size = UINT64_C(1) << (bits - rule->share);
	uint64_t base = (UINT64_C(1) << bits) - size;

	if (base < reserved.base + reserved.size_bytes && reserved.base < base + size) {
		base = (reserved.base - size) & ~(size - 1);
		/* Memory is next in the firmware's list of what to keep clear of, and there is no below. */
		if (base < window_memory_end(guest))
			base = (HIGH_BYTES - size) & ~(size - 1);
	}
	return (struct window){ .origin = WINDOW_DYNAMIC, .base = base, .size_bytes = size };
}

static struct window window_by(const struct rule *rule, bool knob_decides,
			       const struct window_guest *guest, unsigned knob_mib)
{
	unsigned bits = trusted_bits(rule, guest);
	struct window window = classic_window(guest, knob_mib);
	uint64_t reach;

	if (bits > 0 && !(knob_decides && knob_mib > 0)) {
		struct window dynamic = dynamic_window(rule, guest, bits);

		/* Less than, not up to: so the firmware compares. */
		if (window.size_bytes < dynamic.size_bytes &&
		    window.base + dynamic.size_bytes < UINT64_C(1) << bits)
			window = dynamic;
	}
	window.address_bits = bits == 0 ? guest->address_bits : bits;
	reach = UINT64_C(1) << window.address_bits;
	window.is_reachable = window.base < reach && window.size_bytes <= reach - window.base;
	return window;
}

/* What a rule comes to. */
struct outcome {
	struct window window;
	struct window_piece reserved;
};

static bool is_worse(const struct window *window, const struct window *other)
{
	if (window->fits != other->fits)
		return !window->fits;
	return window->size_bytes < other->size_bytes;
}

static bool place_in(struct window_layout *layout, const struct outcome *outcome)
{
	const struct window_piece piece = { outcome->window.base, outcome->window.size_bytes };

	return window_layout_place(layout, &piece, &outcome->reserved);
}

/* The worst outcome of the rules that may hold. */
static struct outcome judge(const struct window_guest *guest, const struct version *version,
			    unsigned knob_mib, struct window_layout *layout)
{
	struct outcome found = { .window = { .size_bytes = UINT64_MAX, .fits = true } };

	for (size_t i = 0; i < 2 * RULES; i++) {
		const struct rule *rule = &rules[i / 2];
		bool knob_decides = i % 2 == 1;
		struct outcome outcome;

		if (!may_hold(rule, version) ||
		    version->knob == (knob_decides ? VERSION_KNOB_GROWS : VERSION_KNOB_DECIDES))
			continue;
		outcome.window = window_by(rule, knob_decides, guest, knob_mib);
		outcome.reserved = reserved_of(rule, guest);
		outcome.window.fits = outcome.window.is_reachable && place_in(layout, &outcome);
		if (is_worse(&outcome.window, &found.window))
			found = outcome;
	}
	return found;
}

struct window window_predict(const struct window_guest *guest, const struct version *version,
			     unsigned knob_mib, uint64_t *ret_addresses)
{
	__attribute__((cleanup(window_layout_done))) struct window_layout layout =
		window_layout_build(guest);
	struct outcome outcome = judge(guest, version, knob_mib, &layout);
	bool fits = outcome.window.fits && place_in(&layout, &outcome);

	for (size_t i = 0; ret_addresses != NULL && i < guest->bar_count; i++)
		ret_addresses[i] = fits && layout.bars[i].size_bytes > 0
					   ? layout.buses[layout.bus_of_bar[i]].offset_bytes +
						     layout.bars[i].offset_bytes
					   : 0;
	return outcome.window;
}

unsigned window_knob(const struct window_guest *guest, const struct version *version)
{
	__attribute__((cleanup(window_layout_done))) struct window_layout layout =
		window_layout_build(guest);
	const unsigned step = SIZE_GIB / SIZE_MIB;
	uint64_t first = window_layout_align(window_need(guest).bytes, SIZE_GIB) / SIZE_MIB;

	for (uint64_t mib = first < step ? step : first; mib <= WINDOW_KNOB_MOST_MIB; mib += step)
		if (judge(guest, version, (unsigned)mib, &layout).window.fits)
			return (unsigned)mib;
	return 0;
}
