/* SPDX-License-Identifier: MIT */
/*
 * What the host uses a PCI function for: network interfaces, disks and what is mounted from them. It
 * makes refusals concrete; whether something may be given away never depends on it.
 */
#ifndef GPUVM_TOPO_USE_H
#define GPUVM_TOPO_USE_H

#include "topo/device.h"
#include "vmm/base/root.h"

/*
 * Fills device.use of every function in @list that something is seen to use. Cannot fail.
 * Source: /sys/class/net, /sys/block (Documentation/ABI/stable/sysfs-block: partitions, holders),
 * proc_mounts(5).
 */
void use_read(const struct root *root, struct device_list *list);

#endif
