/* SPDX-License-Identifier: MIT */
/*
 * Which UEFI image libvirt will choose, for reporting. libvirt chooses at start; this reads the same
 * descriptors in the same order, also behind --root. A test compares the two.
 * Source: QEMU docs/interop/firmware.json; libvirt src/qemu/qemu_interop_config.c (order: /etc/qemu/firmware
 * over /usr/share/qemu/firmware, same basename overrides, an empty file masks, sorted by basename).
 */
#ifndef GPUVM_FIRMWARE_DESCRIPTOR_H
#define GPUVM_FIRMWARE_DESCRIPTOR_H

#include <stdbool.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"

struct descriptor {
	char *file; /* the descriptor, as a path on the host; NULL if the spec names the images itself */
	char *executable;     /* OVMF code image */
	char *nvram_template; /* variables template; NULL if stateless */
	bool secure_boot, enrolled_keys, requires_smm;
};

/*
 * The first descriptor for x86_64 q35 UEFI from split flash whose Secure Boot matches: @secure_boot false
 * wants no feature secure-boot; true wants secure-boot with enrolled-keys. Malformed descriptors are
 * passed over (libvirt 9.0 starts no UEFI domain at all while there is one). FAIL_HOST if none fits,
 * naming the package to install and what was found.
 * Release with descriptor_free().
 */
int descriptor_select(const struct root *root, bool secure_boot, struct descriptor **ret_descriptor,
		      struct fail *fail);
void descriptor_free(struct descriptor *descriptor);
CLEANUP_DEFINE(descriptor, struct descriptor, descriptor_free)

/* The first descriptor that can be read and is no JSON object, as a path on the host; NULL: none. The caller frees. */
char *descriptor_malformed(const struct root *root);

#endif
