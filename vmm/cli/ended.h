/* SPDX-License-Identifier: MIT */
/* How a VM ended: the result of `stop` and `delete`, as JSON and for people. */
#ifndef GPUVM_CLI_ENDED_H
#define GPUVM_CLI_ENDED_H

#include <jansson.h>

#include "vmm/finish.h"

/* name, outcome, functions (driver before and now, state, remedy), quarantined (address, what was seen), given_back (of
 * other VMs: functions). New reference. */
json_t *ended_json(const struct finish *finish);

/* One line, and one per function; what did not come back goes to standard error with its remedy, that
 * of other VMs included. */
void ended_print(const struct finish *finish);

#endif
