// SPDX-License-Identifier: MIT
#include "vmm/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/domxml.h"
#include "vmm/hv_log.h"

enum {
	BLOCK = 64 << 10,
	MOST_SEQUENCE = 4096, /* bytes of a terminal's sequence; longer ones are shown */
	MOST_LAST = 64 << 10, /* bytes that log_last() looks at */
	ESCAPE = 0x1b,
	BELL = 0x07,
};

struct log {
	char *file, *path;
	struct hv_log *remote; /* NULL: the caller may read the file himself */
};

int log_open(struct hv *hv, const char *directory, const char *name, enum log_kind kind,
	     struct log **ret_log, struct fail *fail)
{
	CLEANUP(log) struct log *log = mem_alloc(1, sizeof *log);
	const char *folder = directory == NULL ? DOMXML_LOG_DIRECTORY : directory;
	CLEANUP(fd) int fd = -1;

	log->file = text_format("%s%s.log", name, kind == LOG_SERIAL ? "-serial" : "");
	log->path = text_format("%s/%s", folder, log->file);
	if (strchr(name, '/') != NULL) {
		fail_add(fail, FAIL_FAIL, "the log of \"%s\" has no place", name);
		return fail_cause(fail, "%s leads out of its folder", log->path);
	}
	fd = open(log->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && hv_log_open(hv, folder, &log->remote, fail) < 0)
		return -1;
	*ret_log = STEAL(log);
	return 0;
}

void log_close(struct log *log)
{
	if (log == NULL)
		return;
	hv_log_close(log->remote);
	free(log->file);
	free(log->path);
	free(log);
}

const char *log_path(const struct log *log)
{
	return log->path;
}

static int unreadable(const struct log *log, struct fail *fail)
{
	fail_add(fail, FAIL_FAIL, "the log cannot be read");
	return fail_cause(fail, "%s: %s", log->path, strerror(errno));
}

