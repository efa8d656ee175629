/* SPDX-License-Identifier: MIT */
/* The result of `release`, `drain` and `undrain` (keep.h), printed as asked. */
#ifndef GPUVM_CLI_KEPT_H
#define GPUVM_CLI_KEPT_H

#include "vmm/cli/cli.h"
#include "vmm/keep.h"

struct keep_options kept_options(const struct cli *cli);

void kept_print(const struct cli *cli, const struct keep *keep);

#endif
