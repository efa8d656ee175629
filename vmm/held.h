/* SPDX-License-Identifier: MIT */
/*
 * GPUs that are kept for a VM while it is off: `hold = yes` in its [gpu] section. A start writes one record
 * per GPU before libvirt hears of the VM, so that no crash leaves a started VM without. A record is worth
 * something while libvirt defines the domain with its UUID, or a start under way will; after that the next
 * command takes it over. It ends by `gpuvm release`, by the VM's end (delete), and by the first start without
 * `hold`.
 */
#ifndef GPUVM_VMM_HELD_H
#define GPUVM_VMM_HELD_H

#include <stddef.h>

#include "topo/host.h"
#include "topo/place.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"
#include "vmm/hv.h"
#include "vmm/lease.h"
#include "vmm/owner.h"
#include "vmm/record.h"
#include "vmm/spec.h"

/*
 * Sets is_stale of the holds in @records. They must have been read before @starts, and those before @domains: a
 * start writes its hold while it has its claim, and lets go of that when libvirt has the domain. @domains
 * NULL: not known, then only a damaged hold is stale.
 */
void held_judge(struct record_list *records, const struct lease_records *starts,
		const struct hv_domains *domains);

/* What held_take_over() did, one line each. */
struct held_lines {
	char **lines;
	size_t count;
};

void held_lines_done(struct held_lines *lines);

static inline void held_lines_cleanup(struct held_lines *lines)
{
	held_lines_done(lines);
}

/*
 * Removes the holds that are stale, and what killed writers have left, and says so in @lines. Looks at nothing
 * but files if there are none. What cannot be removed stays for the next command. Does nothing below a root
 * that is not live, nor for a libvirt that is not this machine's system daemon (hv_is_system).
 */
void held_take_over(const struct root *root, struct hv *hv, const char *lease_directory,
		    struct held_lines *lines);

/*
 * place(), with the GPUs that are held for the VM @uuid (NULL: none) instead of others wherever they still
 * satisfy their section of @request.
 */
int held_place(const struct place_request *request, const struct record_list *records,
	       const char *uuid, const struct host *host, const struct place_taken *taken,
	       struct placement **ret_placement, struct fail *fail);

/* A start, as far as holds go. All borrowed. */
struct held_start {
	const struct root *root;
	const struct spec *spec;
	const struct placement *placement;
	const struct record_list *records; /* before the start */
	const char *uuid, *user;
	unsigned uid;
};

/* Writes the holds that @start wants. All or none; fails as record_write() does. */
int held_begin(const struct held_start *start, struct fail *fail);

/* After it failed: holds are as they were before. After it succeeded: those that the VM no longer wants end.
 * What cannot be written then is left to the next start. */
void held_take_back(const struct held_start *start);
void held_settle(const struct held_start *start);

/* Ends all holds for the VM @uuid, as far as the caller may: its domain is gone, so they are stale anyway. */
void held_drop(const struct root *root, const char *uuid);

#endif
