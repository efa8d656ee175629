// SPDX-License-Identifier: MIT
#include "vmm/ini.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

/* What was read, a line each: "1 [vm]", "2 vm|name=train", "!" behind what is only a guess. */
static char *dump(const struct ini *ini)
{
	char *text = mem_strdup("");

	for (size_t i = 0; i < ini->section_count; i++)
		text_add(&text, "%u [%s]%s\n", ini->sections[i].line, ini->sections[i].name,
			 ini->sections[i].is_malformed ? "!" : "");
	for (size_t i = 0; i < ini->entry_count; i++) {
		const struct ini_entry *entry = &ini->entries[i];

		text_add(&text, "%u %s|%s=%s%s\n", entry->line,
			 entry->section == INI_NO_SECTION ? "" : ini->sections[entry->section].name,
			 entry->key, entry->value, entry->is_malformed ? "!" : "");
	}
	return text;
}

/* Where something was refused: "2 7 ". */
static char *refused(const struct fail *fail)
{
	char *text = mem_strdup("");

	for (size_t i = 0; i < fail->item_count; i++)
		text_add(&text, "%u ", fail->items[i].line);
	return text;
}

struct text_case {
	const char *about, *text;
	size_t length; /* 0: strlen */
	const char *dump, *refused;
};

#define TEXT(literal) .text = (literal), .length = sizeof(literal) - 1
#define TEN           "0123456789"
#define FIFTY         TEN TEN TEN TEN TEN
#define NAME_49       TEN TEN TEN TEN "012345678"

static const struct text_case text_cases[] = {
	{ .about = "pairs and sections",
	  TEXT("[a]\nx = 1\n\n[b:c]\ny=2\nz =\n"),
	  .dump = "1 [a]\n4 [b:c]\n2 a|x=1\n5 b:c|y=2\n6 b:c|z=\n" },
	{ .about = "no newline at the end", TEXT("[a]\nx = 1"), .dump = "1 [a]\n2 a|x=1\n" },
	{ .about = "an empty section is seen", TEXT("[a]\n[b]\n"), .dump = "1 [a]\n2 [b]\n" },
	{ .about = "CR LF", TEXT("[a]\r\nx = 1\r\n"), .dump = "1 [a]\n2 a|x=1\n" },
	{ .about = "CR at the end of the file",
	  TEXT("[a]\r\nx = 1\r"),
	  .dump = "1 [a]\n2 a|x=1\n" },
	{ .about = "byte order mark",
	  TEXT("\xef\xbb\xbf[a]\nx = 1\n"),
	  .dump = "1 [a]\n2 a|x=1\n" },
	{ .about = "comments",
	  TEXT("; c = 1\n# d = 2\n  ; e = 3\n[a] ; f\nx = 1 ; g = 4\ny = a;b\nz = ;\n[b];\n"),
	  .dump = "4 [a]\n8 [b]\n5 a|x=1\n6 a|y=a;b\n7 a|z=\n" },
	{ .about = "the value has a separator",
	  TEXT("[a]\nx = b=c:d\n"),
	  .dump = "1 [a]\n2 a|x=b=c:d\n" },
	{ .about = "before any section", TEXT("x = 1\n"), .dump = "1 |x=1\n" },
	{ .about = "UTF-8",
	  TEXT("[a]\nx = gr\xc3\xbc\xc3\x9f\n"),
	  .dump = "1 [a]\n2 a|x=gr\xc3\xbc\xc3\x9f\n" },
	{ .about = "an indented line is no second value",
	  TEXT("[a]\nx = 1\n  y = 2\n"),
	  .dump = "1 [a]\n2 a|x=1\n3 a|y=!\n",
	  .refused = "3 " },
	{ .about = "an indented header",
	  TEXT("\t[a]\nx = 1\n"),
	  .dump = "1 [a]!\n2 a|x=1\n",
	  .refused = "1 " },
	{ .about = "colon",
	  TEXT("[a]\nx: 1\ny:z = 2\n"),
	  .dump = "1 [a]\n2 a|x=!\n3 a|y=!\n",
	  .refused = "2 3 " },
	{ .about = "a NUL byte",
	  TEXT("[a]\nx = 1\0 2\ny = 3\n"),
	  .dump = "1 [a]\n2 a|x=!\n3 a|y=3\n",
	  .refused = "2 " },
	{ .about = "a NUL byte at the start",
	  TEXT("\0[a]\n[b]\n"),
	  .dump = "2 [b]\n",
	  .refused = "1 " },
	{ .about = "no UTF-8",
	  TEXT("[a]\nx = \xff\n[\xc0\x80]\n"),
	  .dump = "1 [a]\n3 [\xc0\x80]!\n2 a|x=!\n",
	  .refused = "2 3 " },
	{ .about = "control characters",
	  TEXT("[a]\nx = \x1b[0m\ny = \x7f\nz = \xc2\x85\nu = \xef\xbf\xbe\n; \b\nv = a\rb\n"),
	  .dump = "1 [a]\n2 a|x=!\n3 a|y=!\n4 a|z=!\n5 a|u=!\n7 a|v=!\n",
	  .refused = "2 3 4 5 6 7 " },
	{ .about = "tabs around a value, not in it",
	  TEXT("[a]\nx\t=\t1\t; c\ny = 1\t2\n"),
	  .dump = "1 [a]\n2 a|x=1\n3 a|y=!\n",
	  .refused = "3 " },
	{ .about = "headers",
	  TEXT("[a\n[b] c\n[]\n[d ; e]\n[f]]\n"),
	  .dump = "1 [a]!\n2 [b]!\n3 []!\n4 [d]!\n5 [f]!\n",
	  .refused = "1 2 3 4 5 " },
	{ .about = "a section's name of 49 bytes",
	  TEXT("[" NAME_49 "]\n"),
	  .dump = "1 [" NAME_49 "]\n" },
	{ .about = "and of 50",
	  TEXT("[" FIFTY "]\n"),
	  .dump = "1 [" FIFTY "]!\n",
	  .refused = "1 " },
	{ .about = "no separator",
	  TEXT("[a]\nx\ny ; = 1\nz 1\n= 2\n"),
	  .dump = "1 [a]\n2 a|x=!\n3 a|y=!\n4 a|z=!\n5 a|=!\n",
	  .refused = "2 3 4 5 " },
	{ .about = "190 bytes",
	  TEXT("[a]\nx = " FIFTY FIFTY FIFTY TEN TEN TEN "012345\ny = 1\n"),
	  .dump = "1 [a]\n2 a|x=" FIFTY FIFTY FIFTY TEN TEN TEN "012345\n3 a|y=1\n" },
	{ .about = "191 bytes",
	  TEXT("[a]\nx = " FIFTY FIFTY FIFTY TEN TEN TEN "0123456\ny = 1\n"),
	  .dump = "1 [a]\n2 a|x=!\n3 a|y=1\n",
	  .refused = "2 " },
	{ .about = "the tail of a long comment is no line",
	  TEXT("[a]\n;" FIFTY FIFTY FIFTY FIFTY "x = 1\n"),
	  .dump = "1 [a]\n",
	  .refused = "2 " },
};

