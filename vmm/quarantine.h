/* SPDX-License-Identifier: MIT */
/*
 * GPUs that did not come back from a VM: one whose functions no longer answer on the PCI bus, as after a
 * reset that failed, or that no driver takes back. A record (record.h) keeps them from all VMs until they
 * answer again and are on their drivers. A function that merely is on another driver than before works, and
 * is giveback.h's business.
 * Source: PCI Local Bus 3.0, 6.1: reads of a function that is not there give all ones; so do those of a VF's
 * vendor by SR-IOV 1.1, 3.4.1.1, which is therefore not looked at.
 */
#ifndef GPUVM_VMM_QUARANTINE_H
#define GPUVM_VMM_QUARANTINE_H

#include <stdbool.h>
#include <stddef.h>

#include "topo/device.h"
#include "topo/gpu.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"
#include "vmm/giveback.h"
#include "vmm/guest.h"
#include "vmm/hv.h"
#include "vmm/owner.h"
#include "vmm/record.h"

struct quarantine_gpu {
	char address[DEVICE_ADDRESS_BYTES];
	char *seen;       /* one line: what is wrong with it */
	bool is_recorded; /* false: nobody tried, or */
	struct fail fail; /* why it could not be */
};

struct quarantine {
	struct quarantine_gpu *gpus;
	size_t count;
};

/* Why the function @address does not answer, beginning with the address, or NULL if it does, or may for all that the
 * caller can read. The caller frees. */
char *quarantine_silence(const struct root *root, const char *address);

/*
 * The GPUs of a VM which has ended that @giveback shows to be lost. Changes nothing, and cannot fail.
 * Release with quarantine_free().
 */
struct quarantine *quarantine_look(const struct root *root, const struct giveback *giveback);

/*
 * Quarantines those GPUs of the VM @guest, which has ended, that @giveback shows to be lost; @owner is who
 * ended it. Cannot fail: what could not be recorded says why. Release with quarantine_free().
 */
struct quarantine *quarantine_lost(const struct root *root, const struct guest *guest,
				   const struct giveback *giveback, const struct owner *owner);

/* Quarantines @gpu, which no VM has, for what was @seen, and adds it to @quarantine; @owner is who looked. Cannot fail
 * either. */
void quarantine_add(struct quarantine *quarantine, const struct root *root, const struct gpu *gpu,
		    const char *seen, const struct owner *owner);
void quarantine_free(struct quarantine *quarantine);
CLEANUP_DEFINE(quarantine, struct quarantine, quarantine_free)

/*
 * Whether the GPU of @record can leave its quarantine: each of its functions answers (FAIL_HOST) and is on the
 * driver that it was on before (FAIL_HOST; not asked with @force). libvirt (@hv may be NULL) is asked to give
 * back what is not, and drivers get @timeout_ms to bind. No VM may run with it. Does not remove the record.
 */
int quarantine_check(const struct root *root, const struct record *record, struct hv *hv,
		     unsigned timeout_ms, bool force, struct fail *fail);

#endif
