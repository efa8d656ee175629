/* SPDX-License-Identifier: MIT */
/*
 * PCI functions of the host, as sysfs tells them, with libpci's names. Readers only: nothing here prints or
 * changes the host.
 */
#ifndef GPUVM_TOPO_DEVICE_H
#define GPUVM_TOPO_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"

#define DEVICE_BARS          6
#define DEVICE_ADDRESS_BYTES 14 /* "10000:17:00.0" is the longest the kernel gives, with NUL */

/* PCI class codes, PCI Code and ID Assignment Specification 1.11, section 1 (base and sub-class). */
enum {
	DEVICE_CLASS_DISPLAY = 0x03,      /* base class */
	DEVICE_CLASS_BRIDGE = 0x06,       /* base class */
	DEVICE_CLASS_PCI_BRIDGE = 0x0604, /* base class and subclass: a port */
	DEVICE_CLASS_ACCELERATOR = 0x12,  /* base class: processing accelerators */
	DEVICE_CLASS_VGA = 0x0300,
};

struct device_bar {
	uint64_t address;    /* bus address; 0: the firmware assigned none */
	uint64_t size_bytes; /* 0: this BAR does not exist */
	bool is_memory, is_64bit, is_prefetchable;
};

struct device_names; /* device_names.h */

struct device {
	char address[DEVICE_ADDRESS_BYTES]; /* "0000:17:00.0", lower case */
	uint16_t domain; /* VMD domains above 0xffff are left out of the inventory */
	uint8_t bus, slot, function;
	uint16_t vendor_id, device_id;
	uint16_t class_id;          /* base class << 8 | sub-class */
	struct device_names *names; /* the list's; NULL: it has none */
	char *driver;               /* bound kernel driver, or NULL */
	char *driver_override;      /* sysfs driver_override, or NULL if unset */
	char *reset_methods; /* sysfs reset_method, "flr bus"; "" switched off; NULL: no way to reset, or a
			      * kernel before 5.15 */
	int iommu_group;          /* -1: none */
	int numa_node;            /* sysfs numa_node; -1: the firmware does not say */
	bool is_bridge;           /* base class 06 and not an endpoint: header type 1 or 2 */
	bool is_virtual_function; /* SR-IOV VF: sysfs physfn exists */
	bool is_boot_vga;         /* sysfs boot_vga = 1: the firmware's console */
	char *firmware_framebuffer; /* "BOOTFB", "efifb": the one the firmware left in its memory; or NULL */
	bool on_root_bus;           /* directly on a host bridge: no bridge above it */
	bool is_pcie;               /* has a PCI Express capability: sysfs shows link attributes */
	char parent[DEVICE_ADDRESS_BYTES]; /* the bridge above, "" on a root bus */
	char *path; /* bridges from the root bus down to this function, without the domain:
		     * "80:00.0/81:00.0" */
	struct device_bar bars[DEVICE_BARS]; /* by BAR number; 64-bit ones leave the next empty */
	char *use; /* what it is to the host, if that might keep a GPU of its group: "network interface
		    * eth0, which is down", "disk nvme0n1, mounted on /data"; NULL: nothing seen (use.h) */
	bool is_idle; /* it was looked at, and nothing uses it */
};

struct device_list {
	struct device *devices; /* sorted by address */
	size_t count;
	struct device_names *names;
};

/*
 * Every PCI function below @root (sysfs: /sys/bus/pci/devices), sorted by address. Functions that
 * vanish while read, and entries without the mandatory files, are left out. A host without PCI gives
 * an empty list. FAIL_FAIL if libpci cannot be used at all.
 * Release with device_list_free(). Source: Documentation/ABI/testing/sysfs-bus-pci.
 */
int device_list_read(const struct root *root, struct device_list **ret_list, struct fail *fail);
void device_list_free(struct device_list *list);
CLEANUP_DEFINE(device_list, struct device_list, device_list_free)

/* The function at @address, or NULL. Borrows. */
const struct device *device_find(const struct device_list *list, const char *address);

/*
 * Reads "17:00.0", "0000:17:00.0" or any case of it into the canonical form. False if it is none, or
 * out of range (slot above 1f, function above 7).
 */
bool device_parse_address(const char *text, char ret_address[DEVICE_ADDRESS_BYTES]);

/* Whether both are functions of one slot (same domain, bus and slot). */
bool device_same_slot(const struct device *a, const struct device *b);

/* Whether the host's console is on it: the boot VGA, or what holds the firmware's framebuffer. */
bool device_is_console(const struct device *device);

/* What pci.ids calls its vendor and itself ("NVIDIA Corporation", "GH100 [H100 SXM5 80GB]"), or NULL. The caller
 * frees. */
char *device_vendor_name(const struct device *device);
char *device_device_name(const struct device *device);

/* "NVIDIA Corporation GH100 [H100 SXM5 80GB]", or "PCI device 10de:2330". The caller frees. */
char *device_title(const struct device *device);

#endif
