// SPDX-License-Identifier: MIT
/* What a manual page's text becomes in roff (groff_man(7), groff_char(7)). */
#include "vmm/cli/man_page.h"

#include <stdio.h>

#include "tests/unit/scratch.h"

/* The lines of a paragraph of @text. The caller frees. */
static char *paragraph_of(const char *text)
{
	FILE *before = stdout;
	char *lines = NULL;
	size_t length = 0;

	stdout = open_memstream(&lines, &length);
	man_page_paragraph(text);
	fclose(stdout);
	stdout = before;
	return lines;
}

static void text_stands_for_itself(void **state)
{
	static const struct {
		const char *text, *roff;
	} cases[] = {
		{ "two  words\n", "two words\n" },
		{ ".ini is no request", "\\&.ini is no request\n" },
		{ "a \\fB of its own", "a \\efB of its own\n" },
		{ "--json", "\\-\\-json\n" },
		{ "'tis `so` \"here\"", "\\(aqtis \\(gaso\\(ga \\(dqhere\\(dq\n" },
		{ "~/.ssh ^]", "\\(ti/.ssh \\(ha]\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *lines = paragraph_of(cases[i].text);
		CLEANUP(text) char *expected = text_format(".PP\n%s", cases[i].roff);

		assert_string_equal(lines, expected);
	}
}

/* Where a long text is broken, the next line may begin with a dot as well. */
static void a_broken_line_begins_no_request(void **state)
{
	CLEANUP(text) char *text = NULL;
	CLEANUP(text) char *lines = NULL;

	(void)state;
	for (int i = 0; i < 40; i++)
		text_add(&text, "%s.word", i == 0 ? "" : " ");
	lines = paragraph_of(text);
	assert_null(strstr(lines + strlen(".PP\n"), "\n."));
	assert_non_null(strstr(lines, "\n\\&.word"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_stands_for_itself),
		cmocka_unit_test(a_broken_line_begins_no_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
