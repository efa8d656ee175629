/* SPDX-License-Identifier: MIT */
/* The folders that a VM shares with the host, as plan tells them. */
#ifndef GPUVM_CLI_SHARES_H
#define GPUVM_CLI_SHARES_H

#include <jansson.h>

#include "vmm/spec.h"

/* An array of objects: source, target, readonly, mount_point, mount. New reference. */
json_t *shares_json(const struct spec *spec);

/* What shares_json() made, a line each, with the command that mounts it in the guest. */
void shares_print(const json_t *shares);

#endif
