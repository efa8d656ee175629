/* SPDX-License-Identifier: MIT */
/* One of gpuvm's VMs as JSON: a row of `list`, the ground of `show`. */
#ifndef GPUVM_CLI_VM_H
#define GPUVM_CLI_VM_H

#include <jansson.h>

#include "topo/host.h"
#include "vmm/hv.h"
#include "vmm/usage.h"

/* Where VMs are looked at. All borrowed. */
struct vm_view {
	struct hv *hv;
	const char *uri; /* of @hv; NULL: HV_URI_DEFAULT */
	const struct host *host;
	const struct record_list *records; /* of its GPUs */
};

/*
 * name, state, user, vcpus, memory_bytes, gpus (addresses), spec_changed and definition_edited (since its last
 * start), notes (what its user should know), address and address_source (of one that runs). New reference.
 */
json_t *vm_json(const struct vm_view *view, const struct usage_vm *vm);

#endif
