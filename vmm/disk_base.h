/* SPDX-License-Identifier: MIT */
/*
 * The image that an overlay is to be made on: that it is what it is said to be, and how large a guest would see it.
 */
#ifndef GPUVM_VMM_DISK_BASE_H
#define GPUVM_VMM_DISK_BASE_H

#include "vmm/disk.h"
#include "vmm/hv_storage.h"

/*
 * Fills base_bytes of @disk, a DISK_OVERLAY, from the image itself or, where the caller may not read it, from
 * libvirt if that has it in a pool (@hv NULL: it is not asked). FAIL_SPEC if the image is no qcow2 although its name or format says so, is qcow2
 * although nothing says so, or is built on another file: a downloaded image could name any file of the host there,
 * and its guest would read it. FAIL_HOST if nobody tells its size.
 * Source: QEMU, docs/interop/qcow2.txt, "Header".
 */
int disk_base_read(struct disk *disk, const struct spec *spec, struct hv *hv, struct fail *fail);

#endif
