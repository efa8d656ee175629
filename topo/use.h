/* SPDX-License-Identifier: MIT */
/*
 * What the host uses those PCI functions for that would go with a GPU: network interfaces, disks, USB. It
 * makes refusals concrete, and tells a function that nothing uses, which may be taken from its driver, from
 * one that is used or of which nobody can say.
 */
#ifndef GPUVM_TOPO_USE_H
#define GPUVM_TOPO_USE_H

#include "topo/device.h"
#include "vmm/base/root.h"

/*
 * Fills device.use and device.is_idle of the functions in @list that share an IOMMU group with a GPU, are
 * none themselves and are on a driver of the host; of all others nothing is read. Cannot fail.
 *
 * Idle is: a network card all of whose interfaces are down, without address, and under no bridge, bond or
 * VLAN; a disk controller whose disks are not mounted, swapped to, or part of anything; a USB controller with
 * nothing plugged in; a sound card (who has it open is told by holder.h, as for disks). Of other kinds of
 * device nothing is known, and where a reader finds nothing readable, nothing is idle.
 *
 * Source: /sys/class/net (Documentation/ABI/testing/sysfs-class-net), /proc/net/route and if_inet6, which
 * name the interface of each address; /sys/block (Documentation/ABI/stable/sysfs-block: partitions, holders),
 * proc_mounts(5), proc_swaps(5), /sys/fs/btrfs; Documentation/ABI/testing/sysfs-bus-usb.
 */
void use_read(const struct root *root, struct device_list *list);

/* The names of the block devices on @device, partitions too: "sda", "sda1". Free with root_names_free(). */
char **use_block_names(const struct root *root, const struct device *device);

#endif
