// SPDX-License-Identifier: MIT
#include "topo/device.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/text.h"

void device_list_free(struct device_list *list)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < list->count; i++) {
		struct device *device = &list->devices[i];

		free(device->vendor_name);
		free(device->device_name);
		free(device->driver);
		free(device->driver_override);
		free(device->reset_methods);
		free(device->path);
		free(device->use);
	}
	free(list->devices);
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

char *device_title(const struct device *device)
{
	if (device->vendor_name == NULL || device->device_name == NULL)
		return text_format("PCI device %04x:%04x", device->vendor_id, device->device_id);
	return text_format("%s %s", device->vendor_name, device->device_name);
}
