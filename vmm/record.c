// SPDX-License-Identifier: MIT
#include "vmm/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/record_text.h"

#define LOCK_POLL_MS 20
#define LOCK_MOST_MS 2000 /* a writer needs a few milliseconds */

/* A record on its way to its name; nothing else in the directories begins with a dot. */
#define UNFINISHED ".unfinished-"

static const char *const names[RECORD_KINDS] = {
	[RECORD_HELD] = "held",
	[RECORD_DRAINED] = "drained",
	[RECORD_QUARANTINED] = "quarantined",
};

const char *record_kind_name(enum record_kind kind)
{
	return names[kind];
}

static char *path_of(const struct root *root, enum record_kind kind)
{
	return root_path(root, RECORD_DIRECTORY "/%s", names[kind]);
}

static int open_directory(const struct root *root, enum record_kind kind)
{
	CLEANUP(text) char *path = path_of(root, kind);

	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int not_usable(const char *path, int error, struct fail *fail)
{
	fail_add(fail, FAIL_HOST, "what is known of this host's GPUs cannot be kept");
	fail_cause(fail, "%s: %s", path, strerror(error));
	if (error == EACCES || error == EPERM)
		return fail_hint(fail, "sudo adduser $USER libvirt   then log in again; if you "
				       "are in it: sudo systemd-tmpfiles --create gpuvm.conf");
	if (error == ENOENT)
		return fail_hint(fail, "sudo systemd-tmpfiles --create gpuvm.conf");
	if (error == EISDIR || error == ENOTEMPTY || error == ENOTDIR || error == ELOOP)
		return fail_hint(fail,
				 "something else than a record is there: sudo rm -r %s; "
				 "sudo systemd-tmpfiles --create gpuvm.conf",
				 path);
	return fail_hint(fail, "see what is wrong there: ls -la %s; df %s", path, path);
}

int record_check(const struct root *root, struct fail *fail)
{
	for (int i = 0; i < RECORD_KINDS; i++) {
		CLEANUP(text) char *path = path_of(root, (enum record_kind)i);
		CLEANUP(fd) int directory = open_directory(root, (enum record_kind)i);

		if (directory < 0 || faccessat(directory, ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0)
			return not_usable(path, errno, fail);
	}
	return 0;
}

static void set_problem(struct record *record, bool is_damaged, const char *problem)
{
	record->problem = mem_strdup(problem);
	record->is_damaged = is_damaged;
}

/* Up to one byte more than a record may have. */
static void read_file(int fd, struct record *record)
{
	CLEANUP(text) char *text = mem_alloc(RECORD_TEXT_MOST_BYTES + 1, 1);
	size_t used = 0;
	ssize_t got = 1;

	while (got > 0 && used <= RECORD_TEXT_MOST_BYTES) {
		got = pread(fd, text + used, RECORD_TEXT_MOST_BYTES + 1 - used, (off_t)used);
		used += got > 0 ? (size_t)got : 0;
	}
	if (got < 0)
		set_problem(record, false, strerror(errno));
	else if (used > RECORD_TEXT_MOST_BYTES)
		set_problem(record, true, "it is too long");
	else
		record_text_parse(text, used, record);
}

/* Of a file that is not gpuvm's even its opening could have effects: a device's, a pipe's. */
static void read_record(int directory, struct record *record)
{
	CLEANUP(fd)
	int fd = openat(directory, record->address, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat info;

	if (fd < 0)
		set_problem(record, errno == ELOOP || errno == ENXIO,
			    errno == ELOOP ? "it is a link" : strerror(errno));
	else if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
		set_problem(record, true, "it is not a file");
	else if (info.st_nlink > 1)
		set_problem(record, true, "it has a second name");
	else
		read_file(fd, record);
}

static bool exists(int directory, const char *name)
{
	struct stat info;

	return fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) == 0;
}

static void scan_kind(const struct root *root, enum record_kind kind, struct record_list *list)
{
	CLEANUP(fd) int directory = open_directory(root, kind);
	CLEANUP(root_names)
	char **files = directory < 0 ? NULL : root_names(root, RECORD_DIRECTORY "/%s", names[kind]);

	for (char **file = files; file != NULL && *file != NULL; file++) {
		struct record record = { .kind = kind };

		if (!device_parse_address(*file, record.address) ||
		    !text_equal(record.address, *file))
			continue;
		read_record(directory, &record);
		/* It may have been removed meanwhile. */
		if (record.problem != NULL && !exists(directory, *file))
			record_done(&record);
		else
			*MEM_APPEND(list->records, list->count) = record;
	}
}

struct record_list *record_scan(const struct root *root)
{
	struct record_list *list = mem_alloc(1, sizeof *list);

	for (int i = 0; i < RECORD_KINDS; i++)
		scan_kind(root, (enum record_kind)i, list);
	return list;
}

void record_done(struct record *record)
{
	for (size_t i = 0; i < record->function_count; i++)
		free(record->functions[i].driver);
	free(record->functions);
	free(record->problem);
	free(record->vm);
	free(record->uuid);
	free(record->section);
	free(record->user);
	free(record->reason);
	*record = (struct record){ .kind = record->kind };
}

void record_list_free(struct record_list *list)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < list->count; i++)
		record_done(&list->records[i]);
	free(list->records);
	free(list);
}

