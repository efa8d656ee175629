/* SPDX-License-Identifier: MIT */
/* What the readers of INI files say, against the goldens beside the files. */
#ifndef GPUVM_TESTS_MESSAGES_H
#define GPUVM_TESTS_MESSAGES_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/fail.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

static inline char *source_path(const char *name)
{
	const char *source = getenv("GPUVM_SOURCE");

	return text_format("%s/%s", source == NULL ? "." : source, name);
}

static inline int is_ini(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > 4 && strcmp(entry->d_name + length - 4, ".ini") == 0;
}

/* Calls @check for each *.ini in @folder of the source tree; there must be some. */
static inline void for_each_ini(const char *folder,
				void (*check)(const char *path, const char *name))
{
	CLEANUP(text) char *path = source_path(folder);
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, is_ini, alphasort);

	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		CLEANUP(text) char *file = text_format("%s/%s", path, entries[i]->d_name);

		check(file, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

/* As the command line prints them; files by their names, so that the place of the tree does not count. */
static inline char *messages(const struct fail *fail, const char *name)
{
	char *text = mem_strdup("");

	for (size_t i = 0; i < fail->item_count; i++) {
		const struct fail_item *item = &fail->items[i];

		assert_non_null(item->file);
		text_add(&text, "%s:", name);
		if (item->line != 0)
			text_add(&text, "%u:", item->line);
		text_add(&text, " %s\n", item->what);
		if (item->cause != NULL)
			text_add(&text, "  cause: %s\n", item->cause);
		if (item->hint != NULL)
			text_add(&text, "  hint: %s\n", item->hint);
	}
	return text;
}

static inline char *slurp(const char *path)
{
	CLEANUP(file) FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t room = 0;

	if (file == NULL || getdelim(&text, &room, '\0', file) < 0) {
		free(text);
		return mem_strdup("");
	}
	return text;
}

/* @fail, from reading @path, against PATH.err. GPUVM_UPDATE=1 rewrites it, and the difference is read. */
static inline void expect_messages(const struct fail *fail, const char *path, const char *name)
{
	CLEANUP(text) char *got = messages(fail, name);
	CLEANUP(text) char *golden = text_format("%.*s.err", (int)strlen(path) - 4, path);
	CLEANUP(text) char *expected = slurp(golden);

	for (const char *at = got; *at != '\0'; at++)
		assert_true(*at == '\n' || (unsigned char)*at >= 0x20);
	if (getenv("GPUVM_UPDATE") != NULL) {
		CLEANUP(file) FILE *file = fopen(golden, "w");

		assert_non_null(file);
		fputs(got, file);
	} else if (strcmp(got, expected) != 0)
		fail_msg("%s (GPUVM_UPDATE=1 rewrites it) now says:\n%s", golden, got);
}

#endif
