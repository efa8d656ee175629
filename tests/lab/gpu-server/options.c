// SPDX-License-Identifier: MIT
#include "tests/lab/gpu-server/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The number that @text begins with, all digits of @base; what follows it is *ret_rest. */
static bool read_number(const char *text, int base, uint64_t max, uint64_t *ret_number,
			const char **ret_rest)
{
	const char *digits = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";
	char *end;

	if (*text == '\0' || strchr(digits, *text) == NULL)
		return false;
	errno = 0;
	*ret_number = strtoull(text, &end, base);
	*ret_rest = end;
	/* strtoull() takes 0x. */
	return errno == 0 && *ret_number <= max && memchr(text, 'x', (size_t)(end - text)) == NULL;
}

static bool read_whole(const char *text, int base, uint64_t max, uint64_t *ret_number)
{
	const char *rest;

	return read_number(text, base, max, ret_number, &rest) && *rest == '\0';
}

static bool read_pair(const char *text, int base, uint64_t max, char between, uint64_t *ret_first,
		      uint64_t *ret_second)
{
	const char *rest;

	return read_number(text, base, max, ret_first, &rest) && *rest == between &&
	       read_whole(rest + 1, base, max, ret_second);
}

static bool read_ids(const char *text, uint16_t *ret_vendor, uint16_t *ret_device)
{
	uint64_t vendor, device;

	if (!read_pair(text, 16, 0xffff, ':', &vendor, &device))
		return false;
	*ret_vendor = (uint16_t)vendor;
	*ret_device = (uint16_t)device;
	return true;
}

static bool set_id(struct options *options, const char *value)
{
	return read_ids(value, &options->shape.vendor, &options->shape.device);
}

static bool set_subsystem(struct options *options, const char *value)
{
	return read_ids(value, &options->shape.subvendor, &options->shape.subdevice);
}

static bool set_class(struct options *options, const char *value)
{
	size_t digits = strlen(value);
	uint64_t code;

	if ((digits != 4 && digits != 6) || !read_whole(value, 16, 0xffffff, &code))
		return false;
	options->shape.class_code = (uint32_t)(digits == 4 ? code << 8 : code);
	return true;
}

static bool set_revision(struct options *options, const char *value)
{
	uint64_t revision;

	if (!read_whole(value, 16, 0xff, &revision))
		return false;
	options->shape.revision = (uint8_t)revision;
	return true;
}

static bool read_bytes(const char *text, uint64_t *ret_bytes, const char **ret_rest)
{
	const char *const units = "KMG", *unit;

	if (!read_number(text, 10, 1u << 20, ret_bytes, ret_rest))
		return false;
	unit = **ret_rest == '\0' ? NULL : strchr(units, **ret_rest);
	if (unit != NULL) {
		*ret_bytes <<= 10 * (unit - units + 1);
		++*ret_rest;
	}
	return true;
}

static bool set_bar(struct options *options, const char *value)
{
	static const struct {
		const char *name;
		struct gpu_bar bar;
	} kinds[] = {
		{ "io", { .is_io = true } },
		{ "32", { 0 } },
		{ "32t", { .is_trapped = true } },
		{ "64", { .is_64bit = true } },
		{ "64t", { .is_64bit = true, .is_trapped = true } },
		{ "64p", { .is_64bit = true, .is_prefetchable = true } },
		{ "64pt", { .is_64bit = true, .is_prefetchable = true, .is_trapped = true } },
	};
	uint64_t index, bytes;

	if (!read_number(value, 10, GPU_BARS - 1, &index, &value) || *value != ':' ||
	    !read_bytes(value + 1, &bytes, &value) || *value != ':')
		return false;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (strcmp(value + 1, kinds[i].name) != 0)
			continue;
		options->shape.bars[index] = kinds[i].bar;
		options->shape.bars[index].length = bytes;
		return true;
	}
	return false;
}

