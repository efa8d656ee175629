/* SPDX-License-Identifier: MIT */
/* A VM that is asked for by a name that no VM has: a slip of the pen, or the name of its file. */
#ifndef GPUVM_VMM_ABSENT_H
#define GPUVM_VMM_ABSENT_H

#include "vmm/base/fail.h"

/* Refuses @name (FAIL_USAGE), which was meant for gpuvm's command @verb. If a spec is at the path @name, the hint is
 * the command for the VM in it. Returns -1. */
int absent_refuse(const char *name, const char *verb, struct fail *fail);

#endif
