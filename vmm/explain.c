// SPDX-License-Identifier: MIT
#include "vmm/explain.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/explain_internal.h"
#include "vmm/log.h"

#define BEFORE ((size_t)120) /* bytes of a long line shown before its message */

static const struct explain_row *const tables[] = { explain_qemu_rows, explain_libvirt_rows,
						    explain_kernel_rows, explain_guest_rows };

const struct explain_row *explain_row(size_t at)
{
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (const struct explain_row *row = tables[i]; row->id != NULL; row++)
			if (at-- == 0)
				return row;
	return NULL;
}

struct explain *explain_new(void)
{
	return mem_alloc(1, sizeof(struct explain));
}

static void finding_done(struct explain_finding *finding)
{
	free(finding->text);
	free(finding->cause);
	free(finding->next);
}

void explain_free(struct explain *explain)
{
	if (explain == NULL)
		return;
	for (size_t i = 0; i < explain->count; i++)
		finding_done(&explain->findings[i]);
	free(explain->findings);
	free(explain);
}

/* Enough of a printable line to know it again, the message at @at in any case. */
static char *shown(const char *line, const char *at)
{
	bool is_cut = strlen(line) > EXPLAIN_MOST_TEXT && (size_t)(at - line) > BEFORE;
	const char *from = is_cut ? at - BEFORE : line;
	CLEANUP(text) char *part = NULL;

	while (is_cut && from < at && ((unsigned char)*from & 0xc0) == 0x80)
		from++;
	part = text_format("%s%s", is_cut ? "..." : "", from);
	/* Tabs would be shown as \x09. */
	for (char *byte = part; *byte != '\0'; byte++)
		if (*byte == '\t')
			*byte = ' ';
	return text_printable(part, EXPLAIN_MOST_TEXT);
}

static struct explain_finding *same(struct explain *explain, const struct explain_row *row,
				    const char *cause, const char *next)
{
	for (size_t i = 0; i < explain->count; i++)
		if (explain->findings[i].row == row &&
		    text_equal(explain->findings[i].cause, cause) &&
		    text_equal(explain->findings[i].next, next))
			return &explain->findings[i];
	return NULL;
}

static void found(struct explain *explain, const struct explain_row *row, const char *pattern,
		  const char *line, const char *at, const struct explain_words *words)
{
	CLEANUP(text) char *cause = explain_fill(row->cause, words);
	CLEANUP(text) char *next = explain_fill(row->next, words);
	struct explain_finding *finding = same(explain, row, cause, next);

	if (finding == NULL && explain->count == EXPLAIN_MOST_FINDINGS) {
		explain->more++;
		return;
	}
	if (finding == NULL) {
		finding = MEM_APPEND(explain->findings, explain->count);
		finding->row = row;
		finding->pattern = pattern;
		finding->line = explain->lines;
		finding->text = shown(line, at);
		finding->cause = STEAL(cause);
		finding->next = STEAL(next);
	}
	/* The pieces of a line overlap. */
	finding->count += finding->last_line != explain->lines;
	finding->last_line = explain->lines;
}

/* What stands at one place is one message: it means what the first of the rows says that knows it. */
static bool is_told(const char *const *told, size_t count, const char *at)
{
	for (size_t i = 0; i < count; i++)
		if (told[i] == at)
			return true;
	return false;
}

static void look(struct explain *explain)
{
	CLEANUP(text) char *line = log_printable(explain->held, explain->held_bytes);
	const char *told[EXPLAIN_MOST_FINDINGS];
	const struct explain_row *row;
	size_t count = 0;

	explain->lines += !explain->is_piece;
	for (size_t i = 0; (row = explain_row(i)) != NULL; i++) {
		for (size_t j = 0; j < EXPLAIN_MOST_PATTERNS && row->patterns[j] != NULL; j++) {
			struct explain_words words;
			const char *at = explain_match(row->patterns[j], line, &words);

			if (at == NULL || is_told(told, count, at))
				continue;
			found(explain, row, row->patterns[j], line, at, &words);
			if (count < EXPLAIN_MOST_FINDINGS)
				told[count++] = at;
			break;
		}
	}
}

void explain_read(struct explain *explain, const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (bytes[i] == '\n') {
			look(explain);
			explain->held_bytes = 0;
			explain->is_piece = false;
			continue;
		}
		if (explain->held_bytes == EXPLAIN_MOST_LINE) {
			look(explain);
			explain->held_bytes = EXPLAIN_MOST_MESSAGE;
			memmove(explain->held,
				explain->held + EXPLAIN_MOST_LINE - EXPLAIN_MOST_MESSAGE,
				EXPLAIN_MOST_MESSAGE);
			explain->is_piece = true;
		}
		explain->held[explain->held_bytes++] = bytes[i];
	}
}

void explain_end(struct explain *explain)
{
	bool is_more_known = false;
	size_t kept = 0;

	if (explain->held_bytes > 0)
		look(explain);
	explain->held_bytes = 0;
	explain->is_piece = false;
	for (size_t i = 0; i < explain->count; i++)
		is_more_known |= !explain->findings[i].row->is_general;
	for (size_t i = 0; i < explain->count; i++) {
		if (explain->findings[i].row->is_general && is_more_known)
			finding_done(&explain->findings[i]);
		else
			explain->findings[kept++] = explain->findings[i];
	}
	explain->count = kept;
}
