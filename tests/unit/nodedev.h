/* SPDX-License-Identifier: MIT */
/*
 * For unit tests: libvirt's node devices, of which the test driver has none. There is one, NODEDEV_GPU; when it is
 * given back, the host of nodedev_set() then has a driver on it.
 */
#ifndef GPUVM_TESTS_NODEDEV_H
#define GPUVM_TESTS_NODEDEV_H

#include "tests/unit/hosts.h"
#include "tests/unit/testhv.h"

#define NODEDEV_GPU "0000:17:00.0"

struct nodedev {
	const char *directory; /* of the host */
	const char *driver;    /* that comes when it is given back; "": none; NULL: libvirt fails */
	bool was_asked;        /* to give it back */
};

static struct nodedev nodedev;

static inline void nodedev_set(const char *directory, const char *driver)
{
	nodedev = (struct nodedev){ .directory = directory, .driver = driver };
}

virNodeDevicePtr virNodeDeviceLookupByName(virConnectPtr connection, const char *name)
{
	assert_string_equal(name, "pci_0000_17_00_0");
	return (virNodeDevicePtr)connection;
}

int virNodeDeviceFree(virNodeDevicePtr device)
{
	(void)device;
	return 0;
}

int virNodeDeviceReAttach(virNodeDevicePtr device)
{
	(void)device;
	nodedev.was_asked = true;
	if (nodedev.driver == NULL)
		return -1;
	hosts_bind(nodedev.directory, NODEDEV_GPU, nodedev.driver);
	return 0;
}

#endif
