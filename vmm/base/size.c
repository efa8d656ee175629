// SPDX-License-Identifier: MIT
#include "vmm/base/size.h"

#include <ctype.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "vmm/base/text.h"

static const struct {
	const char *name;
	uint64_t bytes;
} units[] = {
	{ "TiB", SIZE_TIB },
	{ "GiB", SIZE_GIB },
	{ "MiB", SIZE_MIB },
	{ "KiB", SIZE_KIB },
};

static const char *unit_bytes(const char *name, uint64_t *ret)
{
	static const char *const decimal[] = { "B", "K", "M", "G", "T", "KB", "MB", "GB", "TB" };

	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (strcasecmp(name, units[i].name) == 0) {
			*ret = units[i].bytes;
			return NULL;
		}
	}
	if (*name == '\0')
		return "a unit is missing (KiB, MiB, GiB or TiB)";
	for (size_t i = 0; i < sizeof decimal / sizeof *decimal; i++)
		if (strcasecmp(name, decimal[i]) == 0)
			return "the unit must be KiB, MiB, GiB or TiB";
	return "not a size (a whole number and KiB, MiB, GiB or TiB)";
}

const char *size_parse(const char *text, uint64_t *ret_bytes)
{
	uint64_t count = 0;
	uint64_t unit = 0;
	uint64_t bytes;
	const char *wrong;

	if (!isdigit((unsigned char)*text))
		return "not a size (a whole number and KiB, MiB, GiB or TiB)";
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(count, UINT64_C(10), &count) ||
		    __builtin_add_overflow(count, (uint64_t)(*text - '0'), &count))
			return "the number is too large";
	while (*text == ' ' || *text == '\t')
		text++;
	wrong = unit_bytes(text, &unit);
	if (wrong != NULL)
		return wrong;
	if (__builtin_mul_overflow(count, unit, &bytes))
		return "the number is too large";
	*ret_bytes = bytes;
	return NULL;
}

char *size_format(uint64_t bytes)
{
	for (size_t i = 0; bytes != 0 && i < sizeof units / sizeof *units; i++)
		if (bytes % units[i].bytes == 0)
			return text_format("%" PRIu64 " %s", bytes / units[i].bytes, units[i].name);
	return text_format("%" PRIu64 " bytes", bytes);
}

char *size_format_about(uint64_t bytes)
{
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		uint64_t unit = units[i].bytes;
		uint64_t tenth = bytes % unit / (unit / 10);

		if (bytes < unit)
			continue;
		if (tenth > 9) /* a unit is no multiple of ten: the last sliver belongs to .9 */
			tenth = 9;
		if (tenth == 0)
			return text_format("%" PRIu64 " %s", bytes / unit, units[i].name);
		return text_format("%" PRIu64 ".%" PRIu64 " %s", bytes / unit, tenth,
				   units[i].name);
	}
	return text_format("%" PRIu64 " bytes", bytes);
}
