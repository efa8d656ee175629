/* SPDX-License-Identifier: MIT */
/*
 * What the messages of libvirt, QEMU, OVMF, the kernel and GPU drivers mean for a VM with a GPU: known messages, looked
 * for in logs that anybody may have written. Memory is bounded whatever the log holds.
 */
#ifndef GPUVM_VMM_EXPLAIN_H
#define GPUVM_VMM_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/cleanup.h"

#define EXPLAIN_MOST_PATTERNS 5
#define EXPLAIN_MOST_FINDINGS ((size_t)64)
#define EXPLAIN_MOST_LINE                                                                          \
	((size_t)16 << 10)                 /* bytes; what is longer is read in overlapping pieces */
#define EXPLAIN_MOST_MESSAGE ((size_t)512) /* bytes of a message that may be cut by the pieces */
#define EXPLAIN_MOST_TEXT    ((size_t)300) /* bytes of a line that a finding keeps */

/*
 * A known message. A pattern begins with at least 4 characters of text; in it {NAME} stands for one word of 1 to 64
 * characters [A-Za-z0-9._:/@+-], and * for anything (once at most). In @cause and @next {NAME} is that word, or just
 * NAME where the pattern that matched has none. Static.
 */
struct explain_row {
	const char *id; /* published in --json: never changes */
	const char *patterns[EXPLAIN_MOST_PATTERNS];
	const char *cause;  /* what it means; no full stop at its end */
	const char *next;   /* what to do: a command first, if one helps */
	const char *source; /* who prints it, and where that was seen */
	bool is_general; /* says no more than that something failed: told only if nothing else was found */
};

/* The rows of the tables, one after the other; NULL behind the last. */
const struct explain_row *explain_row(size_t at);

/* The words that stood for {NAME}s. */
struct explain_words {
	struct {
		const char *name; /* borrowed from the pattern */
		size_t name_length;
		const char *word; /* borrowed from the line */
		size_t word_length;
	} words[4];
	size_t count;
};

/* Where @pattern stands in @line, or NULL; *@ret_words is set if it does. Time: at most 64 times the line's length. */
const char *explain_match(const char *pattern, const char *line, struct explain_words *ret_words);

/* @text with its {NAME}s replaced. The caller frees. */
char *explain_fill(const char *text, const struct explain_words *words);

/* One message that was recognised, and how often. Texts are owned and safe to print. */
struct explain_finding {
	const struct explain_row *row;
	const char *pattern;      /* of @row */
	uint64_t line, last_line; /* 1.. */
	uint64_t count;           /* of lines with the same cause and next step */
	char *text;               /* of the first line, around the message */
	char *cause, *next;
};

struct explain {
	struct explain_finding
		*findings; /* in the order of their lines; at most EXPLAIN_MOST_FINDINGS */
	size_t count;
	uint64_t lines; /* that were read */
	uint64_t more;  /* lines recognised beyond those findings */
	char held[EXPLAIN_MOST_LINE];
	size_t held_bytes;
	bool is_piece; /* what is held goes on a line that was looked at in part */
};

/* An empty one. Free with explain_free(). */
struct explain *explain_new(void);
void explain_free(struct explain *explain);
CLEANUP_DEFINE(explain, struct explain, explain_free)

/* Looks at the next @count bytes of the log: any bytes, in blocks of any size. */
void explain_read(struct explain *explain, const char *bytes, size_t count);

/* The log is over: looks at a last line without an end, and drops general findings that say less than others. */
void explain_end(struct explain *explain);

#endif
