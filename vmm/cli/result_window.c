// SPDX-License-Identifier: MIT
#include "vmm/cli/result_window.h"

#include "vmm/base/cleanup.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/cli/out.h"

static const char *verdict_name(enum mmio_verdict verdict)
{
	switch (verdict) {
	case MMIO_FITS:
		return "fits";
	case MMIO_TOO_SMALL:
		return "too small";
	case MMIO_MEMORY_HIGH:
		return "memory too high";
	case MMIO_UNKNOWN:
		return "unknown";
	}
	return NULL;
}

static const char *origin_name(enum window_origin origin)
{
	switch (origin) {
	case WINDOW_CLASSIC:
		return "classic";
	case WINDOW_DYNAMIC:
		return "dynamic";
	case WINDOW_SET:
		return "set";
	}
	return NULL;
}

static json_t *positive_or_null(unsigned long long number)
{
	return out_number_or_null(number == 0 ? -1 : (long long)number);
}

json_t *result_window_json(const struct launch *launch)
{
	const struct mmio *mmio = launch->mmio;
	bool is_known = mmio->verdict != MMIO_UNKNOWN;
	CLEANUP(text) char *firmware = mmio_firmware(mmio);

	return json_pack(
		"{s:s, s:s, s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}",
		"finding", MMIO_FINDING, "verdict", verdict_name(mmio->verdict), "needed_bytes",
		(json_int_t)mmio->need.bytes, "alignment_bytes",
		(json_int_t)mmio->need.alignment_bytes, "firmware", firmware, "rule",
		out_text_or_null(is_known ? origin_name(mmio->without.origin) : NULL),
		"given_bytes", positive_or_null(mmio->without.size_bytes), "base_bytes",
		positive_or_null(mmio->window.base), "size_bytes",
		positive_or_null(mmio->window.size_bytes), "address_bits",
		positive_or_null(mmio->without.address_bits), "host_address_bits",
		positive_or_null(mmio->host_bits), "iommu_address_bits",
		positive_or_null(mmio->iommu_bits), "knob_mib", positive_or_null(mmio->knob_mib),
		"limit_bits", positive_or_null(mmio->limit_bits), "beyond_iommu",
		mmio->is_beyond_iommu);
}

static long long number_of(const json_t *window, const char *key)
{
	return json_integer_value(json_object_get(window, key));
}

static bool is_text(const json_t *window, const char *key, const char *text)
{
	return text_equal(json_string_value(json_object_get(window, key)), text);
}

/* "8 TiB"; of what is not a whole number of GiB the next one. The caller frees. */
static char *gib_of(const json_t *window, const char *key)
{
	uint64_t bytes = (uint64_t)number_of(window, key);

	return size_format((bytes + SIZE_GIB - 1) / SIZE_GIB * SIZE_GIB);
}

static void print_settings(const json_t *window)
{
	CLEANUP(text) char *size = gib_of(window, "size_bytes");
	CLEANUP(text) char *base = gib_of(window, "base_bytes");

	if (number_of(window, "limit_bits") != 0)
		out_line(
			"%-8s   the guest's addresses are limited to the %lld bits that the IOMMU maps "
			"(the CPU has %lld)",
			"", number_of(window, "limit_bits"),
			number_of(window, "host_address_bits"));
	if (number_of(window, "knob_mib") != 0)
		out_line("%-8s   set for it: %s = %lld, for %s from %s on", "", WINDOW_KNOB,
			 number_of(window, "knob_mib"), size, base);
	if (json_is_true(json_object_get(window, "beyond_iommu")))
		out_line(
			"%-8s   part of that is above the %lld bits that the IOMMU maps: QEMU warns, and no "
			"other device reaches it directly",
			"", number_of(window, "iommu_address_bits"));
}

void result_window_print(const json_t *window)
{
	const char *firmware = json_string_value(json_object_get(window, "firmware"));
	CLEANUP(text) char *need = gib_of(window, "needed_bytes");
	CLEANUP(text) char *given = gib_of(window, "given_bytes");
	CLEANUP(text)
	char *rule = is_text(window, "rule", "dynamic")
			     ? text_format("by %lld address bits",
					   number_of(window, "address_bits"))
			     : text_format("above the memory");

	if (is_text(window, "verdict", "unknown"))
		out_line(
			"%-8s need %s of addresses; whether %s has so much is not known: /proc/cpuinfo tells no "
			"address sizes",
			"BARs", need, firmware);
	else
		out_line("%-8s need %s of addresses; %s gives %s %s%s", "BARs", need, firmware,
			 given, rule,
			 is_text(window, "verdict", "too small") ? ", and cannot give enough" : "");
	print_settings(window);
}
