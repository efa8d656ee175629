/* SPDX-License-Identifier: MIT */
/* What cloud-init in the guest is told, for plan and start. */
#ifndef GPUVM_VMM_CLI_FIRST_BOOT_H
#define GPUVM_VMM_CLI_FIRST_BOOT_H

#include <jansson.h>

#include "vmm/launch.h"

/* null without [cloud-init]. A new reference. */
json_t *first_boot_json(const struct launch *launch);

/* The same as lines of a plan; nothing for null. */
void first_boot_print(const json_t *first_boot);

#endif
