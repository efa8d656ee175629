/* SPDX-License-Identifier: MIT */
/*
 * The addresses of a domain's large BARs: what they need, what this firmware gives them (firmware/window.h), what the
 * host's IOMMU can map, and what the domain says to QEMU about it. `plan` shows it, `start` refuses by it.
 *
 * Two settings, each only where the BARs would not get their place without it: the firmware's knob (a window larger than needed
 * makes old kernels map for minutes, and a smaller one hides a GPU), and the limit of the guest's address bits, so
 * that what is at their top can be mapped for DMA between devices (libvirt formatdomain, "maxphysaddr": limit since
 * 9.3.0; without it QEMU 7.2 says "vfio_dma_map ... -22", "pci p2p may not work", and goes on).
 */
#ifndef GPUVM_VMM_MMIO_H
#define GPUVM_VMM_MMIO_H

#include "firmware/version.h"
#include "firmware/window.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"
#include "vmm/domain.h"

/* The finding's name, for --force and --json. Never changes. */
#define MMIO_FINDING "mmio-window"

enum mmio_verdict {
	MMIO_FITS,        /* with what is set */
	MMIO_TOO_SMALL,   /* whatever is set */
	MMIO_MEMORY_HIGH, /* the memory alone has no room in the addresses */
	MMIO_UNKNOWN,     /* the host does not tell how wide its addresses are; nothing is set */
};

struct mmio {
	enum mmio_verdict verdict;
	struct version *version;
	bool is_own_image;   /* the spec names the image, not libvirt */
	unsigned host_bits;  /* of the CPU: what the guest has without a limit; 0: unknown */
	unsigned iommu_bits; /* 0: unknown */
	uint64_t memory_bytes;
	struct window_need need;
	struct window without; /* the window if nothing were set */
	struct window window;  /* as it will be */
	unsigned knob_mib;     /* WINDOW_KNOB; 0: not set */
	unsigned limit_bits;   /* of the guest's addresses; 0: not set */
	bool is_beyond_iommu;  /* part of the window is above what the IOMMU maps */
	bool is_limit_known;   /* this libvirt has the limit; false of one that did not say */
};

/*
 * Judges @domain as domain_build() made it. @libvirt_version as hv_libvirt_version() gives it; 0: what dpkg has.
 * Reads /var/lib/dpkg and /sys/class/iommu behind @root. Cannot fail. Release with mmio_free().
 */
struct mmio *mmio_judge(const struct domain *domain, const struct root *root,
			unsigned long libvirt_version);
void mmio_free(struct mmio *mmio);
CLEANUP_DEFINE(mmio, struct mmio, mmio_free)

/* Fails if a guest would not see all of its GPUs, or not start (FAIL_HOST). */
int mmio_check(const struct mmio *mmio, struct fail *fail);

/* The firmware as people call it: "OVMF 2022.11 (ovmf 2022.11-6+deb12u2)", "an OVMF of unknown version". The caller frees. */
char *mmio_firmware(const struct mmio *mmio);

#endif
