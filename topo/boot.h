/* SPDX-License-Identifier: MIT */
/* What the running kernel was booted with, as far as it matters for giving devices to VMs. */
#ifndef GPUVM_TOPO_BOOT_H
#define GPUVM_TOPO_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"

struct boot {
	char *arguments;         /* /proc/cmdline; NULL: not readable */
	char *release;           /* "6.1.0-26-amd64"; NULL: not readable */
	bool has_groups;         /* there are IOMMU groups: the IOMMU is on */
	bool has_dmar, has_ivrs; /* the firmware tells the kernel of an Intel, or AMD, IOMMU */
	/* CONFIG_INTEL_IOMMU_DEFAULT_ON or its _INTGPU_OFF, in /boot/config-RELEASE; false if that cannot be read */
	bool intel_is_default;
};

/* Cannot fail: what cannot be read is as above. Sources: Documentation/ABI/testing/sysfs-kernel-iommu_groups,
 * sysfs-firmware-acpi, drivers/iommu/intel/Kconfig. */
struct boot *boot_read(const struct root *root);
void boot_free(struct boot *boot);
CLEANUP_DEFINE(boot, struct boot, boot_free)

/* Memory of NUMA node @node in bytes, 0 if there is no such node. A machine without nodes has one: 0. */
uint64_t boot_node_bytes(const struct root *root, unsigned node);

#endif
