// SPDX-License-Identifier: MIT
#include "vmm/keys_type.h"

#include <ctype.h>
#include <hwloc.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/cpulist.h"
#include "vmm/keys_value.h"

#define DIGITS "0123456789"

static int store_count(const struct keys_value *value, void *target, struct fail *fail)
{
	const struct keys_row *row = value->row;
	unsigned long long count = 0;

	if (value->text[strspn(value->text, DIGITS)] != '\0') {
		keys_value_refuse(value, fail, "not a whole number");
		return fail_hint(fail, "write a number from %" PRIu64 " to %" PRIu64, row->min,
				 row->max);
	}
	if (!text_number(value->text, &count) || count < row->min || count > row->max)
		return keys_value_refuse(value, fail, "must be %" PRIu64 " to %" PRIu64, row->min,
					 row->max);
	*(unsigned *)keys_value_field(value, target) = (unsigned)count;
	return 0;
}

/* The size that was probably meant by a text without a binary unit. */
static int hint_size(const struct keys_value *value, struct fail *fail)
{
	static const char letters[] = "KMGT";
	int digits = (int)strspn(value->text, DIGITS);
	const char *unit = value->text + digits + strspn(value->text + digits, " ");
	const char *letter = *unit == '\0' ? NULL : strchr(letters, toupper((unsigned char)*unit));

	if (digits == 0 || digits > 9 || (*unit != '\0' && letter == NULL))
		return fail_hint(fail, "for example: %s = %s", value->row->key,
				 value->row->example);
	/* More than four digits of GiB are more than anybody has: the old unit of libvirt's tools. */
	if (letter == NULL)
		return fail_hint(fail, "write %.*s %s", digits, value->text,
				 digits < 4 ? "GiB" : "MiB");
	return fail_hint(fail, "write %.*s %ciB", digits, value->text, *letter);
}

static int store_size(const struct keys_value *value, void *target, struct fail *fail)
{
	const struct keys_row *row = value->row;
	CLEANUP(text) char *least = size_format(row->min);
	CLEANUP(text) char *most = size_format(row->max);
	uint64_t bytes = 0;
	const char *wrong = size_parse(value->text, &bytes);

	if (wrong != NULL) {
		keys_value_refuse(value, fail, "%s", wrong);
		return hint_size(value, fail);
	}
	if (bytes < row->min || bytes > row->max)
		return keys_value_refuse(value, fail, "must be %s to %s", least, most);
	if (row->step != 0 && bytes % row->step != 0) {
		CLEANUP(text) char *step = size_format(row->step);
		CLEANUP(text)
		char *near = size_format((bytes + row->step / 2) / row->step * row->step);

		keys_value_refuse(value, fail, "not a multiple of %s", step);
		return fail_hint(fail, "write %s", near);
	}
	*(uint64_t *)keys_value_field(value, target) = bytes;
	return 0;
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcasecmp(text, *words) == 0)
			return true;
	return false;
}

static int store_boolean(const struct keys_value *value, void *target, struct fail *fail)
{
	static const char *const yes[] = { "yes", "true", "on", "1", "y", NULL };
	static const char *const no[] = { "no", "false", "off", "0", "n", NULL };
	bool is_yes = strcmp(value->text, "yes") == 0;

	if (!is_yes && strcmp(value->text, "no") != 0) {
		keys_value_refuse(value, fail, "must be yes or no");
		if (is_one_of(value->text, yes))
			return fail_hint(fail, "write yes");
		return is_one_of(value->text, no) ? fail_hint(fail, "write no") : -1;
	}
	*(bool *)keys_value_field(value, target) = is_yes;
	return 0;
}

static int store_choice(const struct keys_value *value, void *target, struct fail *fail)
{
	const char *const *choices = value->row->choices;
	CLEANUP(text) char *all = NULL;
	const char *nearest;

	for (unsigned i = 0; choices[i] != NULL; i++) {
		if (strcmp(value->text, choices[i]) == 0) {
			/* Every enum here is an unsigned to the compiler; the table orders the words. */
			memcpy(keys_value_field(value, target), &i, sizeof i);
			return 0;
		}
		text_join(&all, ", ", choices[i]);
	}
	keys_value_refuse(value, fail, "must be one of: %s", all);
	for (nearest = NULL; nearest == NULL && *choices != NULL; choices++)
		nearest = text_starts(*choices, value->text) ? *choices : NULL;
	if (nearest == NULL)
		nearest = text_nearest(value->text, value->row->choices);
	return nearest == NULL ? -1 : fail_hint(fail, "write %s", nearest);
}

/* "2 %" */
static int store_share(const struct keys_value *value, void *target, struct fail *fail)
{
	const struct keys_row *row = value->row;
	size_t digits = strspn(value->text, DIGITS);
	const char *sign = value->text + digits + strspn(value->text + digits, " ");
	CLEANUP(text) char *number = mem_strndup(value->text, digits);
	unsigned long long share = 0;

	if (digits == 0 || strcmp(sign, "%") != 0) {
		keys_value_refuse(value, fail, "not a whole number of per cent");
		return fail_hint(fail, "for example: %s = %s", row->key, row->example);
	}
	if (!text_number(number, &share) || share < row->min || share > row->max)
		return keys_value_refuse(value, fail, "must be %" PRIu64 " %% to %" PRIu64 " %%",
					 row->min, row->max);
	*(unsigned *)keys_value_field(value, target) = (unsigned)share;
	return 0;
}

static int store_cpus(const struct keys_value *value, void *target, struct fail *fail)
{
	hwloc_bitmap_t *field = keys_value_field(value, target);
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();
	const char *wrong = cpulist_parse(value->text, cpus);

	if (wrong == NULL && hwloc_bitmap_iszero(cpus))
		wrong = "no CPU is left";
	if (wrong != NULL) {
		hwloc_bitmap_free(cpus);
		keys_value_refuse(value, fail, "%s", wrong);
		return fail_hint(fail, "for example: %s = %s", value->row->key,
				 value->row->example);
	}
	hwloc_bitmap_free(*field);
	*field = cpus;
	return 0;
}

static int store_cpus_or_auto(const struct keys_value *value, void *target, struct fail *fail)
{
	hwloc_bitmap_t *field = keys_value_field(value, target);

	if (strcmp(value->text, "auto") != 0)
		return store_cpus(value, target, fail);
	hwloc_bitmap_free(*field);
	*field = NULL;
	return 0;
}

const struct keys_type keys_type_count = { "whole number", store_count };
const struct keys_type keys_type_size = { "size with a unit (MiB, GiB, TiB)", store_size };
const struct keys_type keys_type_share = { "per cent", store_share };
const struct keys_type keys_type_boolean = { "yes | no", store_boolean };
const struct keys_type keys_type_choice = { "one word of a list", store_choice };
const struct keys_type keys_type_cpus = { "CPU list", store_cpus };
const struct keys_type keys_type_cpus_or_auto = { "auto | CPU list", store_cpus_or_auto };
