// SPDX-License-Identifier: MIT
/*
 * diff(1) makes the difference: every Debian has it (diffutils is essential), admins know what it prints, and no library
 * among gpuvm's has one. It reads copies in memory; the tree is not touched.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/setup_internal.h"

#define PROGRAM    "/usr/bin/diff"
#define MOST_BYTES ((size_t)256 << 10) /* shown; the rest is counted as cut off */

static int failed(const char *what, int error, struct fail *fail)
{
	fail_add(fail, FAIL_FAIL, "the difference cannot be shown");
	fail_cause(fail, "%s: %s", what, strerror(error));
	return fail_hint(fail, "sudo apt install diffutils");
}

static int in_memory(const struct setup_file *file)
{
	int fd = memfd_create("gpuvm-setup", 0);
	size_t at = 0;

	while (fd >= 0 && at < file->length) {
		ssize_t done = write(fd, file->text + at, file->length - at);

		if (done <= 0)
			break;
		at += (size_t)done;
	}
	return fd;
}

static char *read_all(int fd)
{
	CLEANUP(text) char *text = mem_alloc(MOST_BYTES + 1, 1);
	char rest[4096];
	size_t used = 0;
	ssize_t got;

	while (used < MOST_BYTES && ((got = read(fd, text + used, MOST_BYTES - used)) > 0 ||
				     (got < 0 && errno == EINTR)))
		used += got > 0 ? (size_t)got : 0;
	while (used == MOST_BYTES && read(fd, rest, sizeof rest) > 0)
		;
	return text_format("%s%s", text, used == MOST_BYTES ? "\n(and more)\n" : "");
}

static int run(const struct setup_edit *edit, int before, int after, char **ret_text,
	       int *ret_status)
{
	CLEANUP(text) char *old_file = text_format("/proc/self/fd/%d", before);
	CLEANUP(text) char *new_file = text_format("/proc/self/fd/%d", after);
	const char *old_label = edit->before.exists ? edit->path : "/dev/null";
	const char *new_label = edit->after.exists ? edit->path : "/dev/null";
	const char *argv[] = { PROGRAM,   "-u", "-a",     "--label", old_label, "--label",
			       new_label, "--", old_file, new_file,  NULL };
	char *const environment[] = { (char *)"LC_ALL=C", NULL };
	CLEANUP(fd) int end = -1;
	posix_spawn_file_actions_t actions;
	int ends[2];
	pid_t pid;
	int error;

	if (pipe(ends) != 0)
		return errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	error = posix_spawn(&pid, PROGRAM, &actions, NULL, (char *const *)argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	end = ends[0];
	if (error != 0)
		return error;
	*ret_text = read_all(end);
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
	return 0;
}

int setup_diff(const struct setup_edit *edit, char **ret_text, struct fail *fail)
{
	CLEANUP(fd) int before = in_memory(&edit->before);
	CLEANUP(fd) int after = in_memory(&edit->after);
	CLEANUP(text) char *text = NULL;
	int status = 0;
	int error;

	if (before < 0 || after < 0)
		return failed("memfd_create", errno, fail);
	error = run(edit, before, after, &text, &status);
	if (error != 0)
		return failed(PROGRAM, error, fail);
	/* 0: the same, 1: different (diff(1)). */
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return failed(PROGRAM, EIO, fail);
	*ret_text = STEAL(text);
	return 0;
}
