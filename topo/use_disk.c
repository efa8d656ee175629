// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "topo/use.h"
#include "topo/use_internal.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define BLOCKS          "/sys/block"
#define HOLDERS_DEEPEST 8 /* dm on md on a partition: more is a loop or a hostile snapshot */

/* Where uses of block devices are looked up. */
struct disks {
	const struct root *root;
	char *mounts, *swaps;
	char **btrfs;   /* its file systems */
	bool is_vague;  /* something is mounted that is not told by the disk's name */
	bool has_pools; /* ZFS, which does not say what is in its pools */
};

/* How one disk is used: texts to list, or NULL. */
struct disk_use {
	char *points, *holders;
	bool is_swap, is_btrfs;
};

static bool starts_a_line(const char *text, const char *start)
{
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (text_starts(line, start))
			return true;
	}
	return false;
}

static void disks_read(const struct root *root, struct disks *disks)
{
	*disks = (struct disks){ .root = root };
	disks->mounts = root_bytes(root, NULL, "/proc/mounts");
	disks->swaps = root_bytes(root, NULL, "/proc/swaps");
	disks->btrfs = root_names(root, "/sys/fs/btrfs");
	disks->is_vague = disks->mounts == NULL || starts_a_line(disks->mounts, "/dev/root ") ||
			  starts_a_line(disks->mounts, "/dev/disk/");
	disks->has_pools = root_exists(root, "/sys/module/zfs");
}

static void disks_done(struct disks *disks)
{
	free(disks->mounts);
	free(disks->swaps);
	root_names_free(disks->btrfs);
}

/* What is built on two partitions is met twice. */
static void add_once(char **list, const char *item)
{
	CLEANUP(text) char *all = text_format(", %s,", *list == NULL ? "" : *list);
	CLEANUP(text) char *one = text_format(", %s,", item);

	if (strstr(all, one) == NULL)
		text_join(list, ", ", item);
}

/* Adds the mount points of the file system on block device @source ("/dev/...") to @points. */
static void add_mounts(const char *mounts, const char *source, char **points)
{
	CLEANUP(text) char *copy = mem_strdup(mounts);
	char *rest = copy;
	char *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		const char *from = strsep(&line, " ");
		const char *point = strsep(&line, " ");

		if (point != NULL && text_equal(from, source))
			add_once(points, point);
	}
}

/* A file system on several disks is mounted by the name of one of them. */
static bool is_of_btrfs(const struct disks *disks, const char *name)
{
	for (char **system = disks->btrfs; *system != NULL; system++)
		if (root_exists(disks->root, "/sys/fs/btrfs/%s/devices/%s", *system, name))
			return true;
	return false;
}

static void look_at_source(const struct disks *disks, const char *source, struct disk_use *use)
{
	CLEANUP(text) char *in_table = text_format("%s ", source);

	if (disks->mounts != NULL)
		add_mounts(disks->mounts, source, &use->points);
	use->is_swap |= starts_a_line(disks->swaps, in_table);
}

/* The uses of block device @name and of all that is built on it: partitions, md, dm, LVM. */
static void look_at_block(const struct disks *disks, const char *name, unsigned depth,
			  struct disk_use *use)
{
	CLEANUP(root_names)
	char **holders = root_names(disks->root, "/sys/class/block/%s/holders", name);
	CLEANUP(root_names) char **parts = root_names(disks->root, "/sys/class/block/%s", name);
	CLEANUP(text) char *mapped = root_text(disks->root, "/sys/class/block/%s/dm/name", name);
	CLEANUP(text) char *source = text_format("/dev/%s", name);
	CLEANUP(text)
	char *alias = mapped == NULL ? NULL : text_format("/dev/mapper/%s", mapped);

	if (depth == HOLDERS_DEEPEST)
		return;
	look_at_source(disks, source, use);
	if (alias != NULL)
		look_at_source(disks, alias, use);
	use->is_btrfs |= is_of_btrfs(disks, name);
	for (char **part = parts; *part != NULL; part++)
		if (root_exists(disks->root, "/sys/class/block/%s/%s/partition", name, *part))
			look_at_block(disks, *part, depth + 1, use);
	for (char **holder = holders; *holder != NULL; holder++) {
		add_once(&use->holders, *holder);
		look_at_block(disks, *holder, depth + 1, use);
	}
}

/* With native NVMe multipath the path is "nvme0c1n1"; the disk that gets mounted is "nvme0n1". */
static char *disk_of_path(const char *name)
{
	const char *controller = text_starts(name, "nvme") ? strchr(name, 'c') : NULL;
	const char *after = controller;

	if (controller == NULL)
		return mem_strdup(name);
	for (after++; isdigit((unsigned char)*after); after++)
		;
	return text_format("%.*s%s", (int)(controller - name), name, after);
}

/* Whether nothing uses the disk @name for sure. */
static bool look_at_disk(const struct disks *disks, struct device *device, const char *name)
{
	struct disk_use use = { 0 };
	CLEANUP(text) char *what = text_format("disk %s", name);
	bool is_used;

	look_at_block(disks, name, 0, &use);
	is_used = use.points != NULL || use.holders != NULL || use.is_swap || use.is_btrfs;
	if (use.points != NULL)
		text_add(&what, ", mounted on %s", use.points);
	else if (use.is_swap)
		text_add(&what, ", swapped to");
	else if (use.holders != NULL)
		text_add(&what, ", part of %s", use.holders);
	else if (use.is_btrfs)
		text_add(&what, ", part of a mounted btrfs");
	else if (!disks->is_vague && !disks->has_pools)
		text_add(&what, ", not mounted");
	use_add(device, what);
	free(use.points);
	free(use.holders);
	return !is_used && !disks->is_vague && !disks->has_pools;
}

bool use_look_at_disks(const struct root *root, struct device *device)
{
	CLEANUP(root_names) char **names = root_names(root, BLOCKS);
	struct disks disks;
	bool is_idle = true;

	disks_read(root, &disks);
	for (char **name = names; *name != NULL; name++) {
		CLEANUP(text) char *link = root_path(root, BLOCKS "/%s", *name);
		CLEANUP(text) char *disk = disk_of_path(*name);

		if (use_is_below(root, link, device) && !look_at_disk(&disks, device, disk))
			is_idle = false;
	}
	disks_done(&disks);
	return is_idle;
}

char **use_block_names(const struct root *root, const struct device *device)
{
	CLEANUP(root_names) char **names = root_names(root, BLOCKS);
	char **found = NULL;
	size_t count = 0;

	for (char **name = names; *name != NULL; name++) {
		CLEANUP(text) char *link = root_path(root, BLOCKS "/%s", *name);
		CLEANUP(text) char *disk = disk_of_path(*name);
		CLEANUP(root_names) char **parts = NULL;

		if (!use_is_below(root, link, device))
			continue;
		*MEM_APPEND(found, count) = mem_strdup(disk);
		parts = root_names(root, "/sys/class/block/%s", disk);
		for (char **part = parts; *part != NULL; part++)
			if (root_exists(root, "/sys/class/block/%s/%s/partition", disk, *part))
				*MEM_APPEND(found, count) = mem_strdup(*part);
	}
	*MEM_APPEND(found, count) = NULL;
	return found;
}
