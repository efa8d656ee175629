// SPDX-License-Identifier: MIT
#include "vmm/disk.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "topo/backing.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/hv_storage.h"

#define BLOCK_BYTES 512 /* of st_blocks, stat(2) */

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text);

	return length >= strlen(end) && text_equal(text + length - strlen(end), end);
}

/* Never by content: a guest can write a qcow2 header with a backing file into its raw disk. */
static bool image_is_qcow2(const struct spec_disk *disk)
{
	switch (disk->format) {
	case SPEC_DISK_RAW:
		return false;
	case SPEC_DISK_QCOW2:
		return true;
	case SPEC_DISK_AUTO:
		break;
	}
	return ends_with(disk->image, ".qcow2");
}

/* "train.qcow2" for [disk] of train, "train-data.qcow2" for [disk:data]. */
static char *volume_name(const struct spec *spec, const struct disk *disk)
{
	const char *label = strchr(disk->spec->label, ':');
	int length = label == NULL ? 0 : (int)strcspn(label + 1, "]");

	return text_format("%s%s%.*s.%s", spec->name, label == NULL ? "" : "-", length,
			   label == NULL ? "" : label + 1, disk->is_qcow2 ? "qcow2" : "img");
}

bool disk_volume_is_of(const char *volume, const char *vm)
{
	size_t length = strlen(vm);

	return text_starts(volume, vm) && strchr(volume, '/') == NULL &&
	       (volume[length] == '.' || volume[length] == '-') &&
	       (ends_with(volume + length, ".qcow2") || ends_with(volume + length, ".img"));
}

static void fill(struct disk *disk, const struct spec *spec, const struct spec_disk *from)
{
	disk->spec = from;
	if (from->size_bytes == 0) {
		disk->is_qcow2 = image_is_qcow2(from);
		disk->path = mem_strdup(from->image);
		disk->is_placed = true;
		disk->is_block = text_starts(from->image, "/dev/"); /* until it is looked at */
		return;
	}
	disk->kind = from->image == NULL ? DISK_BLANK : DISK_OVERLAY;
	disk->base_is_qcow2 = from->image != NULL && image_is_qcow2(from);
	disk->is_qcow2 = from->image != NULL || from->format != SPEC_DISK_RAW;
	disk->pool = mem_strdup(from->pool);
	disk->volume = volume_name(spec, disk);
	disk->path = text_format(HV_POOL_DEFAULT_PATH "/%s", disk->volume);
}

struct disks *disks_new(const struct spec *spec)
{
	struct disks *disks = mem_alloc(1, sizeof *disks);

	disks->count = spec->disk_count;
	disks->disks = mem_alloc(disks->count, sizeof *disks->disks);
	for (size_t i = 0; i < disks->count; i++)
		fill(&disks->disks[i], spec, &spec->disks[i]);
	return disks;
}

void disks_free(struct disks *disks)
{
	if (disks == NULL)
		return;
	for (size_t i = 0; i < disks->count; i++) {
		free(disks->disks[i].pool);
		free(disks->disks[i].volume);
		free(disks->disks[i].path);
	}
	free(disks->disks);
	free(disks);
}

const char *disk_format(const struct disk *disk)
{
	return disk->is_qcow2 ? "qcow2" : "raw";
}

const char *disk_base_format(const struct disk *disk)
{
	return disk->base_is_qcow2 ? "qcow2" : "raw";
}

bool disk_is_same(const char *a, const char *b)
{
	CLEANUP(text) char *full_a = realpath(a, NULL);
	CLEANUP(text) char *full_b = realpath(b, NULL);
	struct stat info_a, info_b;

	if (text_equal(a, b) ||
	    text_equal(full_a == NULL ? a : full_a, full_b == NULL ? b : full_b))
		return true;
	if (stat(a, &info_a) != 0 || stat(b, &info_b) != 0)
		return false;
	if (S_ISBLK(info_a.st_mode) && S_ISBLK(info_b.st_mode))
		return info_a.st_rdev == info_b.st_rdev;
	return info_a.st_dev == info_b.st_dev && info_a.st_ino == info_b.st_ino;
}

/* Of a path that need not be there yet: that of its folder. */
static bool is_direct(const struct root *root, const char *path)
{
	CLEANUP(text) char *folder = mem_strdup(path);
	CLEANUP(text) char *full = NULL;
	CLEANUP(text) char *type = NULL;
	char *slash = strrchr(folder, '/');

	if (root->live)
		full = realpath(path, NULL);
	if (root->live && full == NULL && slash != NULL && slash != folder) {
		*slash = '\0';
		full = realpath(folder, NULL);
	}
	type = backing_filesystem(root, full == NULL ? path : full);
	return backing_is_direct(type);
}

static bool is_allocated(const struct root *root, const struct disk *disk)
{
	struct stat info;

	return root->live && disk->kind == DISK_IMAGE && !disk->is_qcow2 &&
	       stat(disk->path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 &&
	       info.st_blocks * BLOCK_BYTES >= info.st_size;
}

static struct disk_io choose(const struct disk *disk, const struct root *root, bool has_io_uring)
{
	if (disk->is_block)
		return (struct disk_io){ "none", "native", "a block device" };
	if (!is_direct(root, disk->path) ||
	    (disk->kind == DISK_OVERLAY && !is_direct(root, disk->spec->image)))
		return (struct disk_io){ "writeback", "threads",
					 "its file system has no direct I/O" };
	if (!root->live && disk->kind == DISK_IMAGE && !disk->is_qcow2)
		return (struct disk_io){ "none", "io_uring", "a file that nobody has looked at" };
	if (is_allocated(root, disk))
		return (struct disk_io){ "none", "native", "a file that has all its blocks" };
	if (has_io_uring)
		return (struct disk_io){ "none", "io_uring", "a file that grows" };
	return (struct disk_io){ "none", "threads", "a file that grows, no io_uring here" };
}

void disks_choose_io(struct disks *disks, const struct root *root)
{
	bool has_io_uring = backing_has_io_uring(root);

	for (size_t i = 0; i < disks->count; i++)
		disks->disks[i].io = choose(&disks->disks[i], root, has_io_uring);
}
