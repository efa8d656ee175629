// SPDX-License-Identifier: MIT
#include "vmm/base/fail.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

static const struct fail_kind_row rows[FAIL_KINDS] = {
	[FAIL_NONE] = { .kind = FAIL_NONE,
			.exit_code = 0,
			.name = "none",
			.title = "DONE",
			.actor = "nobody",
			.meaning = "done" },
	[FAIL_FAIL] = { .kind = FAIL_FAIL,
			.exit_code = 1,
			.name = "fail",
			.title = "FAIL",
			.actor = "reporter",
			.meaning = "anything else, I/O and bugs included" },
	[FAIL_USAGE] = { .kind = FAIL_USAGE,
			 .exit_code = 2,
			 .name = "usage",
			 .title = "USAGE",
			 .actor = "user",
			 .meaning = "bad command line" },
	[FAIL_SPEC] = { .kind = FAIL_SPEC,
			.exit_code = 3,
			.name = "spec",
			.title = "SPEC",
			.actor = "user",
			.meaning = "the spec is wrong; a retry is useless" },
	[FAIL_BUSY] = { .kind = FAIL_BUSY,
			.exit_code = 4,
			.name = "busy",
			.title = "BUSY",
			.actor = "scheduler",
			.meaning = "valid, but not now: it would fit if what is taken were freed" },
	[FAIL_HOST] = { .kind = FAIL_HOST,
			.exit_code = 5,
			.name = "host",
			.title = "HOST",
			.actor = "admin",
			.meaning = "the host lacks something, or is too small even when empty" },
	[FAIL_HV] = { .kind = FAIL_HV,
		      .exit_code = 6,
		      .name = "hv",
		      .title = "HV",
		      .actor = "admin",
		      .meaning = "libvirt refused; its text is the cause" },
	[FAIL_REFUSED] = { .kind = FAIL_REFUSED,
			   .exit_code = 7,
			   .name = "refused",
			   .title = "REFUSED",
			   .actor = "user",
			   .meaning = "refused by design, or the VM is not yours" },
};

const struct fail_kind_row *fail_kind_row(enum fail_kind kind)
{
	return &rows[kind];
}

int fail_add(struct fail *fail, enum fail_kind kind, const char *what, ...)
{
	struct fail_item *item = MEM_APPEND(fail->items, fail->item_count);
	va_list args;

	if (fail->kind == FAIL_NONE)
		fail->kind = kind;
	va_start(args, what);
	item->what = text_vformat(what, args);
	va_end(args);
	return -1;
}

__attribute__((format(printf, 2, 0))) static void complete(char **field, const char *format,
							   va_list args)
{
	free(*field);
	*field = text_vformat(format, args);
}

int fail_cause(struct fail *fail, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complete(&fail->items[fail->item_count - 1].cause, format, args);
	va_end(args);
	return -1;
}

int fail_hint(struct fail *fail, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complete(&fail->items[fail->item_count - 1].hint, format, args);
	va_end(args);
	return -1;
}

int fail_at(struct fail *fail, const char *file, unsigned line)
{
	struct fail_item *item = &fail->items[fail->item_count - 1];

	free(item->file);
	item->file = mem_strdup(file);
	item->line = line;
	return -1;
}

int fail_finding(struct fail *fail, const char *finding)
{
	for (size_t i = 0; i < fail->item_count; i++)
		if (fail->items[i].finding == NULL)
			fail->items[i].finding = finding;
	return -1;
}

void fail_sort(struct fail *fail)
{
	/* Insertion sort: qsort is not stable, and a spec has few errors. */
	for (size_t i = 1; i < fail->item_count; i++) {
		struct fail_item moving = fail->items[i];
		size_t at = i;

		for (; at > 0 && fail->items[at - 1].line > moving.line; at--)
			fail->items[at] = fail->items[at - 1];
		fail->items[at] = moving;
	}
}

static void item_done(struct fail_item *item)
{
	free(item->file);
	free(item->what);
	free(item->cause);
	free(item->hint);
}

void fail_cap(struct fail *fail, size_t most)
{
	size_t more = fail->item_count - most;
	CLEANUP(text) char *file = NULL;

	if (fail->item_count <= most)
		return;
	file = mem_strdup(fail->items[most].file);
	while (fail->item_count > most)
		item_done(&fail->items[--fail->item_count]);
	fail_add(fail, fail->kind, "and %zu more", more);
	fail_at(fail, file, 0);
}

void fail_done(struct fail *fail)
{
	for (size_t i = 0; i < fail->item_count; i++)
		item_done(&fail->items[i]);
	free(fail->items);
	memset(fail, 0, sizeof *fail);
}
