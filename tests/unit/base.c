// SPDX-License-Identifier: MIT
#include <string.h>

#include "tests/unit/hosts.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void kinds_have_their_published_codes(void **state)
{
	static const struct {
		enum fail_kind kind;
		int exit_code;
		const char *name;
	} published[] = {
		{ FAIL_NONE, 0, "none" },   { FAIL_FAIL, 1, "fail" },
		{ FAIL_USAGE, 2, "usage" }, { FAIL_SPEC, 3, "spec" },
		{ FAIL_BUSY, 4, "busy" },   { FAIL_HOST, 5, "host" },
		{ FAIL_HV, 6, "hv" },       { FAIL_REFUSED, 7, "refused" },
	};

	(void)state;
	assert_int_equal(COUNT(published), FAIL_KINDS);
	for (size_t i = 0; i < COUNT(published); i++) {
		const struct fail_kind_row *row = fail_kind_row(published[i].kind);

		assert_int_equal(row->kind, published[i].kind);
		assert_int_equal(row->exit_code, published[i].exit_code);
		assert_string_equal(row->name, published[i].name);
		assert_true(*row->title != '\0' && *row->actor != '\0' && *row->meaning != '\0');
	}
}

static void failures_keep_their_first_kind_and_all_items(void **state)
{
	struct fail fail = { 0 };

	(void)state;
	assert_int_equal(fail_add(&fail, FAIL_SPEC, "key %s", "vcpus"), -1);
	assert_int_equal(fail_cause(&fail, "a"), -1);
	assert_int_equal(fail_cause(&fail, "b %d", 1), -1);
	assert_int_equal(fail_at(&fail, "x.ini", 9), -1);
	fail_add(&fail, FAIL_HOST, "second");
	assert_int_equal(fail_hint(&fail, "try"), -1);
	assert_int_equal(fail.kind, FAIL_SPEC);
	assert_int_equal(fail.item_count, 2);
	assert_string_equal(fail.items[0].what, "key vcpus");
	assert_string_equal(fail.items[0].cause, "b 1");
	assert_string_equal(fail.items[0].file, "x.ini");
	assert_null(fail.items[0].hint);
	assert_string_equal(fail.items[1].hint, "try");
	fail_done(&fail);
	assert_int_equal(fail.kind, FAIL_NONE);
	assert_int_equal(fail.item_count, 0);
}

static void failures_sort_by_line_and_stay_in_order(void **state)
{
	static const struct {
		unsigned line;
		const char *what;
	} added[] = { { 7, "c" }, { 3, "a" }, { 0, "none" }, { 7, "d" }, { 3, "b" } };
	static const char *const sorted[] = { "none", "a", "b", "c", "d" };
	struct fail fail = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(added); i++) {
		fail_add(&fail, FAIL_SPEC, "%s", added[i].what);
		fail_at(&fail, "x", added[i].line);
	}
	fail_sort(&fail);
	for (size_t i = 0; i < COUNT(sorted); i++)
		assert_string_equal(fail.items[i].what, sorted[i]);
	fail_cap(&fail, COUNT(sorted));
	assert_int_equal(fail.item_count, COUNT(sorted));
	fail_cap(&fail, 2);
	assert_int_equal(fail.item_count, 3);
	assert_string_equal(fail.items[1].what, "a");
	assert_string_equal(fail.items[2].what, "and 3 more");
	assert_string_equal(fail.items[2].file, "x");
	assert_int_equal(fail.items[2].line, 0);
	fail_done(&fail);
}

static void arrays_grow_zeroed(void **state)
{
	int *numbers = NULL;
	size_t count = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int *last = MEM_APPEND(numbers, count);

		assert_int_equal(*last, 0);
		*last = i;
	}
	assert_int_equal(count, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(numbers[i], i);
	free(numbers);
}

static void sizes_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "1 KiB", 1024 },
		{ "128 GiB", 128 * SIZE_GIB },
		{ "128gib", 128 * SIZE_GIB },
		{ "2\tMiB", 2 * SIZE_MIB },
		{ "0 TiB", 0 },
		{ "16777215 TiB", UINT64_C(16777215) * SIZE_TIB },
	};
	static const char *const bad[] = {
		"",        "GiB",      "128",     "128 GB",  "128 G",
		"1.5 GiB", "-1 GiB",   " 1 GiB",  "1 GiB ",  "16777216 TiB",
		"1 PiB",   "0x10 GiB", "1 GiB 2", "1e3 MiB", "18446744073709551616 KiB",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		uint64_t bytes = 1;

		assert_null(size_parse(good[i].text, &bytes));
		assert_int_equal(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		uint64_t bytes = 77;

		assert_non_null(size_parse(bad[i], &bytes));
		assert_int_equal(bytes, 77);
	}
}

static void sizes_are_written(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *exact, *about;
	} cases[] = {
		{ 0, "0 bytes", "0 bytes" },
		{ 1, "1 bytes", "1 bytes" },
		{ 1023, "1023 bytes", "1023 bytes" },
		{ SIZE_KIB, "1 KiB", "1 KiB" },
		{ 1536, "1536 bytes", "1.5 KiB" },
		{ 32 * SIZE_GIB, "32 GiB", "32 GiB" },
		{ 32 * SIZE_GIB - 1, "34359738367 bytes", "31.9 GiB" },
		{ SIZE_GIB + SIZE_MIB, "1025 MiB", "1 GiB" },
		{ UINT64_MAX, "18446744073709551615 bytes", "16777215.9 TiB" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *exact = size_format(cases[i].bytes);
		CLEANUP(text) char *about = size_format_about(cases[i].bytes);

		assert_string_equal(exact, cases[i].exact);
		assert_string_equal(about, cases[i].about);
	}
}

