/* SPDX-License-Identifier: MIT */
/* Whether the host has an IOMMU in use; if not, who has switched it off; and how many address bits it takes. */
#ifndef GPUVM_TOPO_IOMMU_H
#define GPUVM_TOPO_IOMMU_H

#include <stdbool.h>

#include "topo/cmdline.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"

enum iommu_state {
	IOMMU_ON,
	IOMMU_OFF_IN_FIRMWARE, /* the firmware has no table of it */
	IOMMU_OFF_BY_ARGUMENT, /* the table is there, the kernel was told not to use it */
	IOMMU_OFF_BY_DEFAULT,  /* the table is there, this kernel uses it only if told to */
	IOMMU_OFF_IN_THE_KERNEL, /* the table is there, and nothing readable tells why it is not used */
};

struct iommu {
	enum iommu_state state;
	bool is_amd;       /* AMD-Vi; without a table what the processors' vendor would have */
	const char *table; /* of the firmware: "DMAR", "IVRS"; static */
	bool has_table;
	bool is_default; /* this kernel uses it unless it is told not to */
	size_t group_count;
	char *argument;      /* that switches it off: "intel_iommu=off"; NULL: none */
	char *hint;          /* what to do if it is off; of one that is on: what else would be */
	unsigned width_bits; /* iommu_address_bits() */
	char *width_source;  /* the file that says so; NULL: none */
};

/*
 * Reads it. Cannot fail. Release with iommu_free(). Sources: Linux Documentation/admin-guide/kernel-parameters.txt
 * (intel_iommu, amd_iommu, iommu), drivers/iommu/intel/Kconfig (INTEL_IOMMU_DEFAULT_ON).
 */
struct iommu *iommu_read(const struct root *root, const struct cmdline *cmdline);
void iommu_free(struct iommu *iommu);
CLEANUP_DEFINE(iommu, struct iommu, iommu_free)

/*
 * The width of the addresses that a device behind any IOMMU of the host may use: the smallest among Intel's units
 * (sysfs class/iommu/dmarN/intel-iommu/cap; VT-d specification 4.1, 11.4.2, field MGAW). 0: unknown, as on AMD,
 * whose IOMMUs take 64 bits and have no such field. Guests' memory and BARs that are mapped for DMA have to be below it.
 * *@ret_source (NULL: not wanted): the file that says so, or NULL; the caller frees.
 */
unsigned iommu_address_bits(const struct root *root, char **ret_source);

#endif
