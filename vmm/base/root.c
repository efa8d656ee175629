// SPDX-License-Identifier: MIT
#include "vmm/base/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/bundle.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define TEXT_MOST  ((size_t)64 << 10)
#define BYTES_MOST ((size_t)16 << 20)

#define PATH_FROM(root, format)                                                                    \
	__extension__({                                                                            \
		va_list args_;                                                                     \
		char *path_;                                                                       \
		va_start(args_, format);                                                           \
		path_ = path_below((root), format, args_);                                         \
		va_end(args_);                                                                     \
		path_;                                                                             \
	})

/* Depth first, links themselves and not what they lead to. */
static void remove_tree(const char *dir)
{
	char *paths[] = { (char *)dir, NULL };
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	const FTSENT *entry;

	while (tree != NULL && (entry = fts_read(tree)) != NULL) {
		if (entry->fts_info == FTS_DP)
			rmdir(entry->fts_accpath);
		else if (entry->fts_info != FTS_D)
			unlink(entry->fts_accpath);
	}
	if (tree != NULL)
		fts_close(tree);
}

/* Nobody else may look into a snapshot, nor put a link in its way. */
static int unpack(struct root *root, const char *path, struct fail *fail)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = text_format("%s/gpuvm-XXXXXX", tmp == NULL || *tmp != '/' ? "/tmp" : tmp);

	free(root->dir);
	root->dir = dir;
	if (mkdtemp(dir) == NULL) {
		fail_add(fail, FAIL_FAIL, "--root %s: the snapshot cannot be unpacked", path);
		return fail_cause(fail, "%s: %s", dir, strerror(errno));
	}
	root->is_temporary = true;
	return bundle_unpack(path, dir, fail);
}

static int check_tree(const struct root *root, const char *path, struct fail *fail)
{
	CLEANUP(text) char *sys = text_format("%s/sys", root->dir);
	struct stat info;

	if (stat(sys, &info) == 0 && S_ISDIR(info.st_mode))
		return 0;
	fail_add(fail, FAIL_USAGE, "--root %s: not a host's file tree", path);
	fail_cause(fail, "%s: %s", root->is_temporary ? "sys in it" : sys,
		   strerror(errno == 0 ? ENOTDIR : errno));
	return fail_hint(fail, "give a snapshot (gpuvm snapshot FILE), or a directory that holds a "
			       "copy of /sys and /proc");
}

int root_open(const char *path, struct root **ret_root, struct fail *fail)
{
	CLEANUP(root) struct root *root = mem_alloc(1, sizeof *root);
	struct stat info;
	size_t length;

	root->live = path == NULL || strcmp(path, "/") == 0;
	root->dir = mem_strdup(root->live ? "" : path);
	length = strlen(root->dir);
	while (length > 1 && root->dir[length - 1] == '/')
		root->dir[--length] = '\0';
	if (!root->live && stat(path, &info) == 0 && S_ISREG(info.st_mode) &&
	    unpack(root, path, fail) < 0)
		return -1;
	if (!root->live && check_tree(root, path, fail) < 0)
		return -1;
	*ret_root = STEAL(root);
	return 0;
}

void root_free(struct root *root)
{
	if (root == NULL)
		return;
	if (root->is_temporary)
		remove_tree(root->dir);
	free(root->dir);
	free(root);
}

__attribute__((format(printf, 2, 0))) static char *path_below(const struct root *root,
							      const char *format, va_list args)
{
	CLEANUP(text) char *below = text_vformat(format, args);

	return text_format("%s%s", root->dir, below);
}

char *root_path(const struct root *root, const char *format, ...)
{
	return PATH_FROM(root, format);
}

/* What @fd may need that has more than @room bytes: its size and one, to see the end. */
static size_t more_room(int fd, size_t room, size_t most)
{
	struct stat stat;
	size_t size = fstat(fd, &stat) == 0 && stat.st_size > 0 ? (size_t)stat.st_size + 1 : 0;

	if (size > most)
		size = most;
	return size > room * 2 ? size : room * 2;
}

