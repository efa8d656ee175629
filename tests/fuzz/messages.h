/* SPDX-License-Identifier: MIT */
/* For fuzz drivers: what holds for the messages of every reader of INI files. */
#ifndef GPUVM_TESTS_FUZZ_MESSAGES_H
#define GPUVM_TESTS_FUZZ_MESSAGES_H

#include "tests/fuzz/must.h"
#include "vmm/base/fail.h"
#include "vmm/base/text.h"

static inline void messages_check_text(const char *text)
{
	CLEANUP(text) char *printable = text == NULL ? NULL : text_printable(text, 0);

	if (!text_equal(text, printable))
		must(0, printable);
}

/* What fail_cap() ends with is about the whole file. */
static inline bool messages_is_remainder(const struct fail *fail, size_t i)
{
	return i + 1 == fail->item_count && fail->items[i].line == 0 &&
	       text_starts(fail->items[i].what, "and ");
}

/* Every refusal is a message that can be shown, in the order of the lines; or there is none. */
static inline void messages_check(const struct fail *fail, int result)
{
	must((result < 0) == (fail->item_count > 0), "the result and the messages differ");
	for (size_t i = 0; i < fail->item_count; i++) {
		must(i == 0 || fail->items[i - 1].line <= fail->items[i].line ||
			     messages_is_remainder(fail, i),
		     "unsorted");
		must(fail->items[i].file != NULL, "a message without a file");
		messages_check_text(fail->items[i].what);
		messages_check_text(fail->items[i].cause);
		messages_check_text(fail->items[i].hint);
	}
}

#endif
