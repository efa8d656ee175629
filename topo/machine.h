/* SPDX-License-Identifier: MIT */
/*
 * Processors and memory of the host: nodes, packages, cores, SMT siblings, distances, free memory and
 * pages, read with hwloc and sysfs. "os index" is the kernel's number everywhere: what libvirt's
 * cpuset and nodeset attributes take.
 */
#ifndef GPUVM_TOPO_MACHINE_H
#define GPUVM_TOPO_MACHINE_H

#include <hwloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"

/* One online processing unit (hwloc PU). */
struct machine_cpu {
	unsigned os_index;
	unsigned core;    /* number of its core in machine.cores' order, over the whole machine */
	unsigned l3;      /* number of its last-level cache domain, over the whole machine */
	unsigned package; /* os index of its package */
	unsigned node;    /* position in machine.nodes */
	int kind; /* rank by design (Intel's hybrids), 0 = most efficient cores; the same for all if the CPU
		   * has one design, whatever their clocks */
	bool usable; /* may run a VM: online and allowed to machine.slice. CPUs isolated at boot (isolcpus)
		      * are usable too: VMs are what an administrator isolates them for */
};

struct machine_pages {
	uint64_t page_bytes;  /* 2 MiB, 1 GiB, ...: hugepages only */
	uint64_t total, free; /* pages on this node */
};

struct machine_node {
	unsigned os_index;
	unsigned package;    /* os index */
	hwloc_bitmap_t cpus; /* os indexes of its online CPUs; may be empty (memory-only node) */
	uint64_t memory_total_bytes;
	uint64_t
		memory_available_bytes; /* MemFree + file pages that the kernel can drop; no hugepages in it */
	struct machine_pages *pages; /* by size, largest first */
	size_t page_count;
	unsigned *distances; /* SLIT, one per node in machine.nodes' order; 10 = itself */
};

/* One last-level cache: cpu.l3 is its position in machine.l3s. May reach over several nodes (SNC). */
struct machine_l3 {
	hwloc_bitmap_t cpus; /* os indexes */
	uint64_t size_bytes; /* 0: unknown, the machine tells of no cache */
};

struct machine {
	struct machine_node *nodes; /* by os index */
	size_t node_count;
	struct machine_cpu *cpus; /* by os index */
	size_t cpu_count;
	unsigned core_count, package_count;
	struct machine_l3 *l3s; /* in the order of the machine, as cores */
	size_t l3_count;
	hwloc_bitmap_t offline_cpus;  /* os indexes: present, but switched off */
	hwloc_bitmap_t isolated_cpus; /* isolcpus at boot; usable all the same */
	bool has_topoext;             /* AMD: /proc/cpuinfo flag topoext */
	bool has_1gib_pages;          /* /proc/cpuinfo flag pdpe1gb */
	unsigned phys_bits;           /* physical address bits of /proc/cpuinfo; 0: unknown */
	char *cpu_vendor;             /* /proc/cpuinfo "vendor_id", or NULL */
	char *cpu_model;              /* /proc/cpuinfo "model name", or NULL */
};

/*
 * Reads the machine behind @root with hwloc's linux component alone, a snapshot by HWLOC_FSROOT: nothing
 * of this machine shows through, and the live machine is read as its snapshot would be. Changes the
 * environment for the time of the call, so no other thread may use it.
 * FAIL_FAIL if hwloc finds no processors. Release with machine_free().
 * Source: hwloc 2.9 (hwloc.h, distances.h), Documentation/ABI/stable/sysfs-devices-node,
 * cgroup-v2.rst (cpuset.cpus.effective).
 */
int machine_read(const struct root *root, struct machine **ret_machine, struct fail *fail);
void machine_free(struct machine *machine);
CLEANUP_DEFINE(machine, struct machine, machine_free)

/* The node with @os_index, or NULL. */
const struct machine_node *machine_node(const struct machine *machine, unsigned os_index);

/* The online CPU with @os_index, or NULL. */
const struct machine_cpu *machine_cpu(const struct machine *machine, unsigned os_index);

/* The pages of @page_bytes on @node, or NULL if the kernel has no such size. */
const struct machine_pages *machine_node_pages(const struct machine_node *node,
					       uint64_t page_bytes);

/* Adds to @cpus the siblings of each CPU in it: all threads of its core. */
void machine_widen_to_cores(const struct machine *machine, hwloc_bitmap_t cpus);

/* "0-3,8" of @cpus. The caller frees. */
char *machine_cpus_format(hwloc_const_bitmap_t cpus);

#endif
