// SPDX-License-Identifier: MIT
/* Fuzzes what edits GRUB's settings: a second time changes nothing, and text without old words is as it was. */
#include "tests/fuzz/must.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/setup_words.h"

static const char *const ids[] = { "10de:2330", NULL };
static const struct setup_words_rule rule = { .drops_gib_pages = true, .ids = ids };

static void check_words(const char *words)
{
	CLEANUP(text) char *once = setup_words_filter(words, &rule);
	CLEANUP(text) char *twice = setup_words_filter(once, &rule);
	CLEANUP(text) char *more = setup_words_add(once, "hugepagesz=1G");

	must(strlen(once) <= strlen(words), "more words than there were");
	must(text_equal(once, twice), "another result the second time");
	must(strlen(more) > strlen(once), "nothing was added");
}

static void check_shell(const char *text)
{
	unsigned line = 0;
	CLEANUP(text) char *once = setup_words_filter_shell(text, &rule, &line);
	CLEANUP(text) char *values = setup_words_of_shell(text);
	CLEANUP(text) char *twice = NULL;

	must((once == NULL) == (line > 0) && (once == NULL) == (values == NULL), "no line said");
	if (once == NULL)
		return;
	twice = setup_words_filter_shell(once, &rule, &line);
	must(text_equal(once, twice), "another file the second time");
	must(strlen(once) <= strlen(text), "a longer file");
	must(strstr(text, "GRUB_CMDLINE_LINUX") != NULL || text_equal(once, text),
	     "a change of what is not ours");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	CLEANUP(text) char *text = mem_strndup((const char *)data, length);

	check_words(text);
	check_shell(text);
	return 0;
}
