/* SPDX-License-Identifier: MIT */
/* One of gpuvm's VMs as JSON: a row of `list`, the ground of `show`. */
#ifndef GPUVM_CLI_VM_H
#define GPUVM_CLI_VM_H

#include <jansson.h>

#include "topo/host.h"
#include "vmm/usage.h"

/* name, state, user, vcpus, memory_bytes, gpus (addresses), notes (what its user should know). New reference. */
json_t *vm_json(const struct usage_vm *vm, const struct host *host);

#endif
