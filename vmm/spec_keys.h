/* SPDX-License-Identifier: MIT */
/* The sections and keys of a spec. */
#ifndef GPUVM_VMM_SPEC_KEYS_H
#define GPUVM_VMM_SPEC_KEYS_H

#include "vmm/keys.h"

/* The struct that a section fills: keys_section.target. */
enum spec_target {
	SPEC_TARGET_SPEC,
	SPEC_TARGET_GPU,
	SPEC_TARGET_DISK,
	SPEC_TARGET_SHARE,
};

/* Static; it fills a struct spec. */
const struct keys_table *spec_keys(void);

#endif
