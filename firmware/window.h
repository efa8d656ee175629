/* SPDX-License-Identifier: MIT */
/*
 * The guest's addresses for large BARs: the window above its memory that OVMF gives them, and whether they fit.
 * A pure computation of OVMF's own rules, learnt from edk2's sources (OvmfPkg of edk2-stable202211 and 202502 as
 * Debian has them, MdeModulePkg/Bus/Pci; newer ones by their commits) and compared with what real images do by
 * tests/lab/window.
 *
 * The window (OvmfPkg/Library/PlatformInitLib/MemDetect.c): "classic" is 32 GiB above the guest's memory, or as
 * large as the knob says, on a multiple of the largest power of two in its size. From edk2-stable202211 on it is
 * "dynamic": 1/8 of the addresses that the CPU claims, at their top, unless the classic one is larger or in its
 * way. A claim is trusted if it is above 40 bits, or 36 or 39 of Intel's or 40 of AMD's, and is cut to 40 bits
 * without pages of 1 GiB, else to 47 (46 from 202308 on). From 202302 on it stays clear of what QEMU reserves
 * below 1 TiB on AMD. 1/4 instead of 1/8 is the rule of edk2 pull request 12997, merged about 202608.
 *
 * What is not known in advance counts as the smaller window: an image built for five-level paging (from 202405 on;
 * Debian's are not) and CPUID's guest address width (202408, QEMU 9.1 with Linux 6.10) can only make it larger.
 * /proc/cpuinfo may say less than the guest sees, where memory encryption takes bits; then it is larger, too.
 *
 * The layout (MdeModulePkg/Bus/Pci: PciResourceSupport.c CalculateResourceAperture, InsertResourceNode,
 * DegradeResource; PciHostBridge.c AllocateResource): only 64-bit prefetchable BARs behind a port are there, others
 * go below 4 GiB. In a port, and on a root bus, larger ones come first, each on a multiple of its size; a port's
 * part is in MiB. Each root bus gets one piece, in order of bus numbers, the lowest place where it fits. Ports that
 * can be hot-plugged would take room of their own; gpuvm's cannot.
 */
#ifndef GPUVM_FIRMWARE_WINDOW_H
#define GPUVM_FIRMWARE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/version.h"

/* QEMU's name of the knob: MiB, in decimal. OVMF ignores more than the most. */
#define WINDOW_KNOB          "opt/ovmf/X-PciMmio64Mb"
#define WINDOW_KNOB_MOST_MIB 0x1000000

/* A memory BAR behind a root port. */
struct window_bar {
	unsigned bus;  /* number of the root bus */
	unsigned port; /* slot and function of the port: larger ones are found later */
	uint64_t size_bytes;
	bool is_64bit, is_prefetchable;
};

/* What OVMF finds. */
struct window_guest {
	unsigned address_bits;  /* what the CPU claims */
	const char *cpu_vendor; /* CPUID's, "GenuineIntel"; NULL: unknown */
	bool has_1gib_pages;    /* CPUID pdpe1gb */
	uint64_t memory_bytes;
	const struct window_bar
		*bars; /* in the order that they are found: bus, port, function, BAR; borrowed */
	size_t bar_count;
};

enum window_origin {
	WINDOW_CLASSIC,
	WINDOW_DYNAMIC,
	WINDOW_SET, /* classic, of the knob's size */
};

struct window {
	enum window_origin origin;
	unsigned
		address_bits; /* that the firmware works with; fewer than the CPU's if it trusts no more */
	uint64_t base, size_bytes;
	bool is_reachable; /* within these bits: a guest with one that is not does not start */
	bool fits;         /* reachable, and all BARs have their place in it */
};

/* The smallest window that could hold all BARs, and the largest alignment among them. 0 and 0 without any. */
struct window_need {
	uint64_t bytes, alignment_bytes;
};

struct window_need window_need(const struct window_guest *guest);

/*
 * The window that OVMF of @version gives with the knob at @knob_mib, 0: not set. Where several rules may hold, the
 * worst: one in which the BARs do not fit, else the smallest. @ret_addresses, unless NULL, has one entry for each BAR: its
 * address, or 0 if it is not in the window or they do not fit.
 */
struct window window_predict(const struct window_guest *guest, const struct version *version,
			     unsigned knob_mib, uint64_t *ret_addresses);

/* The smallest knob with which the BARs fit by every rule that may hold, a whole number of GiB in MiB; 0: none. */
unsigned window_knob(const struct window_guest *guest, const struct version *version);

/* The first address above the guest's memory (QEMU 7.2 and 10.0, hw/i386/pc_q35.c and pc.c). */
uint64_t window_memory_end(const struct window_guest *guest);

/* Whether QEMU starts with so much memory in so many address bits: 32 GiB above it must be left (pc.c,
 * pc_max_used_gpa). */
bool window_memory_fits(const struct window_guest *guest);

#endif
