/* SPDX-License-Identifier: MIT */
/*
 * What is taken on this host, and by whom: every active libvirt domain, gpuvm's or not, every start under
 * way, and what is kept of GPUs that are held, drained or quarantined. Placement counts it; `gpus` and `list` show it.
 */
#ifndef GPUVM_VMM_USAGE_H
#define GPUVM_VMM_USAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "topo/host.h"
#include "topo/machine.h"
#include "topo/place.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"
#include "vmm/guest.h"
#include "vmm/hv.h"
#include "vmm/lease.h"
#include "vmm/record.h"

/* A libvirt domain with its XML read. */
struct usage_vm {
	const struct hv_domain *domain; /* borrowed from usage.domains */
	struct guest *guest;
	hwloc_bitmap_t cpus; /* what its vCPUs keep from others; empty: nothing */
	char *label;         /* `VM "train" of alice`, `VM "win11" (not gpuvm's)` */
	char *remedy; /* the command that stops it: gpuvm's, or virsh's if it is not gpuvm's */
};

/* A record in words. */
struct usage_record {
	char *holder; /* `VM "train" of alice, which is off`, "a drain by bob" */
	char *state;  /* "is drained by bob: fan" */
	char *remedy;
};

/* A GPU that nobody has and that does not answer. */
struct usage_silent {
	const struct gpu *gpu; /* the host's */
	char *seen;            /* one line: what is wrong with it */
	char *state;           /* "does not answer: ..." */
};

struct holder_list; /* topo/holder.h */

struct usage {
	struct hv_domains *domains; /* NULL: no connection nor record, nothing known */
	struct usage_vm *vms;       /* one per domain, same order */
	size_t vm_count;
	uint64_t *resident_bytes;     /* one per domain, from a snapshot; NULL: ask libvirt */
	struct lease_records *starts; /* under way */
	char **start_labels;          /* one per start: `VM "train" of bob, starting (pid 4711)` */
	struct record_list *records;  /* judged by held_judge() */
	struct usage_record *record_texts; /* one per record */
	struct place_taken_gpu *gpus;
	struct place_taken_cpus *cpus;
	struct place_taken_memory *memory;
	size_t gpu_count, cpus_count, memory_count;
	struct holder_list
		*users; /* who has GPUs beside libvirt; NULL: not looked (usage_read_users) */
	size_t user_gpu_count; /* the last of gpus: those that users have alone, or that are silent */
	struct usage_silent *silent; /* looked for with the users */
	size_t silent_count;
};

/*
 * Reads what is taken. @hv NULL: no daemon to ask; only starts under way are then known, and @lease_directory
 * as in lease.h. If @root is not live, what its snapshot recorded of libvirt counts instead of both
 * (snapshot.h), and usage.domains is NULL if that is nothing. What the VM named @except has does not count
 * (NULL: all counts): it is the one that a plan is for. A domain pinned to all CPUs of @machine, or not pinned
 * at all, takes no CPUs. QEMU's own threads take none either: they run where the host does. Memory is what is
 * promised and not resident yet. Its GPUs are taken from all but the VM itself by a hold, from all by a drain
 * or a quarantine. Borrows nothing but the text constants. Release with usage_free().
 */
int usage_read(struct hv *hv, const struct root *root, const char *lease_directory,
	       const struct machine *machine, const char *except, struct usage **ret_usage,
	       struct fail *fail);
void usage_free(struct usage *usage);
CLEANUP_DEFINE(usage, struct usage, usage_free)

/*
 * Looks, once for all, for who has the GPUs that @requests could get beside libvirt (holder.h), and whether they answer
 * (quarantine.h), which wakes those that sleep. Those that words could choose count as taken from then on, so that
 * another is chosen; of those that an address insists on the holder is for preflight_gpus() to name, and the silence
 * for the findings (check.h). Borrows @host.
 */
void usage_read_users(struct usage *usage, const struct root *root, const struct host *host,
		      const struct place_gpu_request *requests, size_t request_count);

/* The same as placement wants it; usage_taken_by_vms() without what users have. Borrow from @usage. */
struct place_taken usage_taken(const struct usage *usage);
struct place_taken usage_taken_by_vms(const struct usage *usage);

/* The VM named @name, or NULL. The start under way named @name, or NULL. Borrow from @usage. */
const struct usage_vm *usage_vm(const struct usage *usage, const char *name);
const struct lease_record *usage_start(const struct usage *usage, const char *name);

#endif
