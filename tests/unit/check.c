// SPDX-License-Identifier: MIT
/* The table of findings, what may be forced, and what failures come to. What findings find: tests/check. */
#include "vmm/check.h"

#include <ctype.h>
#include <string.h>

#include "tests/unit/hosts.h"
#include "tests/unit/scratch.h"
#include "vmm/base/mem.h"

static void the_table_is_sound(void **state)
{
	(void)state;
	for (const struct check_about *row = check_table(); row->id != NULL; row++) {
		assert_ptr_equal(check_find(row->id), row); /* once */
		assert_true(islower((unsigned char)row->id[0]));
		assert_int_equal(strspn(row->id, "abcdefghijklmnopqrstuvwxyz-"), strlen(row->id));
		assert_non_null(row->run);
		assert_true(strlen(row->title) > 5 && row->title[strlen(row->title) - 1] != '.');
		assert_true(strlen(row->why) > 20 && row->why[strlen(row->why) - 1] != '.');
	}
	assert_null(check_find("nosuch"));
	assert_null(check_find(NULL));
}

static void only_what_a_start_can_do_without_may_be_forced(void **state)
{
	static const char *const good[] = { "reset", "bars", NULL };
	static const struct {
		const char *ids[3];
		const char *word;
	} bad[] = {
		{ { "rest", NULL }, "no such finding" },
		{ { "", NULL }, "no such finding" },
		{ { "reset", "iommu", NULL }, "--force=iommu: a start could not go on" },
		{ { "hugepages", NULL }, "it is a warning" },
	};
	CLEANUP(fail) struct fail none = { 0 };

	(void)state;
	assert_works(check_forced(good, &none), &none);
	assert_works(check_forced(NULL, &none), &none);
	for (size_t i = 0; i < COUNT(bad); i++) {
		CLEANUP(fail) struct fail fail = { 0 };

		assert_int_equal(check_forced(bad[i].ids, &fail), -1);
		assert_fails(&fail, FAIL_USAGE, bad[i].word);
	}
}

static void each_failure_is_a_refusal_unless_it_is_forced(void **state)
{
	static const char *const bars[] = { "bars", NULL };
	static const char *const both[] = { "reset", "bars", NULL };
	CLEANUP(findings) struct findings *findings = findings_begin(NULL);
	CLEANUP(fail) struct fail all = { 0 };
	CLEANUP(fail) struct fail one = { 0 };
	CLEANUP(fail) struct fail none = { 0 };
	static const char *const ids[] = { "bars", "reset", "hugepages", "answers" };
	static const enum finding_state states[] = { FINDING_FAILED, FINDING_FAILED,
						     FINDING_WARNING, FINDING_NOT_CHECKED };

	(void)state;
	for (size_t i = 0; i < COUNT(ids); i++) {
		struct finding *row = findings_add(findings, states[i], "0000:17:00.0");

		row->check = ids[i];
		row->found = mem_strdup("it is so");
		row->source = mem_strdup("/sys/x");
		row->hint = i == 0 ? NULL : mem_strdup("mend it");
	}
	assert_int_equal(check_refuse(findings, NULL, &all), -1);
	assert_int_equal(all.kind, FAIL_HOST);
	assert_int_equal(all.item_count, 2);
	assert_string_equal(all.items[0].finding, "bars");
	assert_string_equal(all.items[0].what, "0000:17:00.0: it is so");
	assert_true(text_contains(all.items[0].cause, "/sys/x"));
	assert_null(all.items[0].hint);
	assert_string_equal(all.items[1].hint, "mend it");
	assert_int_equal(check_refuse(findings, bars, &one), -1);
	assert_int_equal(one.item_count, 1);
	assert_string_equal(one.items[0].finding, "reset");
	assert_works(check_refuse(findings, both, &none), &none);
	assert_int_equal(findings_count(findings, FINDING_FAILED), 2);
	assert_ptr_equal(findings_first(findings, FINDING_WARNING), &findings->rows[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_sound),
		cmocka_unit_test(only_what_a_start_can_do_without_may_be_forced),
		cmocka_unit_test(each_failure_is_a_refusal_unless_it_is_forced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
