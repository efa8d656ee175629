/* SPDX-License-Identifier: MIT */
/* What the values of a spec must be to each other. */
#ifndef GPUVM_VMM_SPEC_CHECK_H
#define GPUVM_VMM_SPEC_CHECK_H

#include "vmm/keys_read.h"
#include "vmm/spec.h"

/*
 * Checks what takes more than one value, and fills in counts that are left to addresses. A field of
 * @spec whose value was refused is still zero, and is not looked at.
 */
int spec_check(struct spec *spec, const struct keys_parts *parts, struct fail *fail);

#endif
