/* SPDX-License-Identifier: MIT */
/*
 * Whether the host got its devices back: each function's driver now, against the record that the start
 * left in the domain's metadata. libvirt hands them back when the guest ends; it erases a driver_override
 * and lets the kernel probe, so a function can end up elsewhere.
 */
#ifndef GPUVM_VMM_GIVEBACK_H
#define GPUVM_VMM_GIVEBACK_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"
#include "vmm/guest.h"
#include "vmm/hv.h"

#define GIVEBACK_TIMEOUT_MS 10000 /* more than drivers take to bind */

enum giveback_state {
	GIVEBACK_SAME,          /* on the driver it came from */
	GIVEBACK_REPAIRED,      /* was not, and is since gpuvm asked libvirt again */
	GIVEBACK_OVERRIDE_LOST, /* a driver_override was erased; the driver is the right one or not */
	GIVEBACK_ELSEWHERE,     /* on another driver, or none, and gpuvm cannot mend it */
};

struct giveback_function {
	const struct guest_function *before; /* borrowed */
	char *driver_now;                    /* NULL: none */
	enum giveback_state state;
	char *remedy; /* a command; NULL if nothing is to be done */
};

struct giveback {
	struct giveback_function *functions;
	size_t count;
	bool complete; /* every function is on the driver it came from */
};

/*
 * Compares, after the VM @guest ended, and asks libvirt once more (virNodeDeviceReAttach) for what did not
 * come back by itself; @hv NULL: only compares. Waits up to @timeout_ms for drivers to bind. Borrows @guest.
 * Cannot fail. Release with giveback_free().
 */
struct giveback *giveback_check(const struct guest *guest, const struct root *root, struct hv *hv,
				unsigned timeout_ms);
void giveback_free(struct giveback *giveback);
CLEANUP_DEFINE(giveback, struct giveback, giveback_free)

#endif
