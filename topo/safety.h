/* SPDX-License-Identifier: MIT */
/*
 * Whether a GPU can be given away without risk to the host: what no driver and no rights can change.
 * Sources: /proc/interrupts (the kernel prefixes remapped interrupts' chips with "IR-"), sysfs-class-iommu-
 * intel-iommu (ecap, VT-d specification 4.1, 11.4.3, bit 3), sysfs-kernel-iommu_groups (reserved_regions),
 * sysfs-bus-pci (reset_method, reset), vfio_iommu_type1's allow_unsafe_interrupts.
 */
#ifndef GPUVM_TOPO_SAFETY_H
#define GPUVM_TOPO_SAFETY_H

#include "topo/device.h"
#include "topo/gpu.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"

enum safety_interrupts {
	SAFETY_REMAPPED,
	SAFETY_NOT_REMAPPED,   /* possible, but switched off */
	SAFETY_NO_REMAPPING,   /* the IOMMU cannot */
	SAFETY_UNSAFE_ALLOWED, /* not remapped, and the admin told VFIO to go on all the same */
	SAFETY_NOT_KNOWN,      /* nothing readable tells: not checked */
};

/* Whether a guest's device can send the host interrupts that are not its own. */
enum safety_interrupts safety_interrupts(const struct root *root);

/*
 * One rule of safety_check(), named for `gpuvm check` (fail.h); rules that need no device list take it all the same.
 * They fail as that does.
 */
typedef int safety_rule(const struct root *root, const struct device_list *devices,
			const struct gpu *gpu, struct fail *fail);
safety_rule safety_check_interrupts, safety_check_regions, safety_check_reset;

/*
 * FAIL_HOST, named, with the next step: interrupts are not remapped; the firmware keeps DMA to @gpu's group
 * to itself (RMRR: a reserved region "direct"); nothing can reset @gpu. A GPU without a reset of its own is
 * reset with its whole bus, if all of that bus travels with it. What cannot be read is no reason.
 * A rule whose finding is among the NULL-terminated @forced (NULL: none) is left out.
 */
int safety_check_but(const struct root *root, const struct device_list *devices,
		     const struct gpu *gpu, const char *const *forced, struct fail *fail);
int safety_check(const struct root *root, const struct device_list *devices, const struct gpu *gpu,
		 struct fail *fail);

#endif
