/* SPDX-License-Identifier: MIT */
/* A spec that is being written: the values that were chosen, and its text with a comment per key of the table. */
#ifndef GPUVM_CLI_INIT_DRAFT_H
#define GPUVM_CLI_INIT_DRAFT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"

struct init_value {
	const char *section, *key; /* of the table; static */
	char *text;
	bool is_given; /* by an option or an answer; else it is init's own choice */
};

struct init_draft {
	struct init_value *values;
	size_t count;
};

void init_draft_done(struct init_draft *draft);

static inline void init_draft_cleanup(struct init_draft *draft)
{
	init_draft_done(draft);
}

/*
 * Whether a spec can say key = @text, as the spec's own reader has it: FAIL_USAGE with what is wrong. A value that the
 * reader would not get whole (a line's end, a comment in it) is refused too.
 */
int init_draft_check(const char *section, const char *key, const char *text, struct fail *fail);

/* Sets @key, or replaces it. @text NULL: takes it out. It was checked, or is the program's own. */
void init_draft_set(struct init_draft *draft, const char *section, const char *key,
		    const char *text, bool is_given);

/* What is set, or NULL. */
const struct init_value *init_draft_find(const struct init_draft *draft, const char *section,
					 const char *key);
const char *init_draft_get(const struct init_draft *draft, const char *section, const char *key);

/*
 * The spec: every section and key of the table, each under its doc; what is not set is commented out, with its
 * default or an example. The caller frees.
 */
char *init_draft_text(const struct init_draft *draft);

/* What is set: section, key, value, given. New array. */
json_t *init_draft_json(const struct init_draft *draft);

#endif
