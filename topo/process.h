/* SPDX-License-Identifier: MIT */
/* The processes of the host, as far as every user may know them. */
#ifndef GPUVM_TOPO_PROCESS_H
#define GPUVM_TOPO_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"

struct process {
	pid_t pid;
	char *name;             /* the kernel's: cut after 15 bytes; printable */
	uint64_t started_ticks; /* since boot, sysconf(_SC_CLK_TCK) a second */
};

struct process_list {
	struct process *processes; /* by pid */
	size_t count;
};

/*
 * Every process below @root but kernel threads, which have no files and no memory of their own. Those that
 * vanish meanwhile are left out, and so are other users' where /proc is mounted with hidepid. Cannot fail.
 * Release with process_list_free(). Source: proc_pid_stat(5), proc_tid_children(5).
 */
struct process_list *process_list_read(const struct root *root);
void process_list_free(struct process_list *list);
CLEANUP_DEFINE(process_list, struct process_list, process_list_free)

/* The real user id of process @pid, or (uid_t)-1. */
uid_t process_uid(const struct root *root, pid_t pid);

/*
 * Whether process @pid was called with @option and then @value behind it ("-uuid", "8d0c..."). False too where
 * /proc hides it. Source: proc_pid_cmdline(5), which every user may read.
 */
bool process_has_option(const struct root *root, pid_t pid, const char *option, const char *value);

/* When @process began, in seconds since 1970, rounded down; -1: unknown. */
int64_t process_started_at(const struct root *root, const struct process *process);

#endif
