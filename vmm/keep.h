/* SPDX-License-Identifier: MIT */
/*
 * What is kept of GPUs (record.h), changed because somebody says so: `release` ends holds, `drain` keeps GPUs
 * from new VMs, `undrain` gives them back, out of quarantine too. The words are Slurm's. All of the named GPUs are
 * checked before anything is changed. Another user's hold or drain ends only by force. The lease gate stays open:
 * a start that has its claim keeps its hold, and one that chooses while a GPU is drained meets the hook.
 */
#ifndef GPUVM_VMM_KEEP_H
#define GPUVM_VMM_KEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "topo/device.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/held.h"

struct keep_options {
	const char *uri;             /* NULL: HV_URI_DEFAULT */
	const char *lease_directory; /* NULL: LEASE_DIRECTORY */
	const char *reason;          /* drain: why; NULL: not said */
	bool force; /* another user's too; undrain: whatever driver a GPU is on now */
};

enum keep_outcome {
	KEEP_RELEASED,
	KEEP_WAS_NOT_HELD,
	KEEP_DRAINED,
	KEEP_UNDRAINED, /* from a drain, a quarantine or both */
	KEEP_WAS_NOT_DRAINED,
};

struct keep_gpu {
	char address[DEVICE_ADDRESS_BYTES]; /* the GPU's, whichever function was named */
	enum keep_outcome outcome;
	char *vm; /* released: whose it was. Drained: who runs with it on, "VM ...". NULL: nobody's */
	bool answered; /* it left its quarantine */
};

struct keep {
	struct keep_gpu *gpus; /* in the order of the arguments */
	size_t count;
	struct held_lines taken_over;
};

/*
 * Each for the GPUs @gpus: addresses of any of their functions. FAIL_USAGE: it is none of this host's;
 * FAIL_REFUSED: another user's; FAIL_HOST as record_check() and quarantine_check();
 * release: FAIL_BUSY while its VM runs or starts; undrain: FAIL_BUSY while a VM has a quarantined GPU.
 * Release with keep_free().
 */
typedef int keep_verb(const struct keep_options *options, char *const *gpus, size_t count,
		      struct keep **ret_keep, struct fail *fail);

keep_verb keep_release;
keep_verb keep_drain;
keep_verb keep_undrain;

void keep_free(struct keep *keep);
CLEANUP_DEFINE(keep, struct keep, keep_free)

#endif
