/* SPDX-License-Identifier: MIT */
/* What a launch came to, as JSON: the source of `plan`'s and `start`'s texts. */
#ifndef GPUVM_CLI_RESULT_H
#define GPUVM_CLI_RESULT_H

#include <jansson.h>

#include "vmm/launch.h"

/* The placement of @launch, which has one: gpus, cells, vcpus, emulator_cpus, firmware, reasons and what is
 * not known. New reference. */
json_t *result_plan(const struct launch *launch);

/* Prints result_plan()'s value for people. */
void result_print(const json_t *plan);

/* Notes how many processes nobody has looked at, if there are any; nothing for a start of nothing. */
void result_note_not_checked(const struct launch *launch);

#endif
