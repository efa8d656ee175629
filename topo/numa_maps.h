/* SPDX-License-Identifier: MIT */
/* On which NUMA nodes the memory of a process really lies, mapping by mapping. */
#ifndef GPUVM_TOPO_NUMA_MAPS_H
#define GPUVM_TOPO_NUMA_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"

/* Part of a mapping: what of it lies on one node. */
struct numa_share {
	unsigned node; /* os index */
	uint64_t bytes;
};

struct numa_mapping {
	uint64_t
		page_bytes; /* of the page tables: 4096, 2 MiB, 1 GiB; transparent huge pages count as 4096 */
	uint64_t bytes;  /* that are there, on all nodes */
	bool is_program; /* a heap, a stack, or a file of a disk: never a guest's memory */
	struct numa_share *shares; /* by node as the kernel lists them; a node may be there once */
	size_t share_count;
};

struct numa_maps {
	struct numa_mapping *mappings; /* without those that hold nothing */
	size_t count;
};

/*
 * Reads those of process @pid: NULL if the caller may not, which takes the same rights as tracing it (root,
 * for QEMU), or there is no such process (errno). A line that is not understood is left out. On a guest with
 * much memory in small pages the kernel needs seconds. Release with numa_maps_free().
 * Source: proc_pid_numa_maps(5); Linux, fs/proc/task_mmu.c, show_numa_map.
 */
struct numa_maps *numa_maps_read(const struct root *root, pid_t pid);
void numa_maps_free(struct numa_maps *maps);
CLEANUP_DEFINE(numa_maps, struct numa_maps, numa_maps_free)

/* Where they are read, for people. The caller frees. */
char *numa_maps_path(pid_t pid);

#endif
