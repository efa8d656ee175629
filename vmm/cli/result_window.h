/* SPDX-License-Identifier: MIT */
/* The addresses of a VM's large BARs (vmm/mmio.h), as plan tells them. */
#ifndef GPUVM_CLI_RESULT_WINDOW_H
#define GPUVM_CLI_RESULT_WINDOW_H

#include <jansson.h>

#include "vmm/launch.h"

/* What was computed of @launch, which has a domain: needed, given, by which rule, and what is set. New reference. */
json_t *result_window_json(const struct launch *launch);

/* Prints it for people: one line, and one for each thing that is set or does not work. */
void result_window_print(const json_t *window);

#endif
