// SPDX-License-Identifier: MIT
#include "vmm/ini.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/ini_line.h"

struct reader {
	struct ini *ini;
	struct fail *fail;
	const char *at, *end; /* what is left of the file */
	char *text;           /* owns line.text */
	struct ini_line line; /* the one at hand */
	size_t section;
	bool pair_is_pending; /* inih has a pair that it has not handed back yet */
};

static void add_section(struct reader *reader, const char *name, size_t length, bool is_malformed)
{
	struct ini *ini = reader->ini;
	struct ini_section *section = MEM_APPEND(ini->sections, ini->section_count);

	section->name = mem_strndup(name, length);
	section->line = reader->line.number;
	section->is_malformed = is_malformed;
	reader->section = ini->section_count - 1;
}

static void add_entry(struct reader *reader, char *key, const char *value, bool is_malformed)
{
	struct ini_entry *entry = MEM_APPEND(reader->ini->entries, reader->ini->entry_count);

	entry->section = reader->section;
	entry->key = key;
	entry->value = mem_strdup(value);
	entry->line = reader->line.number;
	entry->is_malformed = is_malformed;
}

/* Keeps what a refused line seems to say. */
static void add_guess(struct reader *reader)
{
	const char *start = reader->text + strspn(reader->text, INI_LINE_BLANKS);

	if (*start == '[') {
		start += 1 + strspn(start + 1, INI_LINE_BLANKS);
		add_section(reader, start, strcspn(start, "]; \t"), true);
	} else if (*start != '\0' && *start != ';' && *start != '#') {
		add_entry(reader, mem_strndup(start, strcspn(start, "=: \t")), "", true);
	}
}

static bool take_line(struct reader *reader)
{
	size_t left = (size_t)(reader->end - reader->at);
	const char *newline;
	size_t length;

	if (left == 0)
		return false;
	newline = memchr(reader->at, '\n', left);
	length = newline == NULL ? left : (size_t)(newline - reader->at);
	free(reader->text);
	reader->text = mem_alloc(length + 1, 1);
	memcpy(reader->text, reader->at, length);
	reader->at += length + (newline == NULL ? 0 : 1);
	if (length > 0 && reader->text[length - 1] == '\r')
		reader->text[--length] = '\0';
	reader->line.text = reader->text;
	reader->line.length = length;
	reader->line.number++;
	return true;
}

/* The net under ini_line_check(): a pair that went in must have come out. */
static void check_pending(struct reader *reader)
{
	if (!reader->pair_is_pending)
		return;
	reader->pair_is_pending = false;
	ini_line_refuse(&reader->line, reader->fail, "cannot be read as key = value");
	add_guess(reader);
}

/* What inih calls instead of fgets: it sees headers and pairs only, and none that was refused. */
static char *next_line(char *buffer, int room, void *user)
{
	struct reader *reader = user;
	size_t most = (size_t)room - 1; /* depends on how inih was built */
	enum ini_line_kind kind = INI_LINE_EMPTY;

	if (most > INI_LINE_MOST_BYTES)
		most = INI_LINE_MOST_BYTES;
	check_pending(reader);
	while (take_line(reader)) {
		if (ini_line_check(&reader->line, most, &kind, reader->fail) < 0) {
			add_guess(reader);
			continue;
		}
		if (kind == INI_LINE_EMPTY)
			continue;
		if (kind == INI_LINE_HEADER)
			add_section(reader, reader->text + 1, strcspn(reader->text + 1, "]"),
				    false);
		reader->pair_is_pending = kind == INI_LINE_PAIR;
		return memcpy(buffer, reader->text, reader->line.length + 1);
	}
	return NULL;
}

static int take_pair(void *user, const char *section, const char *key, const char *value)
{
	struct reader *reader = user;

	(void)section; /* reader->section is a position, and knows refused headers */
	reader->pair_is_pending = false;
	if (strchr(value, '\t') != NULL) {
		ini_line_refuse(&reader->line, reader->fail, "a tab inside the value");
		fail_hint(reader->fail, "write a blank instead of \\x09");
		add_guess(reader);
		return 1;
	}
	add_entry(reader, mem_strdup(key), value, false);
	return 1;
}

