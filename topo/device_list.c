// SPDX-License-Identifier: MIT
#include "topo/device.h"

#include <stdlib.h>
#include <string.h>

#include "topo/device_names.h"
#include "vmm/base/text.h"

void device_list_free(struct device_list *list)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < list->count; i++) {
		struct device *device = &list->devices[i];

		free(device->driver);
		free(device->driver_override);
		free(device->reset_methods);
		free(device->path);
		free(device->use);
		free(device->firmware_framebuffer);
	}
	free(list->devices);
	device_names_free(list->names);
	free(list);
}

static int to_address(const void *address, const void *device)
{
	return strcmp(address, ((const struct device *)device)->address);
}

const struct device *device_find(const struct device_list *list, const char *address)
{
	return list->count == 0 ? NULL
				: bsearch(address, list->devices, list->count,
					  sizeof *list->devices, to_address);
}

bool device_same_slot(const struct device *a, const struct device *b)
{
	return a->domain == b->domain && a->bus == b->bus && a->slot == b->slot;
}

static char *name_of(const struct device *device, enum device_name which)
{
	return device->names == NULL ? NULL : device->names->find(device->names, device, which);
}

char *device_vendor_name(const struct device *device)
{
	return name_of(device, DEVICE_NAME_VENDOR);
}

char *device_device_name(const struct device *device)
{
	return name_of(device, DEVICE_NAME_DEVICE);
}

bool device_is_console(const struct device *device)
{
	return device->is_boot_vga || device->firmware_framebuffer != NULL;
}

char *device_title(const struct device *device)
{
	CLEANUP(text) char *vendor = device_vendor_name(device);
	CLEANUP(text) char *name = device_device_name(device);

	if (vendor == NULL || name == NULL)
		return text_format("PCI device %04x:%04x", device->vendor_id, device->device_id);
	return text_format("%s %s", vendor, name);
}
