/* SPDX-License-Identifier: MIT */
/*
 * Folders of the host in the guest, by virtiofs: virtiofsd, which libvirt starts as root, serves a folder to the VM over
 * memory that both map, so nothing is copied.
 * Sources: libvirt kbase "Sharing files with Virtiofs", formatdomain "Filesystems"; read-only since libvirt 11.0
 * (NEWS) and virtiofsd 1.13 (its --readonly); virtio specification 1.2, 5.11.4 (the tag has up to 36 bytes); QEMU
 * docs/interop/vhost-user.json (the descriptors by which libvirt finds virtiofsd).
 */
#ifndef GPUVM_VMM_SHARE_H
#define GPUVM_VMM_SHARE_H

#include <stdbool.h>

#include "vmm/base/fail.h"
#include "vmm/base/root.h"
#include "vmm/spec.h"

/* Of a virtiofs tag, without the NUL that a full one does not have. */
#define SHARE_TAG_MOST_BYTES 36

/* Where libvirt can be told to serve a folder read-only, as hv_libvirt_version() counts. */
#define SHARE_READONLY_LIBVIRT 11000000

/*
 * Every folder that @spec shares exists (FAIL_SPEC), a virtiofsd is installed, and what is to be read-only is made so by
 * libvirt @libvirt_version and virtiofsd, not by the guest (FAIL_HOST; version 0, unknown, does not). What the caller
 * may not see counts as existing.
 */
int share_check(const struct spec *spec, const struct root *root, unsigned long libvirt_version,
		struct fail *fail);

/* Where cloud-init mounts it in the guest, and anybody may: "/mnt/data". The caller frees. */
char *share_mount_point(const struct spec_share *share);

/* The command that mounts it in the guest. The caller frees. */
char *share_mount_command(const struct spec_share *share);

#endif
