/* SPDX-License-Identifier: MIT */
/*
 * What people call PCI functions. Reading pci.ids costs more than reading all functions of a host, so it is
 * opened when the first name is asked for; most starts ask for none.
 */
#ifndef GPUVM_TOPO_DEVICE_NAMES_H
#define GPUVM_TOPO_DEVICE_NAMES_H

#include "topo/device.h"
#include "vmm/base/root.h"

enum device_name {
	DEVICE_NAME_VENDOR,
	DEVICE_NAME_DEVICE,
};

/* Where names come from. @find gives a name that is safe to print, or NULL; its caller frees. */
struct device_names {
	char *(*find)(struct device_names *names, const struct device *device,
		      enum device_name which);
};

/*
 * The names in pci.ids of @root, or in this machine's if a snapshot brings none: no network, no cache in
 * somebody's home, no udev database. FAIL_FAIL if libpci cannot be used at all. Release with
 * device_names_free(). Source: libpci's pci.h (sysfs method forced, its exit() kept out by an error handler).
 */
int device_names_open(const struct root *root, struct device_names **ret_names, struct fail *fail);
void device_names_free(struct device_names *names);
CLEANUP_DEFINE(device_names, struct device_names, device_names_free)

#endif
