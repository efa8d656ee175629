/* SPDX-License-Identifier: MIT */
/* For unit tests: hosts that keep records of their GPUs (vmm/record.h). */
#ifndef GPUVM_TESTS_RECORDS_H
#define GPUVM_TESTS_RECORDS_H

#include "tests/unit/scratch.h"
#include "vmm/record.h"

/* The directories below @directory. */
static inline void records_make(const char *directory)
{
	CLEANUP(text)
	char *command = text_format("cd '%s' && mkdir -p -m 755 ./" RECORD_DIRECTORY
				    "/held ./" RECORD_DIRECTORY "/drained ./" RECORD_DIRECTORY
				    "/quarantined",
				    directory);

	assert_int_equal(system(command), 0);
}

/* A live host that has nothing but them. */
static inline struct root *records_host(void)
{
	struct root *root = mem_alloc(1, sizeof *root);

	root->live = true;
	root->dir = scratch_new();
	records_make(root->dir);
	return root;
}

static inline void records_host_free(struct root *root)
{
	scratch_free(root->dir);
	free(root);
}
CLEANUP_DEFINE(records_host, struct root, records_host_free)

static inline char *records_path(const struct root *root, enum record_kind kind, const char *name)
{
	return root_path(root, RECORD_DIRECTORY "/%s/%s", record_kind_name(kind), name);
}

static inline void records_write(const struct root *root, const struct record *record)
{
	CLEANUP(fail) struct fail fail = { 0 };

	assert_works(record_write(root, record, &fail), &fail);
}

/* "held 0000:17:00.0 train; drained ...": all that there are. The caller frees. */
static inline char *records_text(const struct root *root)
{
	CLEANUP(record_list) struct record_list *list = record_scan(root);
	char *text = mem_strdup("");

	for (size_t i = 0; i < list->count; i++) {
		const struct record *record = &list->records[i];

		text_add(&text, "%s%s %s %s", i == 0 ? "" : "; ", record_kind_name(record->kind),
			 record->address,
			 record->problem != NULL ? "?"
			 : record->vm != NULL    ? record->vm
						 : "-");
	}
	return text;
}

#endif
