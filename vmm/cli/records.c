// SPDX-License-Identifier: MIT
#include "vmm/cli/records.h"

#include <stdlib.h>
#include <time.h>

#include "vmm/base/text.h"
#include "vmm/cli/out.h"
#include "vmm/record_text.h"

static json_t *since_json(int64_t since)
{
	time_t seconds = (time_t)since;
	struct tm parts;
	char text[64];

	if (since == 0 || gmtime_r(&seconds, &parts) == NULL ||
	    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		return json_null();
	return json_string(text);
}

json_t *records_json(const struct record_list *records, const char *address)
{
	json_t *array = json_array();

	for (size_t i = 0; records != NULL && i < records->count; i++) {
		const struct record *record = &records->records[i];

		if (record->is_stale || (address != NULL && !text_equal(record->address, address)))
			continue;
		json_array_append_new(array, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}",
						       "address", record->address, "state",
						       record_kind_name(record->kind), "vm",
						       out_text_or_null(record->vm), "user",
						       out_text_or_null(record->user), "since",
						       since_json(record->since), "reason",
						       out_text_or_null(record->reason), "problem",
						       out_text_or_null(record->problem)));
	}
	return array;
}

static const char *text_at(const json_t *record, const char *key)
{
	return json_string_value(json_object_get(record, key));
}

char *records_words(const json_t *record)
{
	const char *vm = text_at(record, "vm");
	const char *user = text_at(record, "user");
	const char *since = text_at(record, "since");
	bool is_held = text_equal(text_at(record, "state"), "held");
	char *words = out_cell(record, "state");

	if (vm != NULL && is_held)
		text_add(&words, " for VM \"%s\"%s%s", vm, user == NULL ? "" : " of ",
			 user == NULL ? "" : user);
	else if (user != NULL && text_equal(text_at(record, "state"), "drained"))
		text_add(&words, " by %s", user);
	if (since != NULL)
		text_add(&words, " since %.10s", since);
	if (text_at(record, "reason") != NULL)
		text_add(&words, ": %s", text_at(record, "reason"));
	if (text_at(record, "problem") != NULL)
		text_add(&words, " (its record cannot be believed: %s)",
			 text_at(record, "problem"));
	return words;
}

void records_print_closed(const struct record_list *records)
{
	for (size_t i = 0; i < records->count; i++) {
		const struct record *record = &records->records[i];
		CLEANUP(text) char *words = record_text_words(record);
		CLEANUP(text) char *safe = text_printable(words, 0);
		CLEANUP(text) char *remedy = record_text_remedy(record);

		if (record->kind != RECORD_HELD)
			out_note("%s %s\n  hint: %s", record->address, safe, remedy);
	}
}

void records_print_lines(const struct held_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		out_note("gpuvm: %s", lines->lines[i]);
}