/* Opened anew each time: it may be another file by now. 1: open; 0: there is none. */
static int open_file(const struct log *log, int *ret_fd, struct stat *ret_status, struct fail *fail)
{
	*ret_fd = open(log->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (*ret_fd < 0)
		return errno == ENOENT ? 0 : unreadable(log, fail);
	if (fstat(*ret_fd, ret_status) < 0)
		return unreadable(log, fail);
	if (!S_ISREG(ret_status->st_mode)) {
		errno = EINVAL;
		return unreadable(log, fail);
	}
	return 1;
}

int log_size(struct log *log, uint64_t *ret_bytes, bool *ret_exists, struct fail *fail)
{
	CLEANUP(fd) int fd = -1;
	struct stat status = { 0 };
	int opened;

	if (log->remote != NULL)
		return hv_log_size(log->remote, log->file, ret_bytes, ret_exists, fail);
	opened = open_file(log, &fd, &status, fail);
	if (opened < 0)
		return -1;
	*ret_exists = opened > 0;
	*ret_bytes = (uint64_t)status.st_size;
	return 0;
}

int log_read(struct log *log, uint64_t offset, char *buffer, size_t size, size_t *ret_count,
	     struct fail *fail)
{
	CLEANUP(fd) int fd = -1;
	struct stat status = { 0 };
	ssize_t count = 0;
	int opened;

	if (log->remote != NULL)
		return hv_log_read(log->remote, log->file, offset, buffer, size, ret_count, fail);
	opened = open_file(log, &fd, &status, fail);
	if (opened > 0)
		count = pread(fd, buffer, size, (off_t)offset);
	if (opened < 0 || count < 0)
		return opened < 0 ? -1 : unreadable(log, fail);
	*ret_count = (size_t)count;
	return 0;
}

int log_tail(struct log *log, unsigned lines, uint64_t *ret_offset, struct fail *fail)
{
	CLEANUP(text) char *block = mem_alloc(BLOCK, 1);
	uint64_t end = 0;
	unsigned seen = 0;
	bool exists;

	if (log_size(log, &end, &exists, fail) < 0)
		return -1;
	for (uint64_t upto = end; upto > 0;) {
		size_t size = upto < BLOCK ? (size_t)upto : BLOCK;
		size_t count = 0;

		if (log_read(log, upto - size, block, size, &count, fail) < 0)
			return -1;
		for (size_t i = count < size ? count : size; i-- > 0;) {
			/* The last line's own end is none before it. */
			if (block[i] == '\n' && upto - size + i + 1 < end && ++seen == lines) {
				*ret_offset = upto - size + i + 1;
				return 0;
			}
		}
		upto -= size;
	}
	*ret_offset = 0;
	return 0;
}

/* Bytes of a whole sequence at @at, 0 if there is none (ECMA-48, 5.4 and 8.3.89). */
static size_t sequence(const char *at, size_t left)
{
	size_t i = 2;

	if (left < 2 || at[0] != ESCAPE)
		return 0;
	if (at[1] == ']') {
		for (; i < left && i < MOST_SEQUENCE; i++) {
			if (at[i] == BELL)
				return i + 1;
			if (at[i] == ESCAPE)
				return i + 1 < left && at[i + 1] == '\\' ? i + 2 : 0;
		}
		return 0;
	}
	if (at[1] != '[')
		return 0;
	while (i < left && i < MOST_SEQUENCE && at[i] >= 0x20 && at[i] <= 0x3f)
		i++;
	return i < left && at[i] >= 0x40 && at[i] <= 0x7e ? i + 1 : 0;
}

/* The bytes from @at on that can be shown by text_printable() at once: up to a tab, a NUL or the next sequence. */
static size_t run_of(const char *at, size_t left)
{
	size_t run = 0;

	while (run < left && at[run] != '\0' && at[run] != '\t' && (run == 0 || at[run] != ESCAPE))
		run++;
	return run;
}

char *log_printable(const char *line, size_t length)
{
	char *text = mem_alloc(length * 4 + 1, 1);
	size_t used = 0;

	while (length > 0 && line[length - 1] == '\r')
		length--;
	for (size_t i = 0; i < length;) {
		CLEANUP(text) char *part = NULL;
		CLEANUP(text) char *safe = NULL;
		size_t skipped = sequence(line + i, length - i);
		size_t run = run_of(line + i, length - i);
		const char *shown = line[i] == '\t' ? "\t" : "\\x00";

		if (skipped > 0) {
			i += skipped;
			continue;
		}
		if (run > 0) {
			part = mem_strndup(line + i, run);
			shown = safe = text_printable(part, 0);
		}
		strcpy(text + used, shown);
		used += strlen(shown);
		i += run > 0 ? run : 1;
	}
	return text;
}

char *log_last(struct hv *hv, const char *directory, const char *name, enum log_kind kind,
	       unsigned lines)
{
	CLEANUP(fail) struct fail unreadable_log = { 0 };
	CLEANUP(log) struct log *log = NULL;
	CLEANUP(text) char *bytes = mem_alloc(MOST_LAST, 1);
	CLEANUP(text) char *text = NULL;
	uint64_t offset = 0;
	size_t count = 0;

	if (log_open(hv, directory, name, kind, &log, &unreadable_log) < 0 ||
	    log_tail(log, lines, &offset, &unreadable_log) < 0 ||
	    log_read(log, offset, bytes, MOST_LAST, &count, &unreadable_log) < 0)
		return NULL;
	for (size_t i = 0; i < count;) {
		const char *end = memchr(bytes + i, '\n', count - i);
		size_t length = end == NULL ? count - i : (size_t)(end - (bytes + i));
		CLEANUP(text) char *line = NULL;

		line = log_printable(bytes + i, length);
		text_join(&text, "\n", line);
		i += length + 1;
	}
	return STEAL(text);
}
