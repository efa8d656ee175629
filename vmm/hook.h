/* SPDX-License-Identifier: MIT */
/*
 * What libvirt's hook decides: whether a domain may take the GPUs that its XML names. It runs as root inside
 * the daemon's start of any domain, before a device is touched, and never talks to libvirt, which would
 * wait for itself.
 */
#ifndef GPUVM_VMM_HOOK_H
#define GPUVM_VMM_HOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "topo/gpu.h"
#include "topo/holder.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"
#include "vmm/guest.h"
#include "vmm/lease.h"
#include "vmm/record.h"

/* What the hook knows of the host. All borrowed. */
struct hook_view {
	const struct gpu_list *gpus;
	const struct lease_records *starts;
	const struct holder_list *holders;
	const struct record_list *records;
};

/*
 * Whether these arguments (libvirt hooks.html: name, operation, sub-operation, extra) are the one question
 * that is answered: "prepare begin". Everything else passes; a veto of "reconnect" would kill a running VM.
 */
bool hook_is_asked(char *const *args, size_t count);

/*
 * Whether the domain may have the GPUs that it names: none is claimed by another start (its own has its
 * UUID) or held for another VM, none is drained or quarantined, what its XML leaves of their IOMMU groups is on no
 * driver of the host, what a domain of gpuvm's takes of them is in no use (both FAIL_HOST), and nobody else holds
 * them. FAIL_BUSY otherwise. Functions that belong to no GPU are not judged, nor is the console:
 * who gives away his screen means to. The pure part of hook_check().
 */
int hook_judge(const struct guest *guest, const struct hook_view *view, struct fail *fail);

/* Reads what is to be judged, for the domain @xml, and judges. Passes at once if it has no hostdev. What
 * cannot be read of a domain that has one is a veto. @lease_directory as in lease.h. */
int hook_check(const struct root *root, const char *lease_directory, const char *xml,
	       struct fail *fail);

/*
 * A veto's first failure as one line, and back: libvirt shows what the hook prints in the middle of its own
 * text. hook_read_veto() is false, and @fail untouched, if @text holds none.
 */
char *hook_veto(const struct fail *fail);
bool hook_read_veto(const char *text, struct fail *fail);

#endif
