// SPDX-License-Identifier: MIT
#include "vmm/setup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define UNFINISHED                                                                                 \
	".gpuvm-unfinished" /* no program reads a file that begins with a dot and ends so */

static int not_usable(const char *path, const char *why, struct fail *fail)
{
	fail_add(fail, FAIL_HOST, "%s cannot be edited", path);
	fail_cause(fail, "%s", why);
	if (text_equal(why, strerror(EACCES)))
		return fail_hint(fail, "run it as root: sudo gpuvm setup-host --dry-run");
	return fail_hint(fail, "see what is there: ls -l %s", path);
}

static int failed(const char *path, const char *call, struct fail *fail)
{
	int error = errno;

	fail_add(fail, FAIL_FAIL, "%s could not be changed", path);
	return fail_cause(fail, "%s: %s", call, strerror(error));
}

static const char *reason(int error)
{
	return error == ELOOP || error == ENOTDIR
		       ? "it, or a folder on the way to it, is a symbolic link or no folder"
		       : strerror(error);
}

/* The folder that @path is in; *@ret_name is its last part. -1 with errno. */
static int open_parent(const struct root *root, const char *path, const char **ret_name)
{
	int folder = open(*root->dir == '\0' ? "/" : root->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *part = path + strspn(path, "/");

	while (folder >= 0 && strchr(part, '/') != NULL) {
		CLEANUP(text) char *name = mem_strndup(part, strcspn(part, "/"));
		int next = openat(folder, text_equal(name, "..") ? "" : name,
				  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int error = errno;

		close(folder);
		errno = error;
		folder = next;
		part += strlen(name);
		part += strspn(part, "/");
	}
	*ret_name = part;
	return folder;
}

/* Takes @text. */
static char *shrink(char *text, size_t length)
{
	char *exact = mem_strndup(text, length);

	free(text);
	return exact;
}

/* NULL, or what is wrong with it. */
static const char *read_text(int fd, struct setup_file *file)
{
	file->text = mem_alloc(SETUP_FILE_MOST_BYTES + 2, 1);
	while (file->length <= SETUP_FILE_MOST_BYTES) {
		ssize_t got = read(fd, file->text + file->length,
				   SETUP_FILE_MOST_BYTES + 1 - file->length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return strerror(errno);
		if (got == 0)
			break;
		file->length += (size_t)got;
	}
	if (file->length > SETUP_FILE_MOST_BYTES)
		return "it has more than 1 MiB";
	if (strlen(file->text) < file->length)
		return "it has NUL bytes, and is no text";
	file->text = shrink(file->text, file->length);
	return NULL;
}

static const char *read_file(int fd, struct setup_file *file)
{
	struct stat info;

	if (fstat(fd, &info) != 0)
		return strerror(errno);
	if (!S_ISREG(info.st_mode))
		return "it is no plain file";
	if (info.st_nlink > 1)
		return "it has a second name (a hard link), whose file would not be changed";
	file->exists = true;
	file->mode = info.st_mode & 07777;
	file->uid = info.st_uid;
	file->gid = info.st_gid;
	return read_text(fd, file);
}

int setup_file_read(const struct root *root, const char *path, struct setup_file *ret_file,
		    struct fail *fail)
{
	struct setup_file file = { .mode = 0644 };
	const char *name;
	CLEANUP(fd) int folder = open_parent(root, path, &name);
	CLEANUP(fd) int fd = -1;
	const char *wrong = NULL;

	if (folder >= 0)
		fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		return not_usable(path, reason(errno), fail);
	if (fd < 0)
		file.text = mem_strdup("");
	else
		wrong = read_file(fd, &file);
	if (wrong != NULL) {
		setup_file_done(&file);
		return not_usable(path, wrong, fail);
	}
	*ret_file = file;
	return 0;
}

void setup_file_done(struct setup_file *file)
{
	free(file->text);
	memset(file, 0, sizeof *file);
}

bool setup_file_same(const struct setup_file *a, const struct setup_file *b)
{
	return a->exists == b->exists &&
	       (!a->exists || (a->length == b->length && memcmp(a->text, b->text, a->length) == 0));
}

/* The call that failed, or NULL. */
static const char *write_all(int fd, const struct setup_file *file)
{
	for (size_t at = 0; at < file->length;) {
		ssize_t done = write(fd, file->text + at, file->length - at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return "write";
		at += (size_t)done;
	}
	if (geteuid() == 0 && fchown(fd, file->uid, file->gid) != 0)
		return "fchown";
	if (fchmod(fd, file->mode) != 0)
		return "fchmod";
	return fsync(fd) == 0 ? NULL : "fsync";
}

static const char *replace(int folder, const char *name, const struct setup_file *file)
{
	CLEANUP(text) char *unfinished = text_format(".%s" UNFINISHED, name);
	CLEANUP(fd) int fd = -1;
	const char *call;

	unlinkat(folder, unfinished, 0);
	fd = openat(folder, unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return "open";
	call = write_all(fd, file);
	if (call == NULL && renameat(folder, unfinished, folder, name) != 0)
		call = "rename";
	if (call != NULL) {
		int error = errno;

		unlinkat(folder, unfinished, 0);
		errno = error;
	}
	return call;
}

int setup_file_put(const struct root *root, const char *path, const struct setup_file *file,
		   struct fail *fail)
{
	const char *name;
	CLEANUP(fd) int folder = open_parent(root, path, &name);
	const char *call;

	if (folder < 0 && errno == ENOENT && !file->exists)
		return 0;
	if (folder < 0)
		return failed(path, "open", fail);
	if (file->exists)
		call = replace(folder, name, file);
	else
		call = unlinkat(folder, name, 0) == 0 || errno == ENOENT ? NULL : "unlink";
	if (call == NULL && fsync(folder) != 0)
		call = "fsync";
	return call == NULL ? 0 : failed(path, call, fail);
}

bool setup_file_is_unfinished(const struct root *root, const char *path)
{
	const char *name;
	CLEANUP(fd) int folder = open_parent(root, path, &name);
	CLEANUP(text) char *unfinished = text_format(".%s" UNFINISHED, name);

	return folder >= 0 && faccessat(folder, unfinished, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void setup_file_sweep(const struct root *root, const char *path)
{
	const char *name;
	CLEANUP(fd) int folder = open_parent(root, path, &name);
	CLEANUP(text) char *unfinished = text_format(".%s" UNFINISHED, name);

	if (folder >= 0)
		unlinkat(folder, unfinished, 0);
}

int setup_file_make_folder(const struct root *root, const char *path, mode_t mode,
			   struct fail *fail)
{
	const char *name;
	CLEANUP(fd) int parent = open_parent(root, path, &name);
	struct stat info;
	mode_t mask = umask(0);
	int made = parent < 0 ? -1 : mkdirat(parent, name, mode);
	int error = errno;

	umask(mask);
	errno = error;
	if (made != 0 && (parent < 0 || errno != EEXIST))
		return failed(path, "mkdir", fail);
	if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(info.st_mode))
		return not_usable(path, reason(ENOTDIR), fail);
	if (fsync(parent) != 0)
		return failed(path, "fsync", fail);
	return 0;
}

void setup_file_remove_folder(const struct root *root, const char *path)
{
	const char *name;
	CLEANUP(fd) int parent = open_parent(root, path, &name);

	if (parent >= 0)
		unlinkat(parent, name, AT_REMOVEDIR);
}

char **setup_file_missing_folders(const struct root *root, const char *path)
{
	char **folders = mem_alloc(1, sizeof *folders);
	size_t count = 0;

	for (const char *slash = strchr(path + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		CLEANUP(text) char *folder = mem_strndup(path, (size_t)(slash - path));

		if (root_exists(root, "%s", folder))
			continue;
		*MEM_APPEND(folders, count) = STEAL(folder);
	}
	(void)MEM_APPEND(folders, count);
	return folders;
}