static void texts_are_compared(void **state)
{
	(void)state;
	assert_true(text_equal(NULL, NULL));
	assert_false(text_equal(NULL, ""));
	assert_false(text_equal("a", "b"));
	assert_true(text_starts("0000:17", "0000"));
	assert_false(text_starts("00", "0000"));
	assert_true(text_contains("GH100 [H100 SXM5]", "h100"));
	assert_false(text_contains("GH100", "h200"));
}

static void texts_are_joined_and_trimmed(void **state)
{
	CLEANUP(text) char *joined = NULL;
	char padded[] = " \t a b \r\n";
	char blank[] = "  ";

	(void)state;
	text_join(&joined, ", ", "a");
	text_join(&joined, ", ", "b");
	text_add(&joined, "%d", 7);
	assert_string_equal(joined, "a, b7");
	assert_string_equal(text_trim(padded), "a b");
	assert_string_equal(text_trim(blank), "");
}

static void numbers_are_whole(void **state)
{
	static const char *const bad[] = { "",   "-1", "+1",  " 1",
					   "1 ", "1x", "0x1", "18446744073709551616" };
	unsigned long long number = 5;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(text_number(bad[i], &number));
	assert_int_equal(number, 5);
	assert_true(text_number("18446744073709551615", &number));
	assert_true(number == UINT64_MAX);
}

static void misspellings_find_the_nearest(void **state)
{
	static const char *const words[] = { "name", "vcpus", "memory", "autostart", "no", NULL };
	static const struct {
		const char *word, *nearest;
	} cases[] = {
		{ "vcpu", "vcpus" }, { "Memroy", "memory" }, { "auto_start", "autostart" },
		{ "nmae", "name" },  { "vpcus", "vcpus" },   { "mem", "memory" },
		{ "me", NULL },      { "node", NULL },       { "colour", NULL },
		{ "x", NULL },       { "vpcu", "vcpus" },    { "on", NULL },
		{ "n", "no" },       { "aut", "autostart" }, { "au", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_true(text_equal(text_nearest(cases[i].word, words), cases[i].nearest));
}

static void hostile_bytes_become_printable(void **state)
{
	static const struct {
		const char *text;
		size_t most;
		const char *shown;
	} cases[] = {
		{ "plain", 0, "plain" },
		{ "\x1b[31mred\n", 0, "\\x1b[31mred\\x0a" },
		{ "\xc3\xbc", 0, "\xc3\xbc" },
		{ "\xc2\x9b", 0, "\\xc2\\x9b" }, /* C1 control: CSI to some terminals */
		{ "\xff", 0, "\\xff" },
		{ "\xed\xa0\x80", 0, "\\xed\\xa0\\x80" },
		{ "abcdefg", 6, "abc..." },
		{ "abcdef", 6, "abcdef" },
		{ "a\x01\x02", 6, "a..." },
		{ "a\x01", 5, "a\\x01" },
		{ "\xc3\xbc\xc3\xbc\xc3\xbc", 5, "\xc3\xbc..." },
		{ "abcd", 3, "..." },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *shown = text_printable(cases[i].text, cases[i].most);

		CLEANUP(text) char *again = text_printable(shown, cases[i].most);

		assert_string_equal(shown, cases[i].shown);
		assert_string_equal(again, shown);
	}
}

static void utf8_is_strict(void **state)
{
	static const struct {
		const char *bytes;
		bool good;
	} cases[] = {
		{ "", true },
		{ "ascii", true },
		{ "\xc3\xbc", true },
		{ "\xf0\x9f\x98\x80", true },
		{ "\xc0\x80", false },
		{ "\xc3", false },
		{ "\xe0\x80\x80", false },
		{ "\xed\xa0\x80", false },
		{ "\xf4\x90\x80\x80", false },
		{ "\x80", false },
		{ "\xf5\x80\x80\x80", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_true(text_is_utf8(cases[i].bytes, strlen(cases[i].bytes)) == cases[i].good);
}

static void shell_words_stay_one_word(void **state)
{
	static const struct {
		const char *text, *word;
	} cases[] = {
		{ "/var/lib/a.qcow2", "/var/lib/a.qcow2" },
		{ "", "''" },
		{ "a b", "'a b'" },
		{ "$HOME", "'$HOME'" },
		{ "a'b", "'a'\\''b'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CLEANUP(text) char *word = text_shell(cases[i].text);

		assert_string_equal(word, cases[i].word);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shell_words_stay_one_word),
		cmocka_unit_test(kinds_have_their_published_codes),
		cmocka_unit_test(failures_keep_their_first_kind_and_all_items),
		cmocka_unit_test(failures_sort_by_line_and_stay_in_order),
		cmocka_unit_test(arrays_grow_zeroed),
		cmocka_unit_test(sizes_are_read),
		cmocka_unit_test(sizes_are_written),
		cmocka_unit_test(texts_are_compared),
		cmocka_unit_test(texts_are_joined_and_trimmed),
		cmocka_unit_test(numbers_are_whole),
		cmocka_unit_test(misspellings_find_the_nearest),
		cmocka_unit_test(hostile_bytes_become_printable),
		cmocka_unit_test(utf8_is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