static int check_text(const char *file, const char *text, size_t length, struct fail *fail)
{
	if (length > INI_FILE_MOST_BYTES)
		fail_add(fail, FAIL_SPEC, "the file is larger than %d KiB",
			 INI_FILE_MOST_BYTES >> 10);
	else if (length == 0)
		fail_add(fail, FAIL_SPEC, "the file is empty");
	else if (length >= 2 &&
		 (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
		fail_add(fail, FAIL_SPEC, "the file is in UTF-16");
		fail_hint(fail, "save it in UTF-8");
	} else
		return 0;
	return fail_at(fail, file, 0);
}

int ini_parse_text(const char *file, const char *text, size_t length, struct ini **ret_ini,
		   struct fail *fail)
{
	CLEANUP(ini) struct ini *ini = NULL;
	struct reader reader = { .fail = fail, .section = INI_NO_SECTION };
	size_t before = fail->item_count;
	int result;

	if (check_text(file, text, length, fail) < 0)
		return -1;
	ini = mem_alloc(1, sizeof *ini);
	ini->file = mem_strdup(file);
	ini->text = mem_alloc(length + 1, 1);
	memcpy(ini->text, text, length);
	reader.ini = ini;
	reader.line.file = ini->file;
	reader.at = ini->text;
	reader.end = ini->text + length;
	if (text_starts(reader.at, "\xef\xbb\xbf"))
		reader.at += 3;

	result = ini_parse_stream(next_line, &reader, take_pair, &reader);
	free(reader.text);
	if (result != 0 && fail->item_count == before) {
		fail_add(fail, FAIL_FAIL, "inih gave up (%d)", result);
		return fail_at(fail, file, 0);
	}
	*ret_ini = STEAL(ini);
	return fail->item_count == before ? 0 : -1;
}

static int refuse_file(const char *path, int error, struct fail *fail)
{
	if (error == ENOENT)
		fail_add(fail, FAIL_SPEC, "no such file");
	else if (error == EISDIR)
		fail_add(fail, FAIL_SPEC, "a directory, not a file");
	else {
		fail_add(fail, error == EIO ? FAIL_FAIL : FAIL_SPEC, "cannot be read");
		fail_cause(fail, "%s", strerror(error));
	}
	return fail_at(fail, path, 0);
}

/* The file's bytes, one more than allowed if there are more. */
static int read_file(const char *path, char **ret_text, size_t *ret_length, struct fail *fail)
{
	/* O_NONBLOCK: a FIFO without a writer must not make us wait. */
	CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	CLEANUP(text) char *text = NULL;
	size_t length = 0;
	struct stat about;

	if (fd < 0 || fstat(fd, &about) < 0)
		return refuse_file(path, errno, fail);
	if (S_ISDIR(about.st_mode))
		return refuse_file(path, EISDIR, fail);
	if (!S_ISREG(about.st_mode)) {
		fail_add(fail, FAIL_SPEC, "not a regular file");
		return fail_at(fail, path, 0);
	}
	text = mem_alloc(INI_FILE_MOST_BYTES + 1, 1);
	while (length <= INI_FILE_MOST_BYTES) {
		ssize_t got = read(fd, text + length, INI_FILE_MOST_BYTES + 1 - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return refuse_file(path, errno, fail);
		if (got == 0)
			break;
		length += (size_t)got;
	}
	*ret_text = STEAL(text);
	*ret_length = length;
	return 0;
}

int ini_read(const char *path, struct ini **ret_ini, struct fail *fail)
{
	CLEANUP(text) char *text = NULL;
	size_t length = 0;

	if (read_file(path, &text, &length, fail) < 0)
		return -1;
	return ini_parse_text(path, text, length, ret_ini, fail);
}

void ini_free(struct ini *ini)
{
	if (ini == NULL)
		return;
	for (size_t i = 0; i < ini->section_count; i++)
		free(ini->sections[i].name);
	for (size_t i = 0; i < ini->entry_count; i++) {
		free(ini->entries[i].key);
		free(ini->entries[i].value);
	}
	free(ini->sections);
	free(ini->entries);
	free(ini->file);
	free(ini->text);
	free(ini);
}
