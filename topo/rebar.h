/* SPDX-License-Identifier: MIT */
/* Which sizes a function's BARs could have, beside the one that they have. */
#ifndef GPUVM_TOPO_REBAR_H
#define GPUVM_TOPO_REBAR_H

#include <stdint.h>

#include "topo/device.h"
#include "vmm/base/root.h"

enum rebar_state {
	REBAR_NONE,     /* it cannot be resized */
	REBAR_SIZES,    /* these are told */
	REBAR_NOT_TOLD, /* only root may read it, or the kernel is too old */
};

struct rebar {
	enum rebar_state state;
	uint64_t sizes; /* bit n: 2^(n + 20) bytes */
	char source[80];
};

/*
 * Of the memory BAR @bar of @device: what the kernel tells in resourceN_resize, else what the capability in the
 * configuration space says, which root alone may read that far.
 * Sources: Documentation/ABI/testing/sysfs-bus-pci (resourceN_resize, Linux 6.1); PCI Express Base 6.0, 7.8.6
 * (Resizable BAR Extended Capability, id 0015h).
 */
struct rebar rebar_read(const struct root *root, const struct device *device, int bar);

/* The largest of the sizes in bytes; 0: there are none. */
uint64_t rebar_largest(const struct rebar *rebar);

#endif
