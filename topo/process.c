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

/* A name may hold anything, parentheses too: it ends at the last one. */
static bool read_stat(const char *text, struct process *process)
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
	process->is_kernel = (flags & KERNEL_THREAD) != 0;
	return true;
}

struct process_list *process_list_read(const struct root *root)
{
	struct process_list *list = mem_alloc(1, sizeof *list);
	CLEANUP(root_names) char **names = root_names(root, "/proc");

	for (char **name = names; *name != NULL; name++) {
		struct process process = { 0 };
		CLEANUP(text) char *text = NULL;
		unsigned long long pid;

		if (!text_number(*name, &pid) || pid > INT_MAX)
			continue;
		text = root_text(root, "/proc/%s/stat", *name);
		process.pid = (pid_t)pid;
		if (text != NULL && read_stat(text, &process))
			*MEM_APPEND(list->processes, list->count) = process;
	}
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
