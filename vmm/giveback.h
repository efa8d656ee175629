/* SPDX-License-Identifier: MIT */
/*
 * Whether the host got its devices back: each function's driver now, against the record that the start
 * left in the domain's metadata. libvirt hands them back when the guest ends; it erases a driver_override
 * and lets the kernel probe, so a function can end up elsewhere. A record counts until the host's next boot,
 * which binds anew, and until it was seen fulfilled once: what the admin does afterwards is his own choice.
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
	GIVEBACK_SAME, /* on the driver it came from, or on the one that driverctl was told since */
	GIVEBACK_REPAIRED, /* was not, and is since gpuvm asked libvirt again */
	GIVEBACK_TAKEN,    /* somebody else has it by now, or may have: nothing to say about it */
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
	bool complete;  /* nothing is to be done */
	bool fulfilled; /* every function is on the driver it came from */
};

/* All borrowed. */
struct giveback_means {
	struct hv *hv;                    /* for writing; NULL: only compares */
	const struct hv_domains *domains; /* without @hv: who has what; NULL: not known */
	const char *uri;                  /* libvirt's, for commands; NULL: HV_URI_DEFAULT */
	const char *lease_directory;      /* as in lease.h */
	unsigned timeout_ms;              /* how long drivers may take to bind */
};

/*
 * Compares, after the VM @guest ended, and asks libvirt once more (virNodeDeviceReAttach) for what did not
 * come back by itself and is on no driver of the host: taking one of those away could hang. Looks who else has
 * a function only if one is not back. Borrows @guest. Cannot fail. Release with giveback_free().
 */
struct giveback *giveback_check(const struct guest *guest, const struct root *root,
				const struct giveback_means *means);
void giveback_free(struct giveback *giveback);
CLEANUP_DEFINE(giveback, struct giveback, giveback_free)

/* This boot of the host (proc_sys_kernel_random(5)), for the record; NULL if unknown. The caller frees. */
char *giveback_boot(const struct root *root);

#endif
