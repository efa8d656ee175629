/* SPDX-License-Identifier: MIT */
/*
 * GPUs: which PCI functions are one, what comes along with it, and whether it can be given away.
 *
 * A GPU is a display controller (class 03xx) or processing accelerator (12xx), not a bridge. The unit
 * given out is the IOMMU group (design: kernel Documentation/driver-api/vfio.rst, "Groups, Devices,
 * and IOMMUs"; viability rule of kernels >= 5.19: drivers/iommu/iommu.c, driver_managed_dma).
 */
#ifndef GPUVM_TOPO_GPU_H
#define GPUVM_TOPO_GPU_H

#include <stdbool.h>
#include <stddef.h>

#include "topo/device.h"
#include "vmm/base/cleanup.h"

/* What becomes of one member of a GPU's IOMMU group. */
enum gpu_member_role {
	GPU_MEMBER_FUNCTION, /* function of the GPU's own slot: goes to the guest with it */
	GPU_MEMBER_HELD, /* other endpoint that nothing uses: taken from its driver, if it is on one of the
			  * host's, and kept away from everybody, unseen by the guest */
	GPU_MEMBER_GPU,          /* another GPU: given out only together with this one */
	GPU_MEMBER_GPU_FUNCTION, /* function of the slot of such another GPU */
	GPU_MEMBER_BRIDGE,       /* bridge or chipset function on pcieport or no driver: stays */
	GPU_MEMBER_IN_USE,       /* the host uses it, or may do so: the group is not viable */
};

struct gpu_member {
	const struct device *device; /* borrowed from the device list */
	enum gpu_member_role role;
};

/* Why words (`match`) never choose a GPU; `address` may still name some of them. */
enum gpu_offer {
	GPU_OFFERED,
	GPU_BOOT_VGA,         /* the host's console, or in a group with it */
	GPU_BMC,              /* a server's management display (ASPEED 1a03, Matrox 102b, ...) */
	GPU_INTEGRATED,       /* on the root bus: part of the CPU or chipset */
	GPU_VIRTUAL_FUNCTION, /* an SR-IOV VF: part of a GPU that something else manages */
	GPU_NO_IOMMU_GROUP,   /* cannot be given away at all */
	GPU_GROUP_NOT_VIABLE, /* cannot be given away at all: a member of its group is in use by the host */
};

struct gpu {
	const struct device *device; /* its display or accelerator function; borrowed */
	struct gpu_member *
		members; /* all of its IOMMU group, itself included, by address; none without a group */
	size_t member_count;
	enum gpu_offer offer;
	char *offer_reason; /* for people, with the member, its driver and its use: "it ...", all that holds,
			     * joined by "; "; NULL if offered */
};

/* Whether @device is by its class a GPU, or one of the functions of one that show something. */
bool gpu_is_function(const struct device *device);

/* Whether @driver, a kernel driver's name, gives functions to VMs: vfio-pci, or a vendor's variant of it. */
bool gpu_driver_is_vfio(const char *driver);

struct gpu_list {
	struct gpu *gpus; /* sorted by address */
	size_t count;
};

/*
 * The GPUs among @devices, each with its group and its offer. Several display functions in one slot and
 * group are one GPU: the lowest. A GPU that cannot be given away at all has that offer even if another
 * reason also holds; one that shares its group with a boot VGA and the like has the other's offer. Borrows
 * @devices, which must outlive the list. Cannot fail.
 */
struct gpu_list *gpu_list_build(const struct device_list *devices);
void gpu_list_free(struct gpu_list *list);
CLEANUP_DEFINE(gpu_list, struct gpu_list, gpu_list_free)

/* The GPU whose display function, or any function of its slot, is at @address; NULL if none. */
const struct gpu *gpu_find(const struct gpu_list *list, const char *address);

/*
 * Whether a spec's `match` names @gpu: "any", "10de:2330" (vendor:device), "10de:" (vendor), or words
 * all of which occur in its pci.ids vendor or device name, ASCII case ignored. Says nothing of its offer.
 */
bool gpu_matches(const struct gpu *gpu, const char *match);

/* Whether @match can match anything at all: not empty, ids of four hex digits. */
bool gpu_match_is_valid(const char *match);

/* Whether `address =` may insist on a GPU with this @offer (only what cannot be given away is refused). */
bool gpu_offer_yields_to_address(enum gpu_offer offer);

/* Whether @member, if it stays with the host as it is, keeps everybody from the group. */
bool gpu_member_blocks_group(const struct gpu_member *member);

/* Whether @a and @b share an IOMMU group. */
bool gpu_same_group(const struct gpu *a, const struct gpu *b);

/* Sum of the 64-bit memory BARs of all functions that go to the guest. Bytes. */
uint64_t gpu_bar64_bytes(const struct gpu *gpu);

#endif
