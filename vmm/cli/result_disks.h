/* SPDX-License-Identifier: MIT */
/* The disks of a plan, for result.c. */
#ifndef GPUVM_CLI_RESULT_DISKS_H
#define GPUVM_CLI_RESULT_DISKS_H

#include <jansson.h>

#include "vmm/launch.h"

/* An array, one object per disk of the spec: what it is, where, on what, and what a start does about it. */
json_t *result_disks_json(const struct launch *launch);

/* The same of a whole plan for people. */
void result_disks_print(const json_t *plan);

#endif
