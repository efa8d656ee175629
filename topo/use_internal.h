/* SPDX-License-Identifier: MIT */
/* What one kind of device is used for; for the use*.c files only. */
#ifndef GPUVM_TOPO_USE_INTERNAL_H
#define GPUVM_TOPO_USE_INTERNAL_H

#include <stdbool.h>

#include "topo/device.h"
#include "vmm/base/root.h"

/* Whether @link, a path below the root already, leads to something of @device. */
bool use_is_below(const struct root *root, const char *link, const struct device *device);

/* Adds @what, made printable, to device.use. */
void use_add(struct device *device, const char *what);

/* use_network.c, use_disk.c: fill device.use; whether nothing uses @device for sure. */
bool use_look_at_networks(const struct root *root, struct device *device);
bool use_look_at_disks(const struct root *root, struct device *device);

#endif
