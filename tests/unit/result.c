// SPDX-License-Identifier: MIT
#include "vmm/cli/result.h"

#include <stdio.h>

#include "tests/unit/scratch.h"

/* What is noted on standard error. The caller frees. */
static char *note_of(size_t not_checked)
{
	const struct launch launch = { .not_checked = not_checked };
	FILE *before = stderr;
	char *text = NULL;
	size_t length = 0;

	stderr = open_memstream(&text, &length);
	result_note_not_checked(&launch);
	fclose(stderr);
	stderr = before;
	return text;
}

static void what_is_not_checked_is_noted(void **state)
{
	static const struct {
		size_t not_checked;
		const char *note;
	} cases[] = {
		{ 0, "" },
		{ 1, "Not checked for holders of a GPU: 1 process that only root can see\n" },
		{ 2, "Not checked for holders of a GPU: 2 processes that only root can see\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *note = note_of(cases[i].not_checked);

		assert_string_equal(note, cases[i].note);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_not_checked_is_noted) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
