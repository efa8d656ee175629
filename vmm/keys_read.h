/* SPDX-License-Identifier: MIT */
/* An INI file read by its table: every section and key is known, written once, and well-formed. */
#ifndef GPUVM_VMM_KEYS_READ_H
#define GPUVM_VMM_KEYS_READ_H

#include "vmm/base/cleanup.h"
#include "vmm/ini.h"
#include "vmm/keys_value.h"

/* A section that the file has, or a part of it that is all defaults. */
struct keys_part {
	const struct keys_section *row;
	char *label;     /* "[gpu:second]", owned */
	unsigned line;   /* 0: not written */
	size_t position; /* as keys_table.add() returned it */
	bool is_guess; /* an unknown section, refused already, that is probably this one misspelt */
	bool is_repeated;          /* written before: refused already */
	struct keys_value *values; /* the written ones, and guesses; texts borrowed from the ini */
	size_t value_count;
};

struct keys_parts {
	struct keys_part *items;
	size_t count;
};

/*
 * Fills @whole from @ini by @table: written values, their lines, and the defaults of what is not written.
 * Every error is a FAIL_SPEC item, unsorted; a field whose value was refused stays as it was. @ini may have
 * been refused in part: its errors are in @fail, and all others come to them. *@ret_parts is always set, for
 * checks of values against each other; it borrows from @ini and @directory. Release with keys_parts_done().
 */
int keys_read(const struct keys_table *table, const struct ini *ini, const char *directory,
	      void *whole, struct keys_parts *ret_parts, struct fail *fail);
void keys_parts_done(struct keys_parts *parts);

static inline void keys_parts_cleanup(struct keys_parts *parts)
{
	keys_parts_done(parts);
}

/* The value written for @key in @part, or NULL. Guesses do not count. */
const struct keys_value *keys_read_value(const struct keys_part *part, const char *key);

/* The value written for @key in the section @name that cannot be repeated, or NULL. */
const struct keys_value *keys_read_find(const struct keys_parts *parts, const char *name,
					const char *key);

#endif
