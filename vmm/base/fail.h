/* SPDX-License-Identifier: MIT */
/*
 * The failure object: what went wrong, in the user's terms, carried from the place that saw it to the
 * one place that prints it.
 *
 * A function that can fail takes `struct fail *fail` as its last argument and returns 0, or -1 with
 * @fail filled. On success @fail is untouched. Lookups return a pointer or NULL and take no @fail.
 * Initialise with `struct fail fail = { 0 };` and release with fail_done().
 */
#ifndef GPUVM_BASE_FAIL_H
#define GPUVM_BASE_FAIL_H

#include "vmm/base/cleanup.h"

#include <stddef.h>

/* Who has to act. Exit codes and names are published: they never change. */
enum fail_kind {
	FAIL_NONE,    /* exit 0 */
	FAIL_FAIL,    /* exit 1: anything else, I/O and bugs included */
	FAIL_USAGE,   /* exit 2: bad command line */
	FAIL_SPEC,    /* exit 3: the INI is wrong; a retry is useless */
	FAIL_BUSY,    /* exit 4: valid, but not now: it would fit if what is taken were freed */
	FAIL_HOST,    /* exit 5: the host lacks something, or is too small even when empty */
	FAIL_HV,      /* exit 6: libvirt refused; its text is the cause */
	FAIL_REFUSED, /* exit 7: refused by design, or the VM is another user's or tool's */
	FAIL_KINDS,
};

struct fail_kind_row {
	enum fail_kind kind;
	int exit_code;
	const char *name;  /* in --json: "busy" */
	const char *title; /* in documents: "BUSY" */
	const char *actor; /* who acts */
	const char *meaning;
};

/* The row of @kind; never NULL for a member of the enum. */
const struct fail_kind_row *fail_kind_row(enum fail_kind kind);

/* One finding. Texts are owned and may be NULL, except @what. */
struct fail_item {
	char *file;    /* the user's file, or NULL */
	unsigned line; /* 1.., 0: none */
	char *what;    /* what is wrong, in the user's words; one line, no full stop */
	char *cause;   /* the observed fact: path, value, errno, holder */
	char *hint;    /* a command or key that exists */
	const char *
		finding; /* what of `gpuvm check` tells the same, by its id; static; NULL: nothing */
};

/* All items share the kind of the first. Invariant: kind is FAIL_NONE exactly if item_count is 0. */
struct fail {
	enum fail_kind kind;
	struct fail_item *items;
	size_t item_count;
};

/*
 * Adds an item to @fail and returns -1, so that raising is one statement:
 *     return fail_add(fail, FAIL_HOST, "no IOMMU group for %s", address);
 * fail_cause, fail_hint and fail_at complete the newest item and return -1 too. @kind counts only for
 * the first item.
 */
int fail_add(struct fail *fail, enum fail_kind kind, const char *what, ...)
	__attribute__((format(printf, 3, 4)));
int fail_cause(struct fail *fail, const char *format, ...) __attribute__((format(printf, 2, 3)));
int fail_hint(struct fail *fail, const char *format, ...) __attribute__((format(printf, 2, 3)));
int fail_at(struct fail *fail, const char *file, unsigned line);

/* Names the finding (vmm/check.h) that all items are of that have none yet; -1. */
int fail_finding(struct fail *fail, const char *finding);

/* Sorts the items by line, those without a line first; keeps the order of equals. */
void fail_sort(struct fail *fail);

/* Keeps the first @most items, and says in one more how many there are beyond them. */
void fail_cap(struct fail *fail, size_t most);

/* Releases what @fail holds and makes it empty again. */
void fail_done(struct fail *fail);

static inline void fail_cleanup(struct fail *fail)
{
	fail_done(fail);
}

#endif
