// SPDX-License-Identifier: MIT
#include "vmm/keys.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

/* A list of borrowed words, as text_nearest() wants it. */
CLEANUP_DEFINE(words, const char *, free)

const struct keys_section *keys_section(const struct keys_table *table, const char *name)
{
	for (const struct keys_section *row = table->sections; row->name != NULL; row++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

const struct keys_row *keys_find(const struct keys_table *table, const char *section,
				 const char *key)
{
	for (const struct keys_row *row = table->rows; row->key != NULL; row++)
		if (strcmp(row->section, section) == 0 && strcmp(row->key, key) == 0)
			return row;
	return NULL;
}

const struct keys_section *keys_nearest_section(const struct keys_table *table, const char *name)
{
	CLEANUP(words) const char **names = NULL;
	size_t count = 0;
	const char *nearest;

	for (const struct keys_section *row = table->sections; row->name != NULL; row++)
		*MEM_APPEND(names, count) = row->name;
	*MEM_APPEND(names, count) = NULL;
	nearest = text_nearest(name, names);
	return nearest == NULL ? NULL : keys_section(table, nearest);
}

int keys_hint_section(const struct keys_table *table, const char *name, const char *label,
		      struct fail *fail)
{
	const struct keys_section *nearest = keys_nearest_section(table, name);
	CLEANUP(text) char *all = NULL;
	CLEANUP(text) char *shown = text_printable(label, 0);

	if (nearest != NULL)
		return fail_hint(fail, "write [%s%s]", nearest->name,
				 nearest->repeatable ? shown : "");
	for (const struct keys_section *row = table->sections; row->name != NULL; row++)
		text_add(&all, "%s[%s]", all == NULL ? "" : ", ", row->name);
	return fail_hint(fail, "the sections are %s", all);
}

/* The first row with @key, of any section. */
static const struct keys_row *find_anywhere(const struct keys_table *table, const char *key)
{
	const struct keys_row *row = table->rows;

	while (row->key != NULL && strcmp(row->key, key) != 0)
		row++;
	return row->key == NULL ? NULL : row;
}

/* The key nearest to @key among those of @section, or among those of all others. */
static const struct keys_row *nearest_key(const struct keys_table *table, const char *section,
					  bool others, const char *key)
{
	CLEANUP(words) const char **names = NULL;
	size_t count = 0;
	const char *nearest;

	for (const struct keys_row *row = table->rows; row->key != NULL; row++)
		if ((strcmp(row->section, section) == 0) != others)
			*MEM_APPEND(names, count) = row->key;
	*MEM_APPEND(names, count) = NULL;
	nearest = text_nearest(key, names);
	if (nearest == NULL)
		return NULL;
	return others ? find_anywhere(table, nearest) : keys_find(table, section, nearest);
}

const struct keys_row *keys_nearest(const struct keys_table *table, const char *section,
				    const char *key)
{
	return find_anywhere(table, key) != NULL ? NULL : nearest_key(table, section, false, key);
}

int keys_hint_key(const struct keys_table *table, const char *section, const char *key,
		  struct fail *fail)
{
	const struct keys_row *home = find_anywhere(table, key);
	const struct keys_row *own = keys_nearest(table, section, key);
	const struct keys_row *other = nearest_key(table, section, true, key);
	CLEANUP(text) char *all = NULL;

	if (home != NULL)
		return fail_hint(fail, "%s belongs to [%s]", key, home->section);
	if (own != NULL)
		return fail_hint(fail, "write %s", own->key);
	if (other != NULL)
		return fail_hint(fail, "write %s, in [%s]", other->key, other->section);
	for (const struct keys_row *row = table->rows; row->key != NULL; row++)
		if (strcmp(row->section, section) == 0)
			text_join(&all, ", ", row->key);
	return fail_hint(fail, "the keys of [%s] are %s", section, all);
}
