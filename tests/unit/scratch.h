/* SPDX-License-Identifier: MIT */
/* For unit tests: a directory for one test, which everybody may enter, and processes beside the test's own. */
#ifndef GPUVM_TESTS_SCRATCH_H
#define GPUVM_TESTS_SCRATCH_H

#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define SCRATCH_NOBODY 65534

static inline char *scratch_new(void)
{
	char *directory = mem_strdup("/tmp/gpuvm-test-XXXXXX");

	assert_non_null(mkdtemp(directory));
	assert_int_equal(chmod(directory, 0755), 0);
	return directory;
}

static inline void scratch_free(char *directory)
{
	CLEANUP(text) char *command = text_format("rm -rf '%s'", directory);

	if (directory != NULL && system(command) != 0)
		fputs("a scratch directory stays behind\n", stderr);
	free(directory);
}
CLEANUP_DEFINE(scratch, char, scratch_free)

/* The file @path has @text in it. */
static inline void scratch_fill(const char *path, const char *text)
{
	CLEANUP(file) FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
}

/* DIRECTORY/NAME with @text in it; the path. The caller frees. */
static inline char *scratch_write(const char *directory, const char *name, const char *text)
{
	char *path = text_format("%s/%s", directory, name);

	scratch_fill(path, text);
	return path;
}

/* @path, and what leads to it. */
static inline void scratch_make_directories(const char *path)
{
	CLEANUP(text) char *part = text_format("%s/", path);

	for (char *at = strchr(part + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
		*at = '\0';
		(void)mkdir(part, 0755);
		*at = '/';
	}
}

static inline bool scratch_become(uid_t uid)
{
	return uid == 0 || (setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 &&
			    setresuid(uid, uid, uid) == 0);
}

/* Runs @body in a process of its own, as @uid (0: as the caller); its result, or -1 if it was killed. */
static inline int scratch_as(uid_t uid, int (*body)(const void *data), const void *data)
{
	pid_t child = fork();
	int status = 0;

	assert_true(child >= 0);
	if (child == 0)
		_exit(scratch_become(uid) ? body(data) : 120);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A process that runs @body, which must succeed, and stays until it is killed. */
struct scratch_process {
	pid_t pid;
};

static inline struct scratch_process *scratch_spawn(int (*body)(const void *data), const void *data)
{
	struct scratch_process *process = mem_alloc(1, sizeof *process);
	int ready[2];
	char byte = 'x';

	assert_int_equal(pipe(ready), 0);
	process->pid = fork();
	assert_true(process->pid >= 0);
	if (process->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		byte = body(data) == 0 ? 'y' : 'n';
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_int_equal(byte, 'y');
	return process;
}

static inline void scratch_kill(struct scratch_process *process)
{
	if (process == NULL)
		return;
	kill(process->pid, SIGKILL);
	waitpid(process->pid, NULL, 0);
	free(process);
}
CLEANUP_DEFINE(scratch_process, struct scratch_process, scratch_kill)

static inline bool scratch_is_root(void)
{
	return geteuid() == 0;
}

/* @result is 0; else @fail is told. */
static inline void assert_works(int result, const struct fail *fail)
{
	const struct fail_item *item = fail->items;

	if (result < 0 && item != NULL)
		fail_msg("%s / %s / %s", item->what, item->cause, item->hint);
	assert_int_equal(result, 0);
}

/* The first failure is of this kind, and its text, cause or hint has @word in it (NULL: any). */
static inline void assert_fails(const struct fail *fail, enum fail_kind kind, const char *word)
{
	const struct fail_item *item = fail->items;

	if (fail->kind != kind)
		fail_msg("kind %d, not %d: %s", (int)fail->kind, (int)kind,
			 item == NULL ? "no failure" : item->what);
	if (word != NULL && !text_contains(item->what, word) &&
	    (item->cause == NULL || !text_contains(item->cause, word)) &&
	    (item->hint == NULL || !text_contains(item->hint, word)))
		fail_msg("\"%s\" is not in: %s / %s / %s", word, item->what, item->cause,
			 item->hint);
}

/* As a case has it: it works (FAIL_NONE), or fails like this. */
static inline void assert_result(int result, const struct fail *fail, enum fail_kind kind,
				 const char *word)
{
	if (kind == FAIL_NONE) {
		assert_works(result, fail);
		assert_int_equal(fail->kind, FAIL_NONE);
		return;
	}
	assert_int_equal(result, -1);
	assert_fails(fail, kind, word);
}

#endif
