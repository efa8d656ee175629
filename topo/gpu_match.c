// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "topo/gpu.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

/* Which GPUs a spec's `match` names. */

/* "10de:2330" or "10de:" as numbers; *@ret_device is -1 for the latter. */
static bool parse_ids(const char *match, long *ret_vendor, long *ret_device)
{
	for (size_t i = 0; i < strlen(match); i++)
		if (i == 4 ? match[i] != ':' : !isxdigit((unsigned char)match[i]))
			return false;
	if (strlen(match) != 5 && strlen(match) != 9)
		return false;
	*ret_vendor = strtol(match, NULL, 16);
	*ret_device = match[5] == '\0' ? -1 : strtol(match + 5, NULL, 16);
	return true;
}

bool gpu_match_is_valid(const char *match)
{
	CLEANUP(text) char *copy = mem_strdup(match);
	const char *text = text_trim(copy);
	long vendor, device;

	if (strchr(text, ':') != NULL)
		return parse_ids(text, &vendor, &device);
	return *text != '\0';
}

/* Whether each word of @words, which is cut up, is in the card's name or its maker's. */
static bool has_words(const struct device *device, char *words)
{
	CLEANUP(text) char *vendor = device_vendor_name(device);
	CLEANUP(text) char *model = device_device_name(device);
	CLEANUP(text)
	char *name = text_format("%s\n%s", vendor == NULL ? "" : vendor,
				 model == NULL ? "" : model);
	char *word;

	while ((word = strsep(&words, " \t")) != NULL)
		if (!text_contains(name, word))
			return false;
	return true;
}

bool gpu_matches(const struct gpu *gpu, const char *match)
{
	CLEANUP(text) char *copy = mem_strdup(match);
	char *text = text_trim(copy);
	long vendor, device;

	if (!gpu_match_is_valid(text))
		return false;
	if (strcasecmp(text, "any") == 0)
		return true;
	if (parse_ids(text, &vendor, &device))
		return gpu->device->vendor_id == vendor &&
		       (device < 0 || gpu->device->device_id == device);
	return has_words(gpu->device, text);
}
