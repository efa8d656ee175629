/* SPDX-License-Identifier: MIT */
/* The whole host, read once: PCI functions, GPUs, processors and memory, what virtualisation it offers. */
#ifndef GPUVM_TOPO_HOST_H
#define GPUVM_TOPO_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include "topo/device.h"
#include "topo/gpu.h"
#include "topo/machine.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"

struct host {
	bool live; /* false: read from --root; can be planned on, never started on */
	struct device_list *devices;
	struct gpu_list *gpus;
	struct machine *machine;
	bool has_iommu;    /* /sys/kernel/iommu_groups is not empty */
	bool has_vfio_pci; /* the module is loaded, built in, or installed for the running kernel */
	bool has_kvm;      /* /dev/kvm on the live host; kvm_intel or kvm_amd loaded under --root */
	char *iommu_hint; /* what to do if there is no IOMMU: firmware setting and kernel argument for this vendor */
};

/* Reads everything behind @root. Fails as device_list_read and machine_read do. */
int host_read(const struct root *root, struct host **ret_host, struct fail *fail);
void host_free(struct host *host);
CLEANUP_DEFINE(host, struct host, host_free)

/*
 * The NUMA node (os index) that @gpu is near: sysfs numa_node, or the only node of a one-node host.
 * -1: the firmware does not say.
 */
int host_gpu_node(const struct host *host, const struct gpu *gpu);

#endif
