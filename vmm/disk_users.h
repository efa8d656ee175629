/* SPDX-License-Identifier: MIT */
/*
 * Which VM has a disk image already. QEMU locks images too, but only while both run, says so in its log alone, and
 * not for block devices; and an overlay is lost for good when its base is written while its own VM is off.
 */
#ifndef GPUVM_VMM_DISK_USERS_H
#define GPUVM_VMM_DISK_USERS_H

#include "vmm/guest.h"
#include "vmm/hv_storage.h"

enum disk_use {
	DISK_UNUSED,
	DISK_WRITTEN,
	DISK_READ, /* by a disk that is read only, or as the base of one */
};

/*
 * What @guest does with the file or block device at @path, now or when it runs: the most that it does. Volumes are
 * asked of @hv (NULL: they count as other files). What libvirt does not tell counts as unused.
 */
enum disk_use disk_users_look(const struct guest *guest, struct hv *hv, const char *path);

/* Whether two bases are the same, or none both (NULL). */
bool disk_users_is_same_base(const char *a, const char *b);

/* Whether what is in a volume's place is what was recorded, by its format and its base: not another, made there
 * since. */
bool disk_users_is_as_made(const struct hv_volume *volume, const struct guest_volume *record);

#endif