static void test_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof text_cases / sizeof *text_cases; i++) {
		const struct text_case *c = &text_cases[i];
		const char *expected = c->refused == NULL ? "" : c->refused;
		CLEANUP(fail) struct fail fail = { 0 };
		CLEANUP(ini) struct ini *ini = NULL;
		CLEANUP(text) char *got = NULL;
		CLEANUP(text) char *lines = NULL;
		int result = ini_parse_text("a.ini", c->text, c->length, &ini, &fail);

		if (ini == NULL)
			fail_msg("%s: not read at all", c->about);
		got = dump(ini);
		lines = refused(&fail);
		if (strcmp(got, c->dump) != 0)
			fail_msg("%s: read\n%s", c->about, got);
		if (strcmp(lines, expected) != 0 || result != (*expected == '\0' ? 0 : -1))
			fail_msg("%s: refused %s (%d)", c->about, lines, result);
		assert_memory_equal(ini->text, c->text, c->length);
	}
}

/* A file of @bytes, or a FIFO, in a folder of its own. */
struct place {
	char folder[32];
	char *path;
};

static void place_done(struct place *place)
{
	unlink(place->path);
	rmdir(place->folder);
	free(place->path);
}

static struct place place_file(const char *text, size_t length)
{
	struct place place = { .folder = "/tmp/gpuvm-ini-XXXXXX" };

	assert_non_null(mkdtemp(place.folder));
	place.path = text_format("%s/a.ini", place.folder);
	if (text == NULL) {
		assert_int_equal(mkfifo(place.path, 0600), 0);
	} else {
		FILE *file = fopen(place.path, "w");

		assert_non_null(file);
		assert_int_equal(fwrite(text, 1, length, file), length);
		assert_int_equal(fclose(file), 0);
	}
	return place;
}

static void expect_unread(const char *path, const char *what)
{
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(ini) struct ini *ini = NULL;

	assert_int_equal(ini_read(path, &ini, &fail), -1);
	assert_null(ini);
	assert_int_equal(fail.kind, FAIL_SPEC);
	assert_int_equal(fail.item_count, 1);
	assert_string_equal(fail.items[0].what, what);
	assert_string_equal(fail.items[0].file, path);
}

static void test_files(void **state)
{
	char *large = mem_alloc(INI_FILE_MOST_BYTES + 1, 1);
	struct place fifo = place_file(NULL, 0);
	struct place empty = place_file("", 0);
	struct place too_large;
	struct place utf16 = place_file("\xff\xfe[\0", 4);

	(void)state;
	memset(large, '\n', INI_FILE_MOST_BYTES + 1);
	too_large = place_file(large, INI_FILE_MOST_BYTES + 1);
	expect_unread("/tmp/gpuvm-no-such-file.ini", "no such file");
	expect_unread("/tmp", "a directory, not a file");
	expect_unread("/dev/null", "not a regular file");
	expect_unread(fifo.path, "not a regular file");
	expect_unread(empty.path, "the file is empty");
	expect_unread(too_large.path, "the file is larger than 64 KiB");
	expect_unread(utf16.path, "the file is in UTF-16");
	place_done(&fifo);
	place_done(&empty);
	place_done(&too_large);
	place_done(&utf16);
	free(large);
}

static void test_largest_file(void **state)
{
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(ini) struct ini *ini = NULL;
	CLEANUP(text) char *text = mem_alloc(INI_FILE_MOST_BYTES + 1, 1);
	struct place place;

	(void)state;
	memset(text, '\n', INI_FILE_MOST_BYTES);
	memcpy(text + INI_FILE_MOST_BYTES - 3, "[a]", 3);
	place = place_file(text, INI_FILE_MOST_BYTES);
	assert_int_equal(ini_read(place.path, &ini, &fail), 0);
	assert_string_equal(ini->file, place.path);
	assert_int_equal(ini->section_count, 1);
	assert_int_equal(ini->sections[0].line, INI_FILE_MOST_BYTES - 2);
	place_done(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_largest_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
