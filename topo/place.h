/* SPDX-License-Identifier: MIT */
/*
 * Placement: which GPUs, which CPUs, which memory. A pure function of the request, the host and what is
 * taken: no I/O, same input, same output.
 */
#ifndef GPUVM_TOPO_PLACE_H
#define GPUVM_TOPO_PLACE_H

#include <hwloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "topo/host.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"

/* Nova's words for GPU-NUMA affinity (nova-specs, vm-scoped-sriov-numa-affinity). */
enum place_policy {
	PLACE_REQUIRED,  /* CPUs and memory on each GPU's own node */
	PLACE_SOCKET,    /* on nodes of each GPU's package */
	PLACE_PREFERRED, /* near if possible, else anywhere, saying what is lost */
};

enum place_hugepages {
	PLACE_PAGES_AUTO, /* 1 GiB, then 2 MiB, then normal pages, by what is free on the very node */
	PLACE_PAGES_NO,
	PLACE_PAGES_2_MIB,
	PLACE_PAGES_1_GIB,
};

enum place_threads {
	PLACE_WHOLE_CORES, /* siblings of a core are never shared between VMs; idle ones stay unused */
	PLACE_SHARE,       /* a core's threads may go to different VMs */
};

/* What the host's admin keeps back (vmm/policy.h reads it from /etc/gpuvm/host.ini). */
struct place_rules {
	unsigned host_cores_per_node;        /* kept for the host and QEMU; at least 1 */
	hwloc_const_bitmap_t host_cpus;      /* instead: exactly these os indexes; NULL: by count */
	uint64_t host_memory_bytes_per_node; /* kept free of guests on every node */
	unsigned
		cpus_per_free_gpu; /* guaranteed to every offered GPU still free, near it; 0: none */
	uint64_t memory_bytes_per_free_gpu; /* likewise */
	const char *file;                   /* where refusals point; NULL: the built-in defaults */
	unsigned cpus_per_free_gpu_line, memory_per_free_gpu_line;
};

/* One [gpu] section: @count GPUs that @match names, or exactly @addresses. */
struct place_gpu_request {
	unsigned count; /* 1 to 65535; equals address_count if there are addresses */
	const char
		*match; /* see gpu_matches; NULL: "any", or no condition if addresses are given */
	const char *const *addresses; /* canonical, borrowed */
	size_t address_count;
	bool allow_boot_vga; /* the addresses may be the host's console */
	const char *file;    /* where refusals point, and the line of the section */
	unsigned line;
	unsigned count_line, match_line,
		address_line; /* of these keys; the section's if one is not written */
	const char *label;    /* "[gpu]" or "[gpu:second]", as the user wrote it */
	bool are_held; /* the addresses are what was held for the VM, not the spec's own words */
};

struct place_request {
	unsigned vcpus;
	uint64_t memory_bytes; /* a multiple of 2 MiB */
	enum place_policy policy;
	enum place_hugepages hugepages;
	const struct place_gpu_request *gpus;
	size_t gpu_count;
	enum place_threads threads;
	hwloc_const_bitmap_t pin; /* the vCPUs' CPUs, as many as vcpus; NULL: chosen */
	hwloc_const_bitmap_t
		emulator; /* QEMU's own threads; NULL: the host's CPUs on the nodes used */
	bool p2p;         /* give NVIDIA GPUs under one switch or root complex one clique */
	const struct place_rules
		*rules;   /* NULL: one core per node, PLACE_NODE_RESERVE_BYTES, no guarantee */
	const char *file; /* where refusals about CPUs and memory point */
	unsigned threads_line, pin_line, emulator_line;
	unsigned vcpus_line, memory_line, policy_line,
		hugepages_line; /* 0: not written, a default */
};

/* One thing that somebody has. Texts are borrowed. */
struct place_taken_gpu {
	const char *address; /* any function of the GPU or member of its group */
	const char *holder;  /* for people: `VM "train" of alice` */
	const char
		*state;   /* instead of "is held by HOLDER": `is drained by bob: fan`; NULL: that */
	const char *word; /* that in one: "drained"; NULL: somebody holds it, or for somebody */
	const char *remedy; /* the command that frees it; may be NULL */
};

struct place_taken_cpus {
	hwloc_const_bitmap_t
		cpus; /* os indexes, with the idle siblings of a holder that keeps its cores whole */
	const char *holder;
};

