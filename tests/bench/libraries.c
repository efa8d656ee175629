// SPDX-License-Identifier: MIT
/*
 * What hwloc and libpci alone cost on the tree of a host: libraries ROOT. Loads the topology as
 * topo/topology.c does, scans the bus for the fields that gpuvm takes, and prints how much there was.
 */
#include <hwloc.h>
#include <pci/pci.h>
#include <stdio.h>
#include <stdlib.h>

#define FIELDS                                                                                     \
	(PCI_FILL_IDENT | PCI_FILL_CLASS | PCI_FILL_SUBSYS | PCI_FILL_BASES | PCI_FILL_SIZES |     \
	 PCI_FILL_IO_FLAGS | PCI_FILL_DRIVER | PCI_FILL_IOMMU_GROUP | PCI_FILL_NUMA_NODE)

static int load_topology(const char *root)
{
	hwloc_topology_t topology;
	int count = -1;

	setenv("HWLOC_FSROOT", root, 1);
	setenv("HWLOC_COMPONENTS", "linux,stop", 1);
	setenv("HWLOC_HIDE_ERRORS", "2", 1);
	if (hwloc_topology_init(&topology) != 0)
		return -1;
	hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
	if (hwloc_topology_load(topology) == 0)
		count = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
	hwloc_topology_destroy(topology);
	return count;
}

static int scan_bus(char *path)
{
	struct pci_access *access = pci_alloc();
	int count = 0;

	access->method = PCI_ACCESS_SYS_BUS_PCI;
	pci_set_param(access, "sysfs.path", path);
	pci_init(access);
	pci_scan_bus(access);
	for (struct pci_dev *device = access->devices; device != NULL;
	     device = device->next, count++) {
		pci_fill_info(device, FIELDS);
		pci_get_string_property(device, PCI_FILL_DRIVER);
		pci_get_string_property(device, PCI_FILL_IOMMU_GROUP);
	}
	pci_cleanup(access);
	return count;
}

int main(int argc, char **argv)
{
	char path[4096];

	if (argc != 2)
		return 2;
	snprintf(path, sizeof path, "%s/sys/bus/pci", argv[1]);
	printf("%d CPUs, ", load_topology(argv[1]));
	printf("%d functions\n", scan_bus(path));
	return 0;
}
