// SPDX-License-Identifier: MIT
#include "topo/use.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define HOLDERS_DEEPEST 8 /* dm on md on a partition: more is a loop or a hostile snapshot */

/* The function whose hardware is at @format in /sys: the last one on its real path. */
static struct device *owner(const struct root *root, struct device_list *list, const char *folder,
			    const char *name)
{
	CLEANUP(text) char *link = root_path(root, "%s/%s", folder, name);
	CLEANUP(text) char *real = realpath(link, NULL);
	char *slash;

	while (real != NULL && (slash = strrchr(real, '/')) != NULL) {
		const struct device *found = device_find(list, slash + 1);

		if (found != NULL)
			return &list->devices[found - list->devices];
		*slash = '\0';
	}
	return NULL;
}

static void add(struct device *device, const char *what)
{
	CLEANUP(text) char *safe = text_printable(what, 512);

	text_join(&device->use, "; ", safe);
}

static void read_networks(const struct root *root, struct device_list *list)
{
	CLEANUP(root_names) char **names = root_names(root, "/sys/class/net");

	for (char **name = names; *name != NULL; name++) {
		struct device *device = owner(root, list, "/sys/class/net", *name);
		CLEANUP(text) char *what = text_format("network interface %s", *name);

		if (device != NULL)
			add(device, what);
	}
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
			text_join(points, ", ", point);
	}
}

/* The mounts of block device @name and of all that is built on it: partitions, md, dm, LVM. */
static void add_block(const struct root *root, const char *mounts, const char *name, unsigned depth,
		      char **points)
{
	CLEANUP(root_names) char **holders = root_names(root, "/sys/class/block/%s/holders", name);
	CLEANUP(root_names) char **parts = root_names(root, "/sys/class/block/%s", name);
	CLEANUP(text) char *mapped = root_text(root, "/sys/class/block/%s/dm/name", name);
	CLEANUP(text)
	char *source = mapped == NULL ? text_format("/dev/%s", name)
				      : text_format("/dev/mapper/%s", mapped);

	if (depth == HOLDERS_DEEPEST)
		return;
	add_mounts(mounts, source, points);
	for (char **part = parts; *part != NULL; part++)
		if (root_exists(root, "/sys/class/block/%s/%s/partition", name, *part))
			add_block(root, mounts, *part, depth + 1, points);
	for (char **holder = holders; *holder != NULL; holder++)
		add_block(root, mounts, *holder, depth + 1, points);
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

static void read_disks(const struct root *root, struct device_list *list)
{
	CLEANUP(root_names) char **names = root_names(root, "/sys/block");
	CLEANUP(text) char *mounts = root_text(root, "/proc/mounts");

	for (char **name = names; *name != NULL; name++) {
		struct device *device = owner(root, list, "/sys/block", *name);
		CLEANUP(text) char *disk = disk_of_path(*name);
		CLEANUP(text) char *points = NULL;
		CLEANUP(text) char *what = NULL;

		if (device == NULL)
			continue;
		if (mounts != NULL)
			add_block(root, mounts, disk, 0, &points);
		what = text_format("disk %s%s%s", disk, points == NULL ? "" : ", mounted on ",
				   points == NULL ? "" : points);
		add(device, what);
	}
}

void use_read(const struct root *root, struct device_list *list)
{
	read_networks(root, list);
	read_disks(root, list);
}
