/* SPDX-License-Identifier: MIT */
/* What became of the functions of VMs that ended, as JSON and for people. */
#ifndef GPUVM_CLI_GIVEN_BACK_H
#define GPUVM_CLI_GIVEN_BACK_H

#include <jansson.h>

#include "vmm/aftermath.h"
#include "vmm/cli/cli.h"
#include "vmm/usage.h"

/* What a command that only reads finds. Release with aftermath_free(). */
struct aftermath *given_back_read(const struct cli *cli, const struct root *root,
				  const struct usage *usage);

/* address, driver_before, driver_now, state, remedy. New reference. */
json_t *given_back_function_json(const struct giveback_function *function);

/* The value of "given_back": the same with "vm" in front, for each function with something to tell; empty if
 * all is as recorded. @aftermath may be NULL. New reference. */
json_t *given_back_json(const struct aftermath *aftermath);

/* What was quarantined, and how to end that, on standard error. @quarantine may be NULL. */
void given_back_print_lost(const struct quarantine *quarantine);

/* A line for each on standard error, with its remedy. */
void given_back_print(const struct aftermath *aftermath);

#endif
