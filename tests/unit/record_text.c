// SPDX-License-Identifier: MIT
#include "vmm/record_text.h"

#include <string.h>

#include "tests/unit/records.h"

#define GPU  "0000:17:00.0"
#define UUID "11111111-2222-3333-4444-555555555555"

static void records_in_words(void **state)
{
	const struct record hold = {
		.kind = RECORD_HELD, .address = GPU, .vm = (char *)"train", .user = (char *)"alice"
	};
	const struct record drain = { .kind = RECORD_DRAINED,
				      .address = GPU,
				      .user = (char *)"bob",
				      .reason = (char *)"fan \"2\" & dust" };
	const struct record damaged = { .kind = RECORD_DRAINED,
					.address = GPU,
					.problem = (char *)"it is a link" };
	const struct record anonymous = { .kind = RECORD_QUARANTINED, .address = GPU };
	const struct {
		const struct record *record;
		const char *words, *remedy;
	} cases[] = {
		{ &hold, "is held for VM \"train\" of alice", "gpuvm release " GPU },
		{ &drain, "is drained by bob: fan \"2\" & dust", "gpuvm undrain " GPU },
		{ &damaged, "is drained: /var/lib/gpuvm/drained/" GPU ": it is a link",
		  "gpuvm undrain " GPU },
		{ &anonymous, "is quarantined", "gpuvm undrain " GPU },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *words = record_text_words(cases[i].record);
		CLEANUP(text) char *remedy = record_text_remedy(cases[i].record);

		assert_string_equal(words, cases[i].words);
		assert_string_equal(remedy, cases[i].remedy);
	}
}

#define TEXT(rest) "{\"format\": 1, \"address\": \"" GPU "\"" rest "}"
#define VM         ", \"vm\": \"train\", \"uuid\": \"" UUID "\""

static void texts_of_others_are_not_believed(void **state)
{
	static const struct {
		const char *about, *text, *problem; /* NULL: it is believed */
	} cases[] = {
		{ "the least", TEXT(VM), NULL },
		{ "more than is known", TEXT(VM ", \"colour\": \"red\""), NULL },
		{ "nothing", "", "it is not JSON" },
		{ "truncated", "{\"format\": 1, \"address\": \"0000:1", "it is not JSON" },
		{ "an array", "[1]", "it is not JSON" },
		{ "a NUL", "{\"format\": 1, \"vm\": \"\\u0000\"}", "it is not JSON" },
		{ "twice", TEXT(VM ", \"vm\": \"other\""), "it is not JSON" },
		{ "another format", "{\"format\": 2}", "it is of no known format" },
		{ "another GPU", "{\"format\": 1, \"address\": \"0000:18:00.0\"" VM "}",
		  "it is about another GPU" },
		{ "no GPU", "{\"format\": 1" VM "}", "it is about another GPU" },
		{ "no UUID", TEXT(", \"vm\": \"train\""), "it has no UUID" },
		{ "not a UUID", TEXT(", \"vm\": \"train\", \"uuid\": \"../../etc/passwd\""),
		  "it has no UUID" },
		{ "a longer UUID", TEXT(", \"vm\": \"train\", \"uuid\": \"" UUID "0\""),
		  "it has no UUID" },
		{ "no VM", TEXT(", \"uuid\": \"" UUID "\""), "it has no VM's name" },
		{ "a VM's name that is none", TEXT(", \"vm\": \"$(x)\", \"uuid\": \"" UUID "\""),
		  "it has no VM's name" },
		{ "a user below 0", TEXT(VM ", \"uid\": -1"), "its user is none" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct record record = { .kind = RECORD_HELD, .address = GPU };

		print_message("  %s\n", cases[i].about);
		record_text_parse(cases[i].text, strlen(cases[i].text), &record);
		assert_true(text_equal(record.problem, cases[i].problem));
		assert_int_equal(record.is_damaged, cases[i].problem != NULL);
		assert_int_equal(record.vm != NULL, cases[i].problem == NULL);
		assert_string_equal(record.address, GPU);
		record_done(&record);
	}
}

static void what_is_shown_is_printable(void **state)
{
	static const char text[] = TEXT(
		", \"user\": \"\\u001b[2J\", \"reason\": \"a\\nb\", \"functions\": [{\"address\": "
		"\"" GPU "\", \"driver\": \"nvidia\"}]");
	static const char command[] = TEXT(", \"functions\": [{\"address\": \"" GPU
					   "\", \"driver\": \"x; reboot\"}]");
	struct record record = { .kind = RECORD_QUARANTINED, .address = GPU };
	struct record bad = { .kind = RECORD_QUARANTINED, .address = GPU };

	(void)state;
	record_text_parse(text, strlen(text), &record);
	assert_string_equal(record.user, "\\x1b[2J");
	assert_string_equal(record.reason, "a\\x0ab");
	record_text_parse(command, strlen(command), &bad);
	assert_string_equal(bad.problem, "a driver's name is none");
	record_done(&record);
	record_done(&bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_in_words),
		cmocka_unit_test(texts_of_others_are_not_believed),
		cmocka_unit_test(what_is_shown_is_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