/* Memory promised but not yet taken out of the host's free memory: starts under way. */
struct place_taken_memory {
	unsigned node;       /* os index */
	uint64_t page_bytes; /* 0: normal pages */
	uint64_t bytes;
	const char *holder;
};

struct place_taken {
	const struct place_taken_gpu *gpus;
	size_t gpu_count;
	const struct place_taken_cpus *cpus;
	size_t cpus_count;
	const struct place_taken_memory *memory;
	size_t memory_count;
};

/* Kept free of memory on every node that a VM uses: VFIO pins all guest memory, QEMU and OVMF need some. */
#define PLACE_NODE_RESERVE_BYTES (UINT64_C(1) << 30)

struct place_gpu {
	const struct gpu *gpu; /* borrowed from the host */
	size_t request;        /* position in place_request.gpus */
	int cell;              /* guest cell that lies on the GPU's own node; -1: none does */
	int clique;            /* GPUs of one number reach each other's memory directly; -1: none */
	bool allow_boot_vga;   /* the spec gives away the host's console, should it be on it */
};

/* A guest NUMA cell and the host node that it mirrors. */
struct place_cell {
	unsigned host_node; /* os index */
	uint64_t memory_bytes;
	uint64_t page_bytes; /* 0: normal pages */
	unsigned vcpu_count;
};

struct place_vcpu {
	unsigned cpu;  /* os index of the one host CPU it is pinned to */
	unsigned cell; /* position in placement.cells */
};

/* The guest's CPU topology; the product is the number of vCPUs. */
struct place_topology {
	unsigned sockets, dies, cores, threads;
	bool is_host_block; /* equals that of the host's CPUs chosen: sockets are packages, dies are L3
			     * domains, cores are used whole, and each has as many of the next */
};

/* Why one choice was made, and what came next. */
struct place_reason {
	const char
		*choice; /* "gpus", "node", "cpus", "memory", "topology", "p2p", "lost": static */
	char *why;       /* one sentence, with numbers */
	char *rejected;  /* the best rejected choice and what it lacked; NULL: there was none */
};

struct placement {
	struct place_gpu *gpus; /* in the order of the requests, then by address */
	size_t gpu_count;
	struct place_cell *cells; /* by host node; at least one */
	size_t cell_count;
	struct place_vcpu *vcpus; /* index = vCPU number; cells are contiguous, siblings adjacent */
	size_t vcpu_count;
	struct place_topology topology;
	hwloc_bitmap_t
		emulator_cpus; /* asked for, or the host's own CPUs on the nodes used: never a vCPU's */
	struct place_reason *reasons; /* in the order of the choices */
	size_t reason_count;
};

/*
 * Decides. Refusals:
 *   FAIL_SPEC  a pinned CPU that is not there, too few or too many of them, or on nodes that the policy
 *              forbids; an address that is not on this host or is not a GPU, or does not match `match`, or is named
 *              twice, or whose group has another GPU that no request gets, or is the host's console without allow_boot_vga; memory that is no multiple of a
 *              fixed page size. All of these that there are, one item each;
 *   FAIL_HOST  a pinned CPU that is closed to VMs or kept for the host, a guarantee of @rules that the VM
 *              breaks even if it is alone, more than the empty host has, no IOMMU, a group that is not viable, an unknown node;
 *   FAIL_BUSY  it would fit if what is taken were freed (memory in use by anybody included); names the
 *              holders.
 * The empty host has all CPUs but the host's own, all hugepages of its pools, and of normal memory what
 * those pools leave. With hugepages a node keeps 256 MiB of normal memory for QEMU instead of the reserve.
 * @host must outlive the result. Release with placement_free().
 */
int place(const struct place_request *request, const struct host *host,
	  const struct place_taken *taken, struct placement **ret_placement, struct fail *fail);
void placement_free(struct placement *placement);
CLEANUP_DEFINE(placement, struct placement, placement_free)

/*
 * The CPUs kept for the host on @node (position in machine.nodes): those of @rules, by default its first
 * usable core. New bitmap.
 */
hwloc_bitmap_t place_host_cpus(const struct machine *machine, const struct place_rules *rules,
			       size_t node);

/* "required" and so on: the words of the spec. */
const char *place_policy_name(enum place_policy policy);

/* The first in @taken that has @gpu, or NULL if it is free, and its holder. Borrow from @taken. */
const struct place_taken_gpu *place_gpu_taken(const struct gpu *gpu,
					      const struct place_taken *taken);
const char *place_gpu_holder(const struct gpu *gpu, const struct place_taken *taken);

#endif
