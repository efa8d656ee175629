/* SPDX-License-Identifier: MIT */
/* The host's policy: what its admin keeps for the host and for the GPUs still free, from an INI file. */
#ifndef GPUVM_VMM_POLICY_H
#define GPUVM_VMM_POLICY_H

#include "topo/machine.h"
#include "topo/place.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"
#include "vmm/keys.h"

#define POLICY_FILE "/etc/gpuvm/host.ini" /* below the root */

struct policy {
	char *file;                 /* NULL: there is none, and the defaults count */
	struct place_rules rules;   /* borrows from the policy */
	hwloc_bitmap_t host_cpus;   /* NULL: not written */
	unsigned host_memory_share; /* in per cent; 0: not written */
};

/* The table of its keys. Static; it fills a struct policy. */
const struct keys_table *policy_keys(void);

/*
 * Reads POLICY_FILE behind @root, or @path if that is not NULL (it must then exist). No file, or an empty
 * one: the defaults (one core and PLACE_NODE_RESERVE_BYTES per node, no guarantees). Malformed, or about CPUs
 * that are not in @machine: FAIL_HOST, all errors in one run with file and line: the admin has to act. A
 * share of memory is of all that @machine has, evenly split over its nodes with memory. Release with
 * policy_free().
 */
int policy_read(const struct root *root, const char *path, const struct machine *machine,
		struct policy **ret_policy, struct fail *fail);
void policy_free(struct policy *policy);
CLEANUP_DEFINE(policy, struct policy, policy_free)

#endif