const struct record *record_find(const struct record_list *list, enum record_kind kind,
				 const char *address)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->records[i].kind == kind && text_equal(list->records[i].address, address))
			return &list->records[i];
	return NULL;
}

/* The lock ends with the descriptor. */
static int open_locked(const struct root *root, enum record_kind kind, int *ret_directory,
		       struct fail *fail)
{
	const struct timespec step = { .tv_nsec = LOCK_POLL_MS * 1000000L };
	CLEANUP(text) char *path = path_of(root, kind);
	CLEANUP(fd) int directory = open_directory(root, kind);

	if (directory < 0)
		return not_usable(path, errno, fail);
	for (unsigned waited_ms = 0; flock(directory, LOCK_EX | LOCK_NB) != 0;
	     waited_ms += LOCK_POLL_MS) {
		if (errno != EWOULDBLOCK)
			return not_usable(path, errno, fail);
		if (waited_ms >= LOCK_MOST_MS) {
			fail_add(fail, FAIL_BUSY,
				 "somebody keeps what is known of the GPUs locked");
			fail_cause(fail, "%s is locked", path);
			return fail_hint(fail, "see who: fuser -v %s", path);
		}
		nanosleep(&step, NULL);
	}
	*ret_directory = directory;
	directory = -1;
	return 0;
}

/* Behind the lock nobody is writing: what is not finished never will be. */
static size_t sweep(const struct root *root, enum record_kind kind, int directory)
{
	CLEANUP(root_names)
	char **files = root_names(root, RECORD_DIRECTORY "/%s", names[kind]);
	size_t count = 0;

	for (char **file = files; *file != NULL; file++)
		if (text_starts(*file, UNFINISHED) && unlinkat(directory, *file, 0) == 0)
			count++;
	return count;
}

static bool has_unfinished(const struct root *root, enum record_kind kind)
{
	CLEANUP(root_names)
	char **files = root_names(root, RECORD_DIRECTORY "/%s", names[kind]);

	for (char **file = files; *file != NULL; file++)
		if (text_starts(*file, UNFINISHED))
			return true;
	return false;
}

size_t record_sweep(const struct root *root)
{
	size_t count = 0;

	for (int i = 0; i < RECORD_KINDS; i++) {
		CLEANUP(fail) struct fail ignored = { 0 };
		CLEANUP(fd) int directory = -1;

		if (has_unfinished(root, (enum record_kind)i) &&
		    open_locked(root, (enum record_kind)i, &directory, &ignored) == 0)
			count += sweep(root, (enum record_kind)i, directory);
	}
	return count;
}

/* The user's umask must not keep the group out. */
static bool write_file(int directory, const char *name, const char *text)
{
	CLEANUP(fd)
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0660);
	size_t length = strlen(text);

	if (fd >= 0)
		errno = ENOSPC; /* what a short write means */
	return fd >= 0 && fchmod(fd, 0660) == 0 && write(fd, text, length) == (ssize_t)length &&
	       fsync(fd) == 0;
}

int record_write(const struct root *root, const struct record *record, struct fail *fail)
{
	CLEANUP(text) char *text = record_text_format(record);
	CLEANUP(text) char *unfinished = text_format(UNFINISHED "%s", record->address);
	CLEANUP(fd) int directory = -1;
	CLEANUP(text) char *path = NULL;
	int error;

	if (open_locked(root, record->kind, &directory, fail) < 0)
		return -1;
	(void)sweep(root, record->kind, directory);
	if (write_file(directory, unfinished, text) &&
	    renameat(directory, unfinished, directory, record->address) == 0 &&
	    fsync(directory) == 0)
		return 0;
	error = errno;
	(void)unlinkat(directory, unfinished, 0);
	path = root_path(root, RECORD_DIRECTORY "/%s/%s", names[record->kind], record->address);
	return not_usable(path, error, fail);
}

/* Whether the file still says what @record does; what cannot be believed is compared with nothing. */
static bool is_same(int directory, const struct record *record)
{
	struct record now = { .kind = record->kind };
	bool same;

	if (record->problem != NULL)
		return true;
	memcpy(now.address, record->address, sizeof now.address);
	read_record(directory, &now);
	same = text_equal(now.uuid, record->uuid) && now.since == record->since &&
	       now.uid == record->uid;
	record_done(&now);
	return same;
}

int record_remove(const struct root *root, const struct record *record, struct fail *fail)
{
	CLEANUP(fd) int directory = -1;
	CLEANUP(text) char *path = NULL;
	int error;

	if (open_locked(root, record->kind, &directory, fail) < 0)
		return -1;
	(void)sweep(root, record->kind, directory);
	if (!is_same(directory, record) || unlinkat(directory, record->address, 0) == 0 ||
	    errno == ENOENT)
		return 0;
	error = errno;
	if (error == EISDIR && (unlinkat(directory, record->address, AT_REMOVEDIR) == 0))
		return 0;
	path = root_path(root, RECORD_DIRECTORY "/%s/%s", names[record->kind], record->address);
	return not_usable(path, error, fail);
}
