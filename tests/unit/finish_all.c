// SPDX-License-Identifier: MIT
/* The stop of all VMs at once. */
#include "vmm/finish.h"

#include "tests/unit/testhv.h"

#define UUID "11111111-2222-3333-4444-555555555555"

/* In the order in which they start. */
static const struct {
	const char *name, *uuid;
	bool is_ours, is_mine, runs;
} many[] = {
	{ "one", "00000000-2222-3333-4444-000000000001", true, true, true },
	{ "deaf", "00000000-2222-3333-4444-000000000002", true, true, true },
	{ "theirs", "00000000-2222-3333-4444-000000000003", true, false, true },
	{ "foreign", "00000000-2222-3333-4444-000000000004", false, true, true },
	{ "mute", "00000000-2222-3333-4444-000000000005", true, true, true },
	{ "last", "00000000-2222-3333-4444-000000000006", true, true, true },
	{ "off", "00000000-2222-3333-4444-000000000007", true, true, false },
};

static struct hv *host_with_many(void)
{
	struct hv *hv = testhv_open(TESTHV);

	testhv_asked[0] = '\0';
	for (size_t i = 0; i < COUNT(many); i++) {
		CLEANUP(text)
		char *metadata = testhv_metadata(testhv_uid() + !many[i].is_mine, "");
		CLEANUP(text)
		char *xml = testhv_xml(many[i].name, many[i].uuid, many[i].is_ours ? metadata : "",
				       "");

		testhv_define(hv, xml);
		if (many[i].runs)
			testhv_start(hv, many[i].uuid);
	}
	return hv;
}

static char *who_ended(const struct finish_list *list)
{
	char *names = mem_strdup("");

	for (size_t i = 0; i < list->count; i++)
		text_add(&names, "%s%s ", list->items[i]->name,
			 list->items[i]->outcome == FINISH_FORCED ? "!" : "");
	return names;
}

static char *who_runs(struct hv *hv)
{
	char *names = mem_strdup("");

	for (size_t i = 0; i < COUNT(many); i++)
		if (testhv_is_active(hv, many[i].uuid))
			text_add(&names, "%s ", many[i].name);
	return names;
}

static void all_are_stopped_the_last_started_first(void **state)
{
	static const struct {
		bool force;
		const char *asked, *ended, *run;
		enum fail_kind kind;
		size_t failures;
	} cases[] = {
		{ false, "last mute deaf one ", "last one ", "deaf theirs foreign mute ", FAIL_HV,
		  2 },
		{ true, "last mute theirs deaf one ", "last mute! theirs deaf! one ", "foreign ",
		  FAIL_NONE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(hv) struct hv *hv = host_with_many();
		const struct finish_options options = { .uri = TESTHV,
							.force = cases[i].force,
							.timeout_s = 1 };
		CLEANUP(finish_list) struct finish_list *list = NULL;
		CLEANUP(fail) struct fail fail = { 0 };
		CLEANUP(text) char *ended = NULL;
		CLEANUP(text) char *run = NULL;

		assert_int_equal(finish_stop_all(&options, &list, &fail),
				 cases[i].kind == FAIL_NONE ? 0 : -1);
		ended = who_ended(list);
		run = who_runs(hv);
		assert_string_equal(testhv_asked, cases[i].asked);
		assert_string_equal(ended, cases[i].ended);
		assert_string_equal(run, cases[i].run);
		assert_int_equal(fail.kind, cases[i].kind);
		assert_int_equal(fail.item_count, cases[i].failures);
		if (fail.item_count == 2)
			assert_string_equal(fail.items[1].what,
					    "VM \"deaf\" did not shut down within 1 s");
		for (size_t j = 0; j < list->count; j++)
			assert_non_null(list->items[j]->giveback);
		assert_non_null(list->aftermath);
	}
}

static void count_all(void *data, const char *names, const char *doing, unsigned left_s)
{
	(void)doing;
	(void)left_s;
	assert_string_equal(names, "deafer, deaf");
	(*(unsigned *)data)++;
}

/* One deadline for all: the wait is as long for two as for one. */
static void all_are_waited_for_together(void **state)
{
	CLEANUP(hv) struct hv *hv = host_with_many();
	CLEANUP(text) char *metadata = testhv_metadata(testhv_uid(), "");
	CLEANUP(text) char *xml = testhv_xml("deafer", UUID, metadata, "");
	unsigned seen = 0;
	const struct finish_options options = {
		.uri = TESTHV, .timeout_s = 2, .countdown = count_all, .countdown_data = &seen
	};
	CLEANUP(finish_list) struct finish_list *list = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	testhv_define(hv, xml);
	testhv_start(hv, UUID);
	assert_int_equal(finish_stop_all(&options, &list, &fail), -1);
	assert_int_equal(seen, 2);
}

static void nothing_to_stop_is_no_failure(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	const struct finish_options options = { .uri = TESTHV, .timeout_s = 1 };
	const struct finish_options nowhere = { .uri = "test:////nonexistent/node.xml" };
	CLEANUP(finish_list) struct finish_list *list = NULL;
	CLEANUP(finish_list) struct finish_list *none = NULL;
	CLEANUP(fail) struct fail unreachable = { 0 };
	struct fail fail = { 0 };

	(void)state;
	assert_non_null(hv);
	assert_int_equal(finish_stop_all(&options, &list, &fail), 0);
	assert_int_equal(list->count, 0);
	assert_int_equal(finish_stop_all(&nowhere, &none, &unreachable), -1);
	assert_non_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_stopped_the_last_started_first),
		cmocka_unit_test(all_are_waited_for_together),
		cmocka_unit_test(nothing_to_stop_is_no_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