static bool set_serial(struct options *options, const char *value)
{
	return read_whole(value, 16, UINT64_MAX, &options->shape.serial) &&
	       options->shape.serial != 0;
}

static bool read_link(const char *value, unsigned *ret_generation, unsigned *ret_lanes)
{
	uint64_t generation, lanes;

	if (!read_pair(value, 10, 32, 'x', &generation, &lanes))
		return false;
	*ret_generation = (unsigned)generation;
	*ret_lanes = (unsigned)lanes;
	return true;
}

static bool set_link(struct options *options, const char *value)
{
	return read_link(value, &options->shape.link_generation, &options->shape.link_lanes);
}

static bool set_max_link(struct options *options, const char *value)
{
	return read_link(value, &options->shape.max_link_generation,
			 &options->shape.max_link_lanes);
}

static bool read_count(const char *value, unsigned *ret_count)
{
	uint64_t count;

	if (!read_whole(value, 10, 1u << 16, &count))
		return false;
	*ret_count = (unsigned)count;
	return true;
}

static bool set_pin(struct options *options, const char *value)
{
	return read_count(value, &options->shape.interrupt_pin);
}

static bool set_msi(struct options *options, const char *value)
{
	return read_count(value, &options->shape.msi_vectors);
}

static bool set_msix(struct options *options, const char *value)
{
	return read_count(value, &options->shape.msix_vectors);
}

static bool set_socket(struct options *options, const char *value)
{
	options->socket = value;
	return true;
}

static bool set_control(struct options *options, const char *value)
{
	options->control = value;
	return true;
}

static const struct {
	const char *name;
	bool (*set)(struct options *options, const char *value);
} table[] = {
	{ "--socket", set_socket }, { "--control", set_control },
	{ "--id", set_id },         { "--subsystem", set_subsystem },
	{ "--class", set_class },   { "--revision", set_revision },
	{ "--bar", set_bar },       { "--serial", set_serial },
	{ "--link", set_link },     { "--max-link", set_max_link },
	{ "--pin", set_pin },       { "--msi", set_msi },
	{ "--msix", set_msix },
};

static const char *parse_one(struct options *options, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (strcmp(name, table[i].name) != 0)
			continue;
		if (value == NULL)
			return "an option without its value";
		return table[i].set(options, value) ? NULL : "no value for this option";
	}
	return "no such option";
}

static const char *parse_ask(struct options *options, char *const *words)
{
	options->ask = words[0];
	options->words = words + 1;
	return options->ask == NULL || options->words[0] == NULL ? "--ask PATH WORD..." : NULL;
}

static void fill_in(struct gpu_shape *shape)
{
	if (shape->subvendor == 0) {
		shape->subvendor = shape->vendor;
		shape->subdevice = shape->device;
	}
	if (shape->max_link_generation == 0) {
		shape->max_link_generation = shape->link_generation;
		shape->max_link_lanes = shape->link_lanes;
	}
}

const char *options_parse(struct options *options, int count, char *const *words,
			  const char **ret_word)
{
	*options = (struct options){ .shape = { .vendor = 0x10de,
						.device = 0x2330,
						.class_code = 0x030200,
						.revision = 0xa1,
						.has_flr = true,
						.link_generation = 5,
						.link_lanes = 16 } };
	for (int i = 1; i < count; i++) {
		const char *problem;

		*ret_word = words[i];
		if (strcmp(words[i], "--ask") == 0)
			return i == 1 ? parse_ask(options, words + 2) : "--ask stands alone";
		if (strcmp(words[i], "--no-flr") == 0) {
			options->shape.has_flr = false;
			continue;
		}
		problem = parse_one(options, words[i], words[i + 1]);
		if (problem != NULL)
			return problem;
		i++;
	}
	*ret_word = NULL;
	if (options->socket == NULL || options->control == NULL)
		return "--socket and --control are needed";
	fill_in(&options->shape);
	return gpu_shape_problem(&options->shape);
}
