/* SPDX-License-Identifier: MIT */
/* The threads of a process, and the CPUs that the kernel lets each run on. */
#ifndef GPUVM_TOPO_THREAD_H
#define GPUVM_TOPO_THREAD_H

#include <hwloc.h>
#include <stddef.h>
#include <sys/types.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"

struct thread {
	pid_t tid;
	char *name;          /* its own, not the process's: "CPU 0/KVM"; printable */
	hwloc_bitmap_t cpus; /* os indexes: its affinity within its cpuset */
};

struct thread_list {
	struct thread *threads; /* by tid */
	size_t count;
};

/*
 * The threads of process @pid, which any user may see unless /proc is mounted with hidepid; empty then, and if
 * there is no such process. Those that end meanwhile are left out. Cannot fail. Release with
 * thread_list_free(). Source: proc_pid_task(5), proc_pid_comm(5), proc_pid_status(5), Cpus_allowed_list.
 */
struct thread_list *thread_list_read(const struct root *root, pid_t pid);
void thread_list_free(struct thread_list *list);
CLEANUP_DEFINE(thread_list, struct thread_list, thread_list_free)

/* Where the affinity of thread @tid was read, and that of all threads, for people. The caller frees. */
char *thread_path(pid_t pid, pid_t tid);
char *thread_paths(pid_t pid);

#endif
