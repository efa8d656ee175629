// SPDX-License-Identifier: MIT
#include "vmm/spec_value.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "topo/gpu.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/spec_resource.h"

#define NAME_MOST_BYTES 63
#define LOWER           "abcdefghijklmnopqrstuvwxyz"
#define DIGITS          "0123456789"

int spec_value_refuse(const struct spec_value *value, struct fail *fail, const char *format, ...)
{
	CLEANUP(text) char *shown = text_printable(value->text, 0);
	CLEANUP(text) char *wrong = NULL;
	va_list args;

	va_start(args, format);
	wrong = text_vformat(format, args);
	va_end(args);
	fail_add(fail, FAIL_SPEC, "%s %s =%s%s: %s", value->label, value->row->key,
		 *shown == '\0' ? "" : " ", shown, wrong);
	return fail_at(fail, value->file, value->line);
}

static void *field(const struct spec_value *value, void *target)
{
	return (char *)target + value->row->offset;
}

static void replace(char **owner, char *text)
{
	free(*owner);
	*owner = text;
}

bool spec_name_is_valid(const char *name)
{
	size_t length = strspn(name, LOWER DIGITS "._-");

	return length > 0 && name[length] == '\0' && length <= NAME_MOST_BYTES &&
	       strchr("._-", name[0]) == NULL;
}

static int store_name(const struct spec_value *value, void *target, struct fail *fail)
{
	CLEANUP(text) char *better = mem_strdup(value->text);

	if (spec_name_is_valid(value->text)) {
		replace(field(value, target), STEAL(better));
		return 0;
	}
	if (strlen(value->text) > NAME_MOST_BYTES)
		return spec_value_refuse(value, fail, "longer than %d bytes", NAME_MOST_BYTES);
	spec_value_refuse(value, fail,
			  "a name has a-z 0-9 . _ - only and starts with a letter or digit");
	for (char *at = better; *at != '\0'; at++) {
		*at = (char)tolower((unsigned char)*at);
		if (strchr(LOWER DIGITS "._-", *at) == NULL)
			*at = '-';
	}
	return spec_name_is_valid(better) ? fail_hint(fail, "write %s", better) : -1;
}

static int store_count(const struct spec_value *value, void *target, struct fail *fail)
{
	const struct spec_key_row *row = value->row;
	unsigned long long count = 0;

	if (value->text[strspn(value->text, DIGITS)] != '\0') {
		spec_value_refuse(value, fail, "not a whole number");
		return fail_hint(fail, "write a number from %" PRIu64 " to %" PRIu64, row->min,
				 row->max);
	}
	if (!text_number(value->text, &count) || count < row->min || count > row->max)
		return spec_value_refuse(value, fail, "must be %" PRIu64 " to %" PRIu64, row->min,
					 row->max);
	*(unsigned *)field(value, target) = (unsigned)count;
	return 0;
}

/* The size that was probably meant by a text without a binary unit. */
static int hint_size(const struct spec_value *value, struct fail *fail)
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

static int store_size(const struct spec_value *value, void *target, struct fail *fail)
{
	const struct spec_key_row *row = value->row;
	CLEANUP(text) char *least = size_format(row->min);
	CLEANUP(text) char *most = size_format(row->max);
	uint64_t bytes = 0;
	const char *wrong = size_parse(value->text, &bytes);

	if (wrong != NULL) {
		spec_value_refuse(value, fail, "%s", wrong);
		return hint_size(value, fail);
	}
	if (bytes < row->min || bytes > row->max)
		return spec_value_refuse(value, fail, "must be %s to %s", least, most);
	if (row->step != 0 && bytes % row->step != 0) {
		CLEANUP(text) char *step = size_format(row->step);
		CLEANUP(text)
		char *near = size_format((bytes + row->step / 2) / row->step * row->step);

		spec_value_refuse(value, fail, "not a multiple of %s", step);
		return fail_hint(fail, "write %s", near);
	}
	*(uint64_t *)field(value, target) = bytes;
	return 0;
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcasecmp(text, *words) == 0)
			return true;
	return false;
}

static int store_boolean(const struct spec_value *value, void *target, struct fail *fail)
{
	static const char *const yes[] = { "yes", "true", "on", "1", "y", NULL };
	static const char *const no[] = { "no", "false", "off", "0", "n", NULL };
	bool is_yes = strcmp(value->text, "yes") == 0;

	if (!is_yes && strcmp(value->text, "no") != 0) {
		spec_value_refuse(value, fail, "must be yes or no");
		if (is_one_of(value->text, yes))
			return fail_hint(fail, "write yes");
		return is_one_of(value->text, no) ? fail_hint(fail, "write no") : -1;
	}
	*(bool *)field(value, target) = is_yes;
	return 0;
}

static int store_choice(const struct spec_value *value, void *target, struct fail *fail)
{
	const char *const *choices = value->row->choices;
	CLEANUP(text) char *all = NULL;
	const char *nearest;

	for (unsigned i = 0; choices[i] != NULL; i++) {
		if (strcmp(value->text, choices[i]) == 0) {
			/* Every enum here is an unsigned to the compiler; spec_keys.c orders the words. */
			memcpy(field(value, target), &i, sizeof i);
			return 0;
		}
		text_join(&all, ", ", choices[i]);
	}
	spec_value_refuse(value, fail, "must be one of: %s", all);
	nearest = text_nearest(value->text, choices);
	return nearest == NULL ? -1 : fail_hint(fail, "write %s", nearest);
}

static int store_match(const struct spec_value *value, void *target, struct fail *fail)
{
	if (!gpu_match_is_valid(value->text)) {
		spec_value_refuse(
			value, fail,
			"neither vendor:device (10de:2330), nor words of a name, nor any");
		return fail_hint(fail, "see what there is: gpuvm gpus");
	}
	replace(field(value, target), mem_strdup(value->text));
	return 0;
}

int spec_value_store(const struct spec_value *value, void *target, struct fail *fail)
{
	static int (*const stores[])(const struct spec_value *, void *, struct fail *) = {
		[SPEC_NAME] = store_name,
		[SPEC_COUNT] = store_count,
		[SPEC_SIZE] = store_size,
		[SPEC_BOOLEAN] = store_boolean,
		[SPEC_CHOICE] = store_choice,
		[SPEC_MATCH] = store_match,
		[SPEC_ADDRESSES] = spec_resource_addresses,
		[SPEC_PATH] = spec_resource_path,
		[SPEC_FIRMWARE] = spec_resource_firmware,
		[SPEC_NETWORK] = spec_resource_network,
	};

	if (*value->text == '\0') {
		spec_value_refuse(value, fail, "the value is missing");
		return fail_hint(fail, "for example: %s = %s", value->row->key,
				 value->row->example);
	}
	if (stores[value->row->type](value, target, fail) == 0)
		return 0;
	if (strstr(value->text, " #") != NULL)
		fail_hint(fail, "a comment behind a value starts with ;");
	return -1;
}
