/* SPDX-License-Identifier: MIT */
/*
 * The PCI Express tree above the GPUs and NVSwitches: root buses, root ports, switches, and how fast each
 * link is. For showing; placement compares the paths in struct device, and reads no link.
 */
#ifndef GPUVM_TOPO_PCIE_H
#define GPUVM_TOPO_PCIE_H

#include <stdbool.h>
#include <stddef.h>

#include "topo/device.h"
#include "topo/gpu.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"

enum pcie_role {
	PCIE_ROOT_BUS,  /* the kernel's host bridge, "pci0000:80"; no PCI function */
	PCIE_ROOT_PORT, /* bridge on a root bus */
	PCIE_SWITCH,    /* a switch's upstream port: GPUs below one are near each other */
	PCIE_DOWN_PORT, /* a switch's downstream port */
	PCIE_BRIDGE,    /* any other bridge */
	PCIE_GPU,
	PCIE_NVSWITCH, /* NVIDIA's, PCI class 0680: an endpoint that links GPUs outside PCIe */
};

/* Speeds in MT/s per lane ("16.0 GT/s" is 16000), widths in lanes; 0: sysfs does not say. */
struct pcie_link {
	unsigned speed_mts, width; /* now: GPUs slow an idle link down */
	unsigned max_speed_mts, max_width;
};

struct pcie_node {
	enum pcie_role role;
	const struct device *device;     /* borrowed; NULL for PCIE_ROOT_BUS */
	const struct gpu *gpu;           /* borrowed; NULL unless PCIE_GPU */
	char name[DEVICE_ADDRESS_BYTES]; /* the function's address, or "pci0000:80" */
	size_t parent; /* position in pcie.nodes, smaller than its own; its own for a root bus */
	size_t depth;  /* 0: root bus */
	struct pcie_link link;         /* to the port above */
	size_t virtual_function_count; /* of a GPU: its VFs that are GPUs, which are no nodes */
};

struct pcie {
	struct pcie_node *nodes; /* depth first; siblings by address */
	size_t count;
};

/*
 * The GPUs of @gpus and NVSwitches of @devices with all bridges above. Virtual functions are counted at
 * their physical function. Borrows both, and reads the links of these nodes alone from @root. Cannot fail.
 * Source: Documentation/ABI/testing/sysfs-bus-pci (current_link_speed and others); which bridge is what
 * follows from the order that PCI Express Base 5.0, 1.3 allows, as only root may read the capability.
 */
struct pcie *pcie_read(const struct root *root, const struct device_list *devices,
		       const struct gpu_list *gpus);
void pcie_free(struct pcie *pcie);
CLEANUP_DEFINE(pcie, struct pcie, pcie_free)

/* Whether @device is NVIDIA's switch of GPUs' links: PCI class 0680, an endpoint. */
bool pcie_is_nvswitch(const struct device *device);

/* "root_bus", "root_port", "switch", ... */
const char *pcie_role_name(enum pcie_role role);

/* The node of @gpu, or NULL (a virtual function). Borrows. */
const struct pcie_node *pcie_node(const struct pcie *pcie, const struct gpu *gpu);

/* The nearest node of @role above @node, or NULL. Borrows. */
const struct pcie_node *pcie_above(const struct pcie *pcie, const struct pcie_node *node,
				   enum pcie_role role);

#endif
