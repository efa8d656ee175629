// SPDX-License-Identifier: MIT
#include <string.h>

#include "vmm/base/text.h"
#include "vmm/domxml.h"
#include "vmm/domxml_internal.h"

static void add_function(xmlNodePtr gpu, const struct domain_hostdev *hostdev, xmlNsPtr space)
{
	xmlNodePtr function = domxml_child_of(gpu, "function", space);
	const struct device *device = hostdev->device;

	domxml_attribute(function, "address", "%s", device->address);
	if (device->driver != NULL)
		domxml_attribute(function, "driver", "%s", device->driver);
	if (device->driver_override != NULL)
		domxml_attribute(function, "override", "%s", device->driver_override);
	if (!hostdev->seen_by_guest)
		domxml_attribute(function, "held", "yes");
}

/* What the start chose, against which edits and drivers are held later. */
static void add_start(xmlNodePtr vm, const struct domain *domain, xmlNsPtr space)
{
	const struct placement *placement = domain->placement;
	xmlNodePtr start = domxml_child_of(vm, "start", space);
	CLEANUP(text) char *pins = NULL;

	for (size_t i = 0; i < placement->vcpu_count; i++)
		text_add(&pins, "%s%u", i == 0 ? "" : ",", placement->vcpus[i].cpu);
	if (domain->identity.boot != NULL)
		domxml_attribute(start, "boot", "%s", domain->identity.boot);
	domxml_attribute(start, "pins", "%s", pins);
}

static void add_volume(xmlNodePtr vm, const struct guest_volume *volume, xmlNsPtr space)
{
	xmlNodePtr node = domxml_child_of(vm, "volume", space);

	domxml_attribute(node, "pool", "%s", volume->pool);
	domxml_attribute(node, "name", "%s", volume->name);
	domxml_attribute(node, "path", "%s", volume->path);
	domxml_attribute(node, "format", "%s", volume->format);
	if (volume->backing != NULL)
		domxml_attribute(node, "backing", "%s", volume->backing);
}

static bool is_disk(const struct domain *domain, const char *volume)
{
	for (size_t i = 0; i < domain->disk_count; i++)
		if (text_equal(domain->disks[i].disk->volume, volume))
			return true;
	return false;
}

/*
 * What gpuvm makes for the VM, written before it is made, so that no death of gpuvm leaves a volume that nobody
 * knows; and what it made for a disk that the spec does not have any more.
 */
static void add_volumes(xmlNodePtr vm, const struct domain *domain, xmlNsPtr space)
{
	for (size_t i = 0; i < domain->disk_count; i++) {
		const struct disk *disk = domain->disks[i].disk;
		const struct guest_volume volume = { .pool = disk->pool,
						     .name = disk->volume,
						     .path = disk->path,
						     .format = (char *)disk_format(disk),
						     .backing = disk->spec->image };

		if (disk->kind != DISK_IMAGE)
			add_volume(vm, &volume, space);
	}
	for (size_t i = 0; domain->kept != NULL && i < domain->kept->count; i++)
		if (!is_disk(domain, domain->kept->items[i].name))
			add_volume(vm, &domain->kept->items[i], space);
}

/* Before it is made, so that no death of gpuvm leaves a volume that nobody knows. */
static void add_seed(xmlNodePtr vm, const struct domain_seed *seed, xmlNsPtr space)
{
	xmlNodePtr node = domxml_child_of(vm, "seed", space);

	domxml_attribute(node, "pool", "%s", seed->pool);
	domxml_attribute(node, "volume", "%s", seed->volume);
}

void domxml_metadata_add(xmlNodePtr root, const struct domain *domain)
{
	const struct spec *spec = domain->spec;
	const struct placement *placement = domain->placement;
	xmlNodePtr vm = domxml_child(domxml_child(root, "metadata"), "vm");
	xmlNsPtr space = domxml_namespace(vm, DOMXML_NAMESPACE, "gpuvm");
	xmlNodePtr node;

	xmlSetNs(vm, space);
	node = domxml_child_of(vm, "owner", space);
	domxml_attribute(node, "uid", "%u", domain->identity.uid);
	domxml_attribute(node, "name", "%s", domain->identity.user);
	if (spec->autostart)
		domxml_child_of(vm, "autostart", space);
	if (spec->threads == PLACE_WHOLE_CORES)
		domxml_child_of(vm, "whole-cores", space);
	add_start(vm, domain, space);
	add_volumes(vm, domain, space);
	if (domain->identity.seed != NULL)
		add_seed(vm, domain->identity.seed, space);
	domxml_leaf(vm, "spec", "%s", spec->text);
	node = xmlGetLastChild(vm);
	xmlSetNs(node, space);
	domxml_attribute(node, "file", "%s", spec->file);
	domxml_attribute(node, "directory", "%s", spec->directory);
	for (size_t i = 0; i < placement->gpu_count; i++) {
		node = domxml_child_of(vm, "gpu", space);
		domxml_attribute(node, "address", "%s", placement->gpus[i].gpu->device->address);
		for (size_t j = 0; j < domain->hostdev_count; j++)
			if (domain->hostdevs[j].gpu == i)
				add_function(node, &domain->hostdevs[j], space);
	}
}
