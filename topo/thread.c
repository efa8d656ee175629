// SPDX-License-Identifier: MIT
#include "topo/thread.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define ALLOWED    "\nCpus_allowed_list:"
#define MOST_NAME  64
#define MOST_TASKS 65536

/* NULL if the line is not there. New bitmap. */
static hwloc_bitmap_t allowed_of(char *status)
{
	char *list = strstr(status, ALLOWED);
	hwloc_bitmap_t cpus;

	if (list == NULL)
		return NULL;
	list += strlen(ALLOWED);
	list[strcspn(list, "\n")] = '\0';
	list = text_trim(list);
	cpus = hwloc_bitmap_alloc();
	if (*list == '\0' || strspn(list, "0123456789,-") != strlen(list) ||
	    hwloc_bitmap_list_sscanf(cpus, list) < 0) {
		hwloc_bitmap_free(cpus);
		return NULL;
	}
	return cpus;
}

static void add(struct thread_list *list, const struct root *root, pid_t pid, pid_t tid)
{
	CLEANUP(text)
	char *status = root_text(root, "/proc/%d/task/%d/status", (int)pid, (int)tid);
	CLEANUP(text)
	char *name = root_text(root, "/proc/%d/task/%d/comm", (int)pid, (int)tid);
	hwloc_bitmap_t cpus = status == NULL || name == NULL ? NULL : allowed_of(status);

	if (cpus != NULL)
		*MEM_APPEND(list->threads, list->count) = (struct thread){
			.tid = tid, .name = text_printable(name, MOST_NAME), .cpus = cpus
		};
}

struct thread_list *thread_list_read(const struct root *root, pid_t pid)
{
	struct thread_list *list = mem_alloc(1, sizeof *list);
	CLEANUP(root_names) char **names = root_names(root, "/proc/%d/task", (int)pid);

	for (char **name = names; *name != NULL && list->count < MOST_TASKS; name++) {
		unsigned long long tid;

		if (text_number(*name, &tid) && tid > 0 && tid <= INT_MAX)
			add(list, root, pid, (pid_t)tid);
	}
	return list;
}

void thread_list_free(struct thread_list *list)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < list->count; i++) {
		free(list->threads[i].name);
		hwloc_bitmap_free(list->threads[i].cpus);
	}
	free(list->threads);
	free(list);
}

char *thread_path(pid_t pid, pid_t tid)
{
	return text_format("/proc/%d/task/%d/status", (int)pid, (int)tid);
}

char *thread_paths(pid_t pid)
{
	return text_format("/proc/%d/task/*/status", (int)pid);
}
