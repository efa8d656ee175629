// SPDX-License-Identifier: MIT
#include "topo/topology_xml.h"

#include <hwloc/export.h>
#include <stdlib.h>

#include "topo/topology.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

/* Light enough for black text. */
static const char *const styles[] = {
	"Background=#ffcc99", "Background=#99ccff", "Background=#ccff99", "Background=#ff99cc",
	"Background=#99ffcc", "Background=#cc99ff", "Background=#ffff99", "Background=#99ffff",
};

/* The holders' labels, each once, in the order of @taken. */
struct holders {
	const char **labels; /* borrowed */
	size_t count;
};

static size_t holder_number(struct holders *holders, const char *label)
{
	for (size_t i = 0; i < holders->count; i++)
		if (text_equal(holders->labels[i], label))
			return i;
	*MEM_APPEND(holders->labels, holders->count) = label;
	return holders->count - 1;
}

static void mark(hwloc_obj_t object, const struct holders *holders, size_t number)
{
	const char *style = styles[number % (sizeof styles / sizeof *styles)];

	if (hwloc_obj_get_info_by_name(object, "VM") != NULL)
		return;
	hwloc_obj_add_info(object, "VM", holders->labels[number]);
	hwloc_obj_add_info(object, "lstopoStyle", style);
}

static void add_misc(hwloc_topology_t topology, hwloc_obj_t parent, const struct holders *holders,
		     size_t number)
{
	hwloc_obj_t misc = hwloc_topology_insert_misc_object(topology, parent,
							     holders->labels[number]);

	if (misc != NULL)
		hwloc_obj_add_info(misc, "lstopoStyle",
				   styles[number % (sizeof styles / sizeof *styles)]);
}

static void mark_cpus(hwloc_topology_t topology, const struct place_taken_cpus *taken,
		      struct holders *holders)
{
	size_t number = holder_number(holders, taken->holder);
	CLEANUP(bitmap) hwloc_bitmap_t cpus = hwloc_bitmap_dup(taken->cpus);
	hwloc_obj_t around;

	hwloc_bitmap_and(cpus, cpus, hwloc_topology_get_topology_cpuset(topology));
	for (int i = hwloc_bitmap_first(cpus); i >= 0; i = hwloc_bitmap_next(cpus, i))
		mark(hwloc_get_pu_obj_by_os_index(topology, (unsigned)i), holders, number);
	around = hwloc_bitmap_iszero(cpus) ? NULL : hwloc_get_obj_covering_cpuset(topology, cpus);
	if (around != NULL)
		add_misc(topology, around, holders, number);
}

static void mark_function(hwloc_topology_t topology, const struct place_taken_gpu *taken,
			  struct holders *holders)
{
	size_t number = holder_number(holders, taken->holder);
	hwloc_obj_t object = hwloc_get_pcidev_by_busidstring(topology, taken->address);

	if (object == NULL)
		return;
	mark(object, holders, number);
	add_misc(topology, object, holders, number);
}

static void mark_host_cpus(hwloc_topology_t topology, hwloc_const_bitmap_t cpus)
{
	for (int i = hwloc_bitmap_first(cpus); i >= 0; i = hwloc_bitmap_next(cpus, i)) {
		hwloc_obj_t pu = hwloc_get_pu_obj_by_os_index(topology, (unsigned)i);

		if (pu != NULL)
			hwloc_obj_add_info(pu, "gpuvm", "host");
	}
}

/* hwloc without its PCI plugin, as Debian has it, knows numbers alone. The keys are that plugin's. */
static void name_functions(hwloc_topology_t topology, const struct device_list *devices)
{
	for (size_t i = 0; i < devices->count; i++) {
		const struct device *device = &devices->devices[i];
		hwloc_obj_t object = hwloc_get_pcidev_by_busid(
			topology, device->domain, device->bus, device->slot, device->function);
		CLEANUP(text) char *vendor = object == NULL ? NULL : device_vendor_name(device);
		CLEANUP(text) char *name = object == NULL ? NULL : device_device_name(device);

		if (vendor != NULL)
			hwloc_obj_add_info(object, "PCIVendor", vendor);
		if (name != NULL)
			hwloc_obj_add_info(object, "PCIDevice", name);
	}
}

static int export(hwloc_topology_t topology, char **ret_xml, struct fail *fail)
{
	char *buffer = NULL;
	int length = 0;

	if (hwloc_topology_export_xmlbuffer(topology, &buffer, &length, 0) != 0) {
		fail_add(fail, FAIL_FAIL, "the machine cannot be written as XML");
		return fail_cause(fail, "hwloc_topology_export_xmlbuffer failed");
	}
	*ret_xml = mem_strdup(buffer);
	hwloc_free_xmlbuffer(topology, buffer);
	return 0;
}

int topology_xml(const struct root *root, const struct host *host, const struct place_taken *taken,
		 hwloc_const_bitmap_t host_cpus, char **ret_xml, struct fail *fail)
{
	CLEANUP(topology) hwloc_topology_t topology = topology_load(root, true);
	struct holders holders = { 0 };

	if (topology == NULL) {
		fail_add(fail, FAIL_FAIL, "the processors of this host cannot be read");
		return fail_cause(fail, "hwloc finds none in %s/sys", root->dir);
	}
	name_functions(topology, host->devices);
	for (size_t i = 0; i < taken->cpus_count; i++)
		mark_cpus(topology, &taken->cpus[i], &holders);
	for (size_t i = 0; i < taken->gpu_count; i++)
		mark_function(topology, &taken->gpus[i], &holders);
	mark_host_cpus(topology, host_cpus);
	free(holders.labels);
	return export(topology, ret_xml, fail);
}
