// SPDX-License-Identifier: MIT
#include "vmm/cpulist.h"

#include <stdbool.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

enum {
	MOST_INDEX = 65535
};

static const char *read_index(const char *text, unsigned *ret)
{
	unsigned long long number;

	if (!text_number(text, &number))
		return "not a list of numbers such as 0-3,8";
	if (number > MOST_INDEX)
		return "a number that no CPU has";
	*ret = (unsigned)number;
	return NULL;
}

/* "3", "0-3", or "^2". */
static const char *read_item(char *item, hwloc_bitmap_t cpus)
{
	bool out = *item == '^';
	char *dash = out ? NULL : strchr(item, '-');
	const char *wrong;
	unsigned first, last;

	if (dash != NULL)
		*dash++ = '\0';
	wrong = read_index(text_trim(item + out), &first);
	if (wrong != NULL)
		return wrong;
	last = first;
	if (dash != NULL)
		wrong = read_index(text_trim(dash), &last);
	if (wrong == NULL && last < first)
		wrong = "a range that ends before it starts";
	if (wrong != NULL)
		return wrong;
	if (out)
		hwloc_bitmap_clr(cpus, first);
	else
		hwloc_bitmap_set_range(cpus, first, (int)last);
	return NULL;
}

const char *cpulist_parse(const char *text, hwloc_bitmap_t cpus)
{
	CLEANUP(text) char *copy = mem_strdup(text);
	hwloc_bitmap_t these = hwloc_bitmap_alloc();
	const char *wrong = NULL;
	char *rest = copy;
	char *item;

	while (wrong == NULL && (item = strsep(&rest, ",")) != NULL)
		wrong = read_item(text_trim(item), these);
	if (wrong == NULL)
		hwloc_bitmap_or(cpus, cpus, these);
	hwloc_bitmap_free(these);
	return wrong;
}
