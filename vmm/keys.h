/* SPDX-License-Identifier: MIT */
/*
 * INI files read by table: a row per section and per key. The table is the only place that knows the keys;
 * the parser (keys_read.h), help, README and tests read it.
 */
#ifndef GPUVM_VMM_KEYS_H
#define GPUVM_VMM_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/fail.h"

struct keys_value; /* keys_value.h */

/* How a text becomes a field; keys_type.h has those that every file can have. */
struct keys_type {
	const char *name; /* "whole number", for people */
	/* As keys_value_store(), for a text that is not empty. */
	int (*store)(const struct keys_value *value, void *target, struct fail *fail);
};

struct keys_section {
	const char *name;
	unsigned target; /* which struct it fills, in the table's own words */
	bool repeatable; /* [gpu:second] adds another */
	bool required;
	const char *doc;
};

struct keys_row {
	const char *section, *key;
	const struct keys_type *type;
	const char *unit;     /* "bytes", or NULL */
	uint64_t min, max;    /* of counts, sizes and shares */
	uint64_t step;        /* a size must be a multiple of it; 0: any */
	const char *fallback; /* default as the user would write it; NULL: none */
	bool required;
	const char *const *choices; /* of keys_type_choice, NULL-terminated */
	size_t offset;              /* of the field in its struct; of the first, if there are two */
	size_t line_offset;         /* of the field for its line; 0: none */
	const char *example;
	const char *doc; /* one line */
};

struct keys_table {
	const struct keys_section *sections; /* ended by one without name */
	const struct keys_row *rows;         /* ended by one without key */
	const char *start; /* what such a file starts with: "a spec starts with [vm]" */
	/*
	 * Adds to @whole what a section like @section fills, and returns its position there; then where
	 * it is now. Both NULL: every section fills @whole.
	 */
	size_t (*add)(void *whole, const struct keys_section *section, const char *label,
		      unsigned line);
	void *(*target)(void *whole, const struct keys_section *section, size_t position);
};

/* The row, or NULL. */
const struct keys_section *keys_section(const struct keys_table *table, const char *name);
const struct keys_row *keys_find(const struct keys_table *table, const char *section,
				 const char *key);

/* The row that an unknown section or key is probably a misspelling of, or NULL. */
const struct keys_section *keys_nearest_section(const struct keys_table *table, const char *name);
const struct keys_row *keys_nearest(const struct keys_table *table, const char *section,
				    const char *key);

/*
 * Completes @fail's newest item: which section is meant by the unknown @name, of which @label (":second"
 * or "") was cut off. Returns -1.
 */
int keys_hint_section(const struct keys_table *table, const char *name, const char *label,
		      struct fail *fail);

/* The same for an unknown @key in @section, which is known. */
int keys_hint_key(const struct keys_table *table, const char *section, const char *key,
		  struct fail *fail);

#endif
