// SPDX-License-Identifier: MIT
#include "topo/process.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define KERNEL_THREAD 0x00200000 /* PF_KTHREAD, include/linux/sched.h */
#define KTHREADD      2 /* the parent of all kernel threads but itself, where the kernel has its pid */

/* A name may hold anything, parentheses too: it ends at the last one. */
static bool read_stat(const char *text, struct process *process, bool *ret_is_kernel)
{
	const char *open = strchr(text, '(');
	const char *close = strrchr(text, ')');
	CLEANUP(text) char *name = NULL;
	unsigned flags;

	if (open == NULL || close == NULL || close < open)
		return false;
	if (sscanf(close + 1,
		   " %*c %*s %*s %*s %*s %*s %u %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
		   "%" SCNu64,
		   &flags, &process->started_ticks) != 2)
		return false;
	name = mem_strndup(open + 1, (size_t)(close - open - 1));
	process->name = text_printable(name, 64);
	*ret_is_kernel = (flags & KERNEL_THREAD) != 0;
	return true;
}

/* False if it vanished. */
static bool read_process(const struct root *root, pid_t pid, struct process *process,
			 bool *ret_is_kernel)
{
	CLEANUP(text) char *text = root_text(root, "/proc/%d/stat", (int)pid);

	return text != NULL && read_stat(text, process, ret_is_kernel);
}

static int by_pid(const void *a, const void *b)
{
	pid_t left = *(const pid_t *)a;
	pid_t right = *(const pid_t *)b;

	return (left > right) - (left < right);
}

/*
 * The children of kthreadd: a large host has thousands, and each costs as much to look at as a process. In
 * a container pid 2 may be anybody. Sorted; the caller frees.
 */
static pid_t *kernel_threads(const struct root *root, size_t *ret_count)
{
	struct process kthreadd = { 0 };
	bool is_kernel = false;
	CLEANUP(text) char *children = NULL;
	pid_t *pids = NULL;
	char *rest;
	char *word;

	*ret_count = 0;
	if (read_process(root, KTHREADD, &kthreadd, &is_kernel) && is_kernel)
		children = root_bytes(root, NULL, "/proc/%d/task/%d/children", KTHREADD, KTHREADD);
	free(kthreadd.name);
	rest = children;
	while ((word = strsep(&rest, " ")) != NULL) {
		unsigned long long pid;

		if (text_number(word, &pid) && pid <= INT_MAX)
			*MEM_APPEND(pids, *ret_count) = (pid_t)pid;
	}
	if (*ret_count > 1)
		qsort(pids, *ret_count, sizeof *pids, by_pid);
	return pids;
}

static void add(const struct root *root, pid_t pid, struct process_list *list)
{
	struct process process = { .pid = pid };
	bool is_kernel;

	if (!read_process(root, pid, &process, &is_kernel))
		return;
	if (is_kernel)
		free(process.name);
	else
		*MEM_APPEND(list->processes, list->count) = process;
}

struct process_list *process_list_read(const struct root *root)
{
	struct process_list *list = mem_alloc(1, sizeof *list);
	CLEANUP(root_names) char **names = root_names(root, "/proc");
	size_t thread_count;
	pid_t *threads = kernel_threads(root, &thread_count);

	for (char **name = names; *name != NULL; name++) {
		unsigned long long number;
		pid_t pid;

		if (!text_number(*name, &number) || number > INT_MAX)
			continue;
		pid = (pid_t)number;
		if (thread_count == 0 ||
		    bsearch(&pid, threads, thread_count, sizeof pid, by_pid) == NULL)
			add(root, pid, list);
	}
	free(threads);
	return list;
}

void process_list_free(struct process_list *list)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < list->count; i++)
		free(list->processes[i].name);
	free(list->processes);
	free(list);
}

/* The number behind @label at the start of a line of @text, or -1. */
static int64_t labelled(const char *text, const char *label)
{
	size_t length = strlen(label);
	int64_t number;

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, label, length) == 0 &&
		    sscanf(line + length, " %" SCNd64, &number) == 1)
			return number;
	}
	return -1;
}

uid_t process_uid(const struct root *root, pid_t pid)
{
	CLEANUP(text) char *status = root_text(root, "/proc/%d/status", (int)pid);

	return (uid_t)labelled(status, "Uid:");
}

int64_t process_started_at(const struct root *root, const struct process *process)
{
	CLEANUP(text) char *stat = root_bytes(root, NULL, "/proc/stat");
	int64_t boot = labelled(stat, "btime");

	return boot < 0 ? -1
			: boot + (int64_t)(process->started_ticks / (uint64_t)sysconf(_SC_CLK_TCK));
}

bool process_has_option(const struct root *root, pid_t pid, const char *option, const char *value)
{
	size_t length = 0;
	CLEANUP(text) char *line = root_bytes(root, &length, "/proc/%d/cmdline", (int)pid);
	bool is_next = false;

	for (const char *word = line; word != NULL && word < line + length;
	     word += strlen(word) + 1) {
		if (is_next && text_equal(word, value))
			return true;
		is_next = text_equal(word, option);
	}
	return false;
}
