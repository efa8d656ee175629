/* SPDX-License-Identifier: MIT */
/*
 * What VMs left behind that ended without gpuvm: the guest powered itself off, somebody destroyed it. The
 * next command compares every such VM's record with its functions' drivers, as `stop` does for its own.
 */
#ifndef GPUVM_VMM_AFTERMATH_H
#define GPUVM_VMM_AFTERMATH_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"
#include "vmm/giveback.h"
#include "vmm/guest.h"
#include "vmm/hv.h"
#include "vmm/quarantine.h"

/* A VM with something to tell. */
struct aftermath_vm {
	struct guest *guest;
	struct giveback *giveback; /* borrows from @guest */
	struct quarantine *
		quarantine; /* its GPUs that are lost; if only compared, none when all have records */
};

struct aftermath {
	struct aftermath_vm *vms; /* by name; none if all is as recorded */
	size_t count;
	bool has_changed; /* drivers or records of GPUs: what was read of the host before is old */
};

/*
 * Looks at every VM of gpuvm's in @domains (NULL: none) that is off. Only compares without means->hv, and then
 * takes @domains for what is taken as well; with it repairs, quarantines what is lost (quarantine.h), and notes in
 * the VM's metadata that its record is settled, so that nobody looks again until its next start through gpuvm: not in that of the VM named @redefined
 * (NULL: none), whose record is about to be another. A record that cannot be read, of another boot, or of no known
 * one is left alone. Cannot fail. Release with aftermath_free().
 */
struct aftermath *aftermath_check(const struct hv_domains *domains, const struct root *root,
				  const struct giveback_means *means, const char *redefined);
void aftermath_free(struct aftermath *aftermath);
CLEANUP_DEFINE(aftermath, struct aftermath, aftermath_free)

/* Notes in the metadata of the VM @guest, which is off, that nothing more is to come of its record, if that is so:
 * it is fulfilled, or what was lost has a record of its own. */
void aftermath_settle(const struct guest *guest, const struct giveback *giveback,
		      const struct quarantine *quarantine, struct hv *hv);

#endif
