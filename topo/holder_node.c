// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "topo/holder_internal.h"
#include "topo/use.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define DEVICES       "/sys/bus/pci/devices"
#define CLASS_STORAGE 0x01
#define ANY_NVIDIA    "/dev/nvidia"
#define NVIDIA_MAJOR  195
#define NVIDIA_MOST   253 /* minors above are /dev/nvidia-modeset and /dev/nvidiactl */

/* Where the kernel lists the nodes of a function, and where udev puts them. */
static const struct {
	const char *folder, *place;
	enum holder_kind kind;
} classes[] = {
	{ "vfio-dev", "/dev/vfio/devices", HOLDER_VFIO }, { "drm", "/dev/dri", HOLDER_PROCESS },
	{ "accel", "/dev/accel", HOLDER_PROCESS },        { "graphics", "/dev", HOLDER_PROCESS },
	{ "sound", "/dev/snd", HOLDER_PROCESS },
};

/* @dev is the text of a sysfs file "dev", or NULL. */
static struct holder_node *add(struct holder_nodes *nodes, const struct device *device,
			       enum holder_kind kind, char *path, const char *dev)
{
	struct holder_node *node = MEM_APPEND(nodes->nodes, nodes->count);
	unsigned major, minor;

	node->device = device;
	node->kind = kind;
	node->path = text_printable(path, 256);
	free(path);
	if (dev != NULL && sscanf(dev, "%u:%u", &major, &minor) == 2) {
		node->has_number = true;
		node->number = makedev(major, minor);
	}
	return node;
}

static void add_group(const struct root *root, const struct device *device,
		      struct holder_nodes *nodes)
{
	CLEANUP(text)
	char *dev = root_text(root, "/sys/class/vfio/%d/dev", device->iommu_group);

	if (device->iommu_group >= 0)
		add(nodes, device, HOLDER_VFIO, text_format("/dev/vfio/%d", device->iommu_group),
		    dev);
}

/* The entries of one folder that have a node; a sound card's nodes are one level deeper. */
static void add_class(const struct root *root, const struct device *device, size_t class,
		      const char *folder, struct holder_nodes *nodes)
{
	CLEANUP(root_names)
	char **names = root_names(root, DEVICES "/%s/%s", device->address, folder);

	for (char **name = names; *name != NULL; name++) {
		CLEANUP(text)
		char *dev = root_text(root, DEVICES "/%s/%s/%s/dev", device->address, folder,
				      *name);
		CLEANUP(text) char *deeper = NULL;

		/* Another name of the card, which has no node. */
		if (text_starts(*name, "controlD"))
			continue;
		if (dev != NULL) {
			add(nodes, device, classes[class].kind,
			    text_format("%s/%s", classes[class].place, *name), dev);
		} else if (text_equal(folder, "sound") && text_starts(*name, "card")) {
			deeper = text_format("%s/%s", folder, *name);
			add_class(root, device, class, deeper, nodes);
		}
	}
}

/* Told by path: numbers are asked of character devices alone. */
static void add_disks(const struct root *root, const struct device *device,
		      struct holder_nodes *nodes)
{
	CLEANUP(root_names) char **names = NULL;

	if (device->class_id >> 8 != CLASS_STORAGE || device->driver == NULL)
		return;
	names = use_block_names(root, device);
	for (char **name = names; *name != NULL; name++)
		add(nodes, device, HOLDER_PROCESS, text_format("/dev/%s", *name), NULL);
}

/* NVIDIA's driver numbers its GPUs by itself, and says how only here. */
static void add_nvidia(const struct root *root, const struct device *device,
		       struct holder_nodes *nodes)
{
	CLEANUP(text)
	char *text = root_text(root, "/proc/driver/nvidia/gpus/%s/information", device->address);
	const char *line = text == NULL ? NULL : strstr(text, "Device Minor:");
	CLEANUP(text) char *dev = NULL;
	unsigned minor;

	if (line != NULL && sscanf(line, "Device Minor: %u", &minor) == 1 && minor <= NVIDIA_MOST) {
		dev = text_format("%d:%u", NVIDIA_MAJOR, minor);
		add(nodes, device, HOLDER_PROCESS, text_format(ANY_NVIDIA "%u", minor), dev);
	} else {
		add(nodes, device, HOLDER_PROCESS, mem_strdup(ANY_NVIDIA), NULL)->is_any_nvidia =
			true;
	}
}

void holder_nodes_add(const struct root *root, const struct device *device, bool with_group,
		      struct holder_nodes *nodes)
{
	if (with_group)
		add_group(root, device, nodes);
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		add_class(root, device, i, classes[i].folder, nodes);
	add_disks(root, device, nodes);
	/* A VF has no node of its own: what is open is the other GPUs'. */
	if (text_equal(device->driver, "nvidia") && !device->is_virtual_function)
		add_nvidia(root, device, nodes);
}

void holder_nodes_done(struct holder_nodes *nodes)
{
	for (size_t i = 0; i < nodes->count; i++)
		free(nodes->nodes[i].path);
	free(nodes->nodes);
}

static bool is_some_nvidia(const char *path, const dev_t *number)
{
	unsigned long long minor;

	if (number != NULL)
		return major(*number) == NVIDIA_MAJOR && minor(*number) <= NVIDIA_MOST;
	return text_starts(path, ANY_NVIDIA) && text_number(path + strlen(ANY_NVIDIA), &minor);
}

/* A number tells for sure: in a container the same name may be another device. */
bool holder_node_is(const struct holder_node *node, const char *path, const dev_t *number)
{
	if (node->is_any_nvidia)
		return is_some_nvidia(path, number);
	if (number != NULL && node->has_number)
		return *number == node->number;
	return text_equal(path, node->path);
}
