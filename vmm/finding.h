/* SPDX-License-Identifier: MIT */
/*
 * What looking at a host or a guest gave: rows with their evidence, in the order of the checks that made them. For
 * `gpuvm verify` and `gpuvm check`.
 */
#ifndef GPUVM_VMM_FINDING_H
#define GPUVM_VMM_FINDING_H

#include <stddef.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"

enum finding_state {
	FINDING_OK,
	FINDING_NOTE,    /* told, and nothing to be held against it */
	FINDING_WARNING, /* may be harmless: the row says when */
	FINDING_FAILED,
	FINDING_NOT_CHECKED, /* could not be seen by this caller, or now */
};

/* One finding. Texts are printable; those of a guest are bounded too. */
struct finding {
	const char *scope; /* "host", "guest"; static */
	const char *check; /* what was looked at: "link width"; static */
	enum finding_state state;
	char *subject;   /* "0000:81:00.0", "vCPU 3"; NULL: the whole of it */
	char *source;    /* what was read: a path, or a command in the guest; NULL: several */
	char *found;     /* what it said */
	char *expected;  /* NULL: nothing in particular */
	const char *why; /* it matters; static; NULL: not said */
	char *hint;      /* what to do next; NULL: nothing */
};

struct findings {
	char *name; /* of what was looked at, a VM's; NULL: the host's */
	struct finding *rows;
	size_t count;
};

/* None yet, of @name, which is copied. Release with findings_free(). */
struct findings *findings_begin(const char *name);
void findings_free(struct findings *findings);
CLEANUP_DEFINE(findings, struct findings, findings_free)

/* Adds a row. Texts are the caller's to set; @subject is copied, NULL if none. Borrows until the next is added. */
struct finding *findings_add(struct findings *findings, enum finding_state state,
			     const char *subject);

/* Adds all of @more behind, and leaves it empty. */
void findings_move(struct findings *findings, struct findings *more);

/* How many rows are in @state. The first of them, or NULL; borrows. */
size_t findings_count(const struct findings *findings, enum finding_state state);
const struct finding *findings_first(const struct findings *findings, enum finding_state state);

#endif
