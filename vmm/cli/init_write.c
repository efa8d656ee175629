// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/init_internal.h"

static int exists_already(const struct init *init, const char *path, struct fail *fail)
{
	fail_add(fail, FAIL_USAGE, "%s is there already", path);
	if (init->cli->output != NULL)
		return fail_hint(fail, "write another file, or replace this one: --force");
	return fail_hint(fail, "take another name, or replace the file: gpuvm init --force");
}

/* Only a plain file is replaced: not a device, nor what a link leads to. */
static int check_free(const struct init *init, const char *path, struct fail *fail)
{
	struct stat about;

	if (lstat(path, &about) != 0)
		return 0;
	if (!init->cli->force.is_set)
		return exists_already(init, path, fail);
	if (S_ISREG(about.st_mode))
		return 0;
	fail_add(fail, FAIL_USAGE, "%s is no plain file, and is not replaced", path);
	return fail_hint(fail, "gpuvm init --output FILE.ini");
}

int init_choose_path(struct init *init, struct fail *fail)
{
	CLEANUP(text) char *path = mem_strdup(init->cli->output);

	if (path == NULL)
		path = text_format("%s.ini", init_draft_get(&init->draft, "vm", "name"));
	if (!text_equal(path, "-") && check_free(init, path, fail) < 0)
		return -1;
	free(init->path);
	init->path = STEAL(path);
	return 0;
}

static int not_written(const char *path, const char *call, struct fail *fail)
{
	int error = errno;

	fail_add(fail, FAIL_FAIL, "%s could not be written", path);
	return fail_cause(fail, "%s: %s", call, strerror(error));
}

static const char *write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t done = write(fd, text, left);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return "write";
		text += done;
		left -= (size_t)done;
	}
	return fsync(fd) == 0 ? NULL : "fsync";
}

/* File systems without renameat2's flag can link. */
static const char *move_without_replacing(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return NULL;
	if (errno != EINVAL && errno != ENOSYS)
		return "rename";
	if (link(from, to) != 0)
		return "link";
	unlink(from);
	return NULL;
}

static const char *fill(int fd, const char *temporary, const char *text, const char *path,
			bool replaces)
{
	mode_t mask = umask(0);
	const char *call;

	umask(mask);
	if (fchmod(fd, 0644 & ~mask) != 0)
		return "fchmod";
	call = write_all(fd, text);
	if (call != NULL)
		return call;
	if (!replaces)
		return move_without_replacing(temporary, path);
	return rename(temporary, path) == 0 ? NULL : "rename";
}

int init_write(const struct init *init, const char *text, struct fail *fail)
{
	CLEANUP(text) char *temporary = text_format("%s.XXXXXX", init->path);
	CLEANUP(fd) int fd = mkostemp(temporary, O_CLOEXEC);
	const char *call;

	if (fd < 0)
		return not_written(init->path, "open", fail);
	call = fill(fd, temporary, text, init->path, init->cli->force.is_set);
	if (call == NULL)
		return 0;
	if (errno == EEXIST)
		exists_already(init, init->path, fail);
	else
		not_written(init->path, call, fail);
	unlink(temporary);
	return -1;
}
