/* SPDX-License-Identifier: MIT */
/* What the commands `release`, `drain` and `undrain` have in common: the verb of keep.h, and its result. */
#ifndef GPUVM_CLI_KEPT_H
#define GPUVM_CLI_KEPT_H

#include "vmm/cli/cli.h"
#include "vmm/keep.h"

/* Runs @verb for the GPUs that @cli names and prints what became of them; fails as it does. */
int kept_run(const struct cli *cli, keep_verb *verb, struct fail *fail);

#endif
