// SPDX-License-Identifier: MIT
#include "topo/use.h"

#include <stdlib.h>
#include <string.h>

#include "topo/gpu.h"
#include "topo/use_internal.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define DEVICES       "/sys/bus/pci/devices"
#define CLASS_STORAGE 0x01
#define CLASS_NETWORK 0x02
#define CLASS_SOUND   0x04
#define CLASS_SERIAL  0x0c
#define SUBCLASS_USB  0x0c03

bool use_is_below(const struct root *root, const char *link, const struct device *device)
{
	CLEANUP(text) char *real = realpath(link, NULL);
	CLEANUP(text) char *folder = root_path(root, DEVICES "/%s", device->address);
	CLEANUP(text) char *place = realpath(folder, NULL);
	size_t length = place == NULL ? 0 : strlen(place);

	return real != NULL && place != NULL && strncmp(real, place, length) == 0 &&
	       real[length] == '/';
}

void use_add(struct device *device, const char *what)
{
	CLEANUP(text) char *safe = text_printable(what, 512);

	text_join(&device->use, "; ", safe);
}

/* Who has a sound card open is a process, which is looked for when it matters. */
static bool look_at_sound(const struct root *root, struct device *device)
{
	(void)root;
	(void)device;
	return true;
}

/* What is plugged into @hub: "3-1"; its interfaces are called "3-1:1.0". */
static void add_plugged(const struct root *root, struct device *device, const char *hub)
{
	CLEANUP(root_names)
	char **names = root_names(root, DEVICES "/%s/%s", device->address, hub);

	for (char **name = names; *name != NULL; name++) {
		CLEANUP(text) char *product = NULL;
		CLEANUP(text) char *what = NULL;

		if (strspn(*name, "0123456789") == 0 || strchr(*name, '-') == NULL ||
		    strchr(*name, ':') != NULL)
			continue;
		product = root_text(root, DEVICES "/%s/%s/%s/product", device->address, hub, *name);
		what = text_format("USB device %s%s%s%s", *name, product == NULL ? "" : " (",
				   product == NULL ? "" : product, product == NULL ? "" : ")");
		use_add(device, what);
	}
}

static bool look_at_usb(const struct root *root, struct device *device)
{
	CLEANUP(root_names) char **names = root_names(root, DEVICES "/%s", device->address);
	bool has_hub = false;

	for (char **name = names; *name != NULL; name++)
		if (text_starts(*name, "usb")) {
			has_hub = true;
			add_plugged(root, device, *name);
		}
	return has_hub && device->use == NULL;
}

/* How the use of a kind of device is seen: each says whether nothing uses it. */
static const struct {
	unsigned base, whole; /* class; 0: all of the base class */
	bool (*look)(const struct root *root, struct device *device);
} kinds[] = {
	{ CLASS_STORAGE, 0, use_look_at_disks },
	{ CLASS_NETWORK, 0, use_look_at_networks },
	{ CLASS_SOUND, 0, look_at_sound },
	{ CLASS_SERIAL, SUBCLASS_USB, look_at_usb },
};

static bool shares_group_with_gpu(const struct device_list *list, const struct device *device)
{
	for (size_t i = 0; device->iommu_group >= 0 && i < list->count; i++)
		if (list->devices[i].iommu_group == device->iommu_group &&
		    gpu_is_function(&list->devices[i]))
			return true;
	return false;
}

void use_read(const struct root *root, struct device_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct device *device = &list->devices[i];

		if (device->driver == NULL || device->is_bridge || gpu_is_function(device) ||
		    !shares_group_with_gpu(list, device))
			continue;
		for (size_t j = 0; j < sizeof kinds / sizeof *kinds; j++)
			if (device->class_id >> 8 == kinds[j].base &&
			    (kinds[j].whole == 0 || device->class_id == kinds[j].whole))
				device->is_idle = kinds[j].look(root, device);
	}
}
