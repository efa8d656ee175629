// SPDX-License-Identifier: MIT
/* Fuzzes what is kept of GPUs in files that others may write. */
#include "tests/fuzz/must.h"
#include "vmm/base/text.h"
#include "vmm/record_text.h"

#define GPU "0000:17:00.0"

static void check_damaged(const struct record *record)
{
	must(record->is_damaged, "a text that is neither good nor damaged");
	must(record->vm == NULL && record->uuid == NULL && record->user == NULL &&
		     record->reason == NULL && record->function_count == 0,
	     "half a record");
}

/* What is believed is told in one line, and the same when it is written and read again. */
static void check_good(const struct record *record)
{
	CLEANUP(text) char *words = record_text_words(record);
	CLEANUP(text) char *shown = text_printable(words, 0);
	CLEANUP(text) char *text = record_text_format(record);
	CLEANUP(text) char *again = NULL;
	struct record read = { .kind = record->kind, .address = GPU };

	must(text_equal(words, shown), "words that cannot be shown");
	must(record->kind != RECORD_HELD || (record->vm != NULL && record->uuid != NULL),
	     "a hold for nobody");
	record_text_parse(text, strlen(text), &read);
	must(read.problem == NULL, "a record that gpuvm would not read again");
	again = record_text_format(&read);
	must(text_equal(text, again), "a record that changes when it is read");
	record_done(&read);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	for (int kind = 0; kind < RECORD_KINDS; kind++) {
		struct record record = { .kind = (enum record_kind)kind, .address = GPU };

		record_text_parse((const char *)data, length, &record);
		must(text_equal(record.address, GPU), "a record of another GPU");
		if (record.problem != NULL)
			check_damaged(&record);
		else
			check_good(&record);
		record_done(&record);
	}
	return 0;
}
