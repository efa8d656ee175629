// SPDX-License-Identifier: MIT
/* Fuzzes the reader of logs: the same whatever the blocks are, printable, bounded. */
#include "tests/fuzz/must.h"
#include "vmm/base/text.h"
#include "vmm/explain.h"

static void check_text(const char *text, size_t most)
{
	CLEANUP(text) char *printable = text_printable(text, 0);

	must(text_equal(text, printable), "text that is not printable");
	must(strlen(text) <= most, "text without bounds");
}

static void check_same(const struct explain *a, const struct explain *b)
{
	must(a->count == b->count && a->lines == b->lines && a->more == b->more,
	     "another result by other blocks");
	for (size_t i = 0; i < a->count; i++)
		must(a->findings[i].row == b->findings[i].row &&
			     a->findings[i].line == b->findings[i].line &&
			     a->findings[i].count == b->findings[i].count &&
			     text_equal(a->findings[i].text, b->findings[i].text),
		     "another finding by other blocks");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	CLEANUP(explain) struct explain *whole = explain_new();
	CLEANUP(explain) struct explain *bytes = explain_new();
	uint64_t before = 0;

	explain_read(whole, (const char *)data, length);
	explain_end(whole);
	for (size_t i = 0; i < length; i++)
		explain_read(bytes, (const char *)data + i, 1);
	explain_end(bytes);
	check_same(whole, bytes);
	must(whole->count <= EXPLAIN_MOST_FINDINGS, "more findings than there may be");
	for (size_t i = 0; i < whole->count; i++) {
		const struct explain_finding *finding = &whole->findings[i];

		check_text(finding->text, EXPLAIN_MOST_TEXT);
		check_text(finding->cause, 1024);
		check_text(finding->next, 1024);
		must(finding->line >= before && finding->line <= finding->last_line &&
			     finding->last_line <= whole->lines && finding->count > 0,
		     "a line that is none");
		before = finding->line;
	}
	return 0;
}