/* Reads to the end or @most bytes: files in /sys and /proc do not tell their length. */
static char *slurp(const char *path, size_t most, size_t *ret_length)
{
	CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	CLEANUP(text) char *bytes = NULL;
	size_t used = 0;
	size_t room = 4096;

	if (fd < 0)
		return NULL;
	bytes = mem_alloc(room + 1, 1);
	while (used < most) {
		ssize_t got = read(fd, bytes + used, room - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return NULL;
		if (got == 0)
			break;
		used += (size_t)got;
		if (used == room) {
			char *larger;

			room = more_room(fd, room, most);
			larger = mem_alloc(room + 1, 1);
			memcpy(larger, bytes, used);
			free(bytes);
			bytes = larger;
		}
	}
	if (used > most)
		used = most;
	bytes[used] = '\0';
	if (ret_length != NULL)
		*ret_length = used;
	return STEAL(bytes);
}

char *root_text(const struct root *root, const char *format, ...)
{
	CLEANUP(text) char *path = PATH_FROM(root, format);
	char *text = slurp(path, TEXT_MOST, NULL);
	size_t length = text == NULL ? 0 : strlen(text);

	while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
		text[--length] = '\0';
	return text;
}

char *root_bytes(const struct root *root, size_t *ret_length, const char *format, ...)
{
	CLEANUP(text) char *path = PATH_FROM(root, format);

	return slurp(path, BYTES_MOST, ret_length);
}

/* A file of one value gives all of it at once: asking for the end as well would double the cost. */
static bool read_value(const char *path, char *buffer, size_t size)
{
	CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got;

	if (fd < 0)
		return false;
	while ((got = read(fd, buffer, size - 1)) < 0 && errno == EINTR)
		;
	buffer[got < 0 ? 0 : got] = '\0';
	return got >= 0;
}

int64_t root_number(const struct root *root, int64_t fallback, const char *format, ...)
{
	CLEANUP(text) char *path = PATH_FROM(root, format);
	char text[64];
	char *end = NULL;
	long long value;

	if (!read_value(path, text, sizeof text))
		return fallback;
	errno = 0;
	value = strtoll(text, &end, text_starts(text, "0x") ? 16 : 10);
	if (errno != 0 || end == text || (*end != '\0' && *end != '\n'))
		return fallback;
	return value;
}

static char *link_target(const char *path)
{
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof target - 1);

	return length <= 0 ? NULL : mem_strndup(target, (size_t)length);
}

char *root_link(const struct root *root, const char *format, ...)
{
	CLEANUP(text) char *path = PATH_FROM(root, format);

	return link_target(path);
}

char *root_link_name(const struct root *root, const char *format, ...)
{
	CLEANUP(text) char *path = PATH_FROM(root, format);
	CLEANUP(text) char *target = link_target(path);
	const char *slash = target == NULL ? NULL : strrchr(target, '/');

	return mem_strdup(slash == NULL ? target : slash + 1);
}

bool root_character_device(const struct root *root, dev_t *ret_number, const char *format, ...)
{
	CLEANUP(text) char *path = PATH_FROM(root, format);
	struct stat info;

	if (!root->live || stat(path, &info) != 0 || !S_ISCHR(info.st_mode))
		return false;
	*ret_number = info.st_rdev;
	return true;
}

bool root_exists(const struct root *root, const char *format, ...)
{
	CLEANUP(text) char *path = PATH_FROM(root, format);

	return access(path, F_OK) == 0;
}

static int by_version(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

char **root_names(const struct root *root, const char *format, ...)
{
	CLEANUP(text) char *path = PATH_FROM(root, format);
	CLEANUP(dir) DIR *dir = opendir(path);
	int error = dir == NULL ? errno : 0;
	char **names = NULL;
	size_t count = 0;

	if (dir != NULL) {
		const struct dirent *entry;

		while ((entry = readdir(dir)) != NULL)
			if (!text_equal(entry->d_name, ".") && !text_equal(entry->d_name, ".."))
				*MEM_APPEND(names, count) = mem_strdup(entry->d_name);
	}
	if (count > 1)
		qsort(names, count, sizeof *names, by_version);
	*MEM_APPEND(names, count) = NULL;
	errno = error;
	return names;
}

void root_names_free(char **names)
{
	for (char **name = names; name != NULL && *name != NULL; name++)
		free(*name);
	free(names);
}
