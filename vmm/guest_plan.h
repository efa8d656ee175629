/* SPDX-License-Identifier: MIT */
/*
 * What a start meant a VM to have, read back from the domain's XML: on which CPUs each thread was to run, and
 * where in the guest each PCI function was to be. guest.h has the rest: memory, functions, what was edited.
 */
#ifndef GPUVM_VMM_GUEST_PLAN_H
#define GPUVM_VMM_GUEST_PLAN_H

#include <hwloc.h>
#include <stdbool.h>
#include <stddef.h>

#include "topo/device.h"
#include "vmm/base/cleanup.h"

/* Where the guest finds a function: slot 0 behind a root port, which is on a root bus. */
struct guest_place {
	unsigned root_bus; /* the guest's: 0, or that of an expander */
	unsigned port_slot, port_function;
	unsigned function;
	int cell; /* the guest's node that the expander is on; -1: on none */
};

struct guest_hostdev {
	char address[DEVICE_ADDRESS_BYTES]; /* the host's */
	bool is_seen;   /* false: held for its group alone, the guest does not see it */
	bool has_place; /* false: the XML does not put it behind a root port, as gpuvm does */
	struct guest_place place;
};

struct guest_plan {
	hwloc_bitmap_t
		*vcpus; /* by vCPU: as gpuvm recorded it, else as libvirt has it; NULL: floats */
	size_t vcpu_count;
	hwloc_bitmap_t emulator;  /* QEMU's own threads; empty: they float */
	hwloc_bitmap_t iothreads; /* all of them; empty: they float */
	struct guest_hostdev *hostdevs;
	size_t hostdev_count;
};

/*
 * Reads @xml, of which guest_parse() has made a guest. What is malformed counts as not written. NULL if it is
 * not XML. Release with guest_plan_free(). Source: libvirt formatdomain, cputune and controllers.
 */
struct guest_plan *guest_plan_read(const char *xml);
void guest_plan_free(struct guest_plan *plan);
CLEANUP_DEFINE(guest_plan, struct guest_plan, guest_plan_free)

/* The hostdev that is the host's function @address, or NULL. Borrows. */
const struct guest_hostdev *guest_plan_hostdev(const struct guest_plan *plan, const char *address);

#endif
