/* SPDX-License-Identifier: MIT */
/*
 * The disks of a VM: for each section of the spec, which file or device the guest writes, and how QEMU reads and
 * writes it. Nothing here asks libvirt or changes anything.
 */
#ifndef GPUVM_VMM_DISK_H
#define GPUVM_VMM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"
#include "vmm/spec.h"

enum disk_kind {
	DISK_IMAGE,   /* the image is the disk */
	DISK_OVERLAY, /* a volume that gpuvm makes on the image, which nothing writes */
	DISK_BLANK,   /* a volume that gpuvm makes */
};

/* In libvirt's words (formatdomain, "driver"): the disk's cache and io. Constants. */
struct disk_io {
	const char *cache, *io;
	const char *why; /* one line for people */
};

/* Whether this start made the volume. */
enum disk_made {
	DISK_NOT_MADE,
	DISK_MAYBE_MADE, /* it asked for it, and heard of a failure or nothing */
	DISK_MADE,
};

struct disk {
	const struct spec_disk *spec; /* borrowed */
	enum disk_kind kind;
	char *pool,
		*volume; /* NULL for DISK_IMAGE; the pool is the spec's until libvirt was asked */
	char *path;      /* what the guest writes; of a volume not made yet, where it will be */
	bool is_placed;  /* path is more than a guess: libvirt said where its pool is */
	bool is_block, is_qcow2;
	bool base_is_qcow2;  /* of DISK_OVERLAY */
	uint64_t base_bytes; /* what a guest would see of the base; 0: unknown */
	bool is_asked;       /* libvirt was asked about the volume */
	bool is_there;       /* it is: this VM's own, from an earlier start */
	enum disk_made made;
	uint64_t there_bytes; /* its size as it is; 0 unless is_there */
	uint64_t free_bytes;  /* of the pool; 0: unknown */
	struct disk_io io;
};

struct disks {
	struct disk *disks; /* one per disk of the spec, in its order */
	size_t count;
};

/* Those of @spec, as far as the spec alone tells. Borrows it. Release with disks_free(). */
struct disks *disks_new(const struct spec *spec);
void disks_free(struct disks *disks);
CLEANUP_DEFINE(disks, struct disks, disks_free)

/* Whether a volume called @volume could be one of VM @vm's: "train.qcow2", "train-data.qcow2" of train. */
bool disk_volume_is_of(const char *volume, const char *vm);

/* The format of what the guest writes, and of an overlay's base: "qcow2" or "raw". */
const char *disk_format(const struct disk *disk);
const char *disk_base_format(const struct disk *disk);

/* Whether two paths lead to the same file or device, links followed; by name alone where the caller may not look. */
bool disk_is_same(const char *a, const char *b);

/*
 * Chooses io for all of them, by what is under them:
 *
 * - a block device, or a raw file whose blocks are all there: cache=none io=native. O_DIRECT keeps the guest's data
 *   out of the host's page cache, which is the guests' memory here; Linux AIO then does not block.
 * - any other file: cache=none io=io_uring, as a write that first has to find blocks makes io_submit(2) wait, and
 *   QEMU's loop with it; io=threads where the kernel has no io_uring. (Every QEMU that gpuvm works with has it: 5.0.)
 * - a file system without O_DIRECT, of the disk or of its base, which QEMU opens alike: cache=writeback io=threads.
 *
 * Reads mounts behind @root and, if it is live, the image's own blocks.
 * Source: QEMU 7.2, docs/system/qemu-block-drivers and block/file-posix.c (aio); libvirt formatdomain, "io".
 */
void disks_choose_io(struct disks *disks, const struct root *root);

#endif
