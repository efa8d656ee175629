/* SPDX-License-Identifier: MIT */
/*
 * Starts under way. While a start lasts, it holds an exclusive flock(2) on one file per GPU, named by
 * the GPU's address, in LEASE_DIRECTORY; the file says who. The lock is the claim: it ends with the
 * process, however that ends, and the text that stays behind means nothing. Files are never unlinked,
 * so two processes always lock the same inode. Once the domain runs, libvirt's list of active domains
 * is the record, and the claim is let go.
 *
 * Choosing GPUs and claiming them must not interleave: lease_open() takes the directory's own lock, under
 * which the caller reads what is taken, places and claims; lease_close() lets go of that lock only.
 */
#ifndef GPUVM_VMM_LEASE_H
#define GPUVM_VMM_LEASE_H

#include <hwloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "topo/device.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"

#define LEASE_DIRECTORY "/run/gpuvm"

struct lease_memory {
	unsigned node;       /* os index */
	uint64_t page_bytes; /* 0: normal pages */
	uint64_t bytes;
};

/* What one start has claimed. Everything but @gpus may be missing: files are written by other users. */
struct lease_record {
	char *name, *uuid, *user;           /* printable; NULL: unknown */
	pid_t pid;                          /* 0: unknown */
	char (*gpus)[DEVICE_ADDRESS_BYTES]; /* locked files, by address */
	size_t gpu_count;
	hwloc_bitmap_t cpus; /* vCPUs' host CPUs; may be empty */
	struct lease_memory *memory;
	size_t memory_count;
};

struct lease_records {
	struct lease_record *records;
	size_t count;
};

struct lease_gate;  /* the directory, locked */
struct lease_claim; /* GPUs, locked */

/*
 * Locks @directory (NULL: LEASE_DIRECTORY), waiting for at most @timeout_ms. FAIL_HOST if it is missing
 * or not writable, with the command; FAIL_BUSY if another start keeps it that long, naming its process.
 */
int lease_open(const char *directory, unsigned timeout_ms, struct lease_gate **ret_gate,
	       struct fail *fail);
void lease_close(struct lease_gate *gate);
CLEANUP_DEFINE(lease_gate, struct lease_gate, lease_close)

/*
 * The claims of all starts under way, one record per start. Needs no gate and no rights to write; what
 * may not be read, a missing directory included, gives an empty list. A claim whose file is damaged or has a
 * second name still counts, without a name, and so does every GPU's file if there is no descriptor left. Release with lease_records_free().
 */
struct lease_records *lease_scan(const char *directory);
void lease_records_free(struct lease_records *records);
CLEANUP_DEFINE(lease_records, struct lease_records, lease_records_free)

/*
 * Claims @record's GPUs, all or none, behind @gate. FAIL_BUSY if one is claimed by somebody else. The claim
 * outlives the gate. Let go with lease_release().
 */
int lease_take(struct lease_gate *gate, const struct lease_record *record,
	       struct lease_claim **ret_claim, struct fail *fail);
void lease_release(struct lease_claim *claim);
CLEANUP_DEFINE(lease_claim, struct lease_claim, lease_release)

#endif
