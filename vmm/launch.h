/* SPDX-License-Identifier: MIT */
/*
 * The one orchestrator: from a spec to a running VM.
 *
 *     spec -> host and its policy -> what is taken -> placement -> firmware -> domain -> XML -> libvirt
 *
 * launch_plan() goes as far as the XML and changes nothing. launch_start() goes the same way behind the
 * lease gate, claims, defines and starts; until all decisions have succeeded nothing on the host changes,
 * and a start that fails leaves the definition as it was.
 */
#ifndef GPUVM_VMM_LAUNCH_H
#define GPUVM_VMM_LAUNCH_H

#include <stdbool.h>

#include "firmware/descriptor.h"
#include "topo/host.h"
#include "topo/place.h"
#include "vmm/aftermath.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"
#include "vmm/check.h"
#include "vmm/disk.h"
#include "vmm/domain.h"
#include "vmm/held.h"
#include "vmm/hv.h"
#include "vmm/mmio.h"
#include "vmm/owner.h"
#include "vmm/policy.h"
#include "vmm/seed.h"
#include "vmm/spec.h"
#include "vmm/usage.h"

/* A start that has been choosing for so long ends the process, so that the gate opens for others. */
#define LAUNCH_CHOOSE_TIMEOUT_S (HV_TIMEOUT_S + 30)

/* What every launch is told. Texts are borrowed. */
struct launch_options {
	const char *uri;             /* NULL: HV_URI_DEFAULT */
	const char *root_directory;  /* NULL: the live host */
	const char *lease_directory; /* NULL: LEASE_DIRECTORY */
	const char *
		spec_text; /* of launch_plan(): the spec, of which @path is but the name; NULL: the file has it */
	bool force; /* start another user's VM */
	const char *const *
		forced; /* findings that keep no VM from starting, by id; NULL-terminated; NULL: none */
	bool by_name;              /* a target is a VM's name, whatever it looks like */
	bool keep_owner;           /* the VM stays its owner's, whoever starts it: starts at boot */
	unsigned choose_timeout_s; /* 0: LAUNCH_CHOOSE_TIMEOUT_S */
	unsigned start_timeout_s;  /* of libvirt's start call; 0: wait_timeout_s() of the VM */
	/* Told of each step as it begins, by its name in launch's table; may be NULL. @says is what people read of
	 * it, one line without full stop; NULL for most, which take no time. */
	void (*progress)(void *data, const char *step, const char *says);
	void *progress_data;
};

enum launch_outcome {
	LAUNCH_PLANNED,
	LAUNCH_STARTED,
	LAUNCH_WAS_RUNNING, /* nothing was done; only spec, usage and uuid are filled */
};

/* One VM on its way. Stages not reached are NULL. */
struct launch {
	struct launch_options options;
	const char *target; /* as given; borrowed */
	enum launch_outcome outcome;
	bool by_path; /* the spec came from a file */
	struct root *root;
	struct owner *owner;
	struct spec *spec;
	struct host *host;
	struct policy *policy; /* the host's */
	struct hv *hv;         /* NULL: libvirt was not asked */
	char *libvirt_unknown; /* why it was not; NULL if it was */
	struct usage *usage;
	struct aftermath *aftermath; /* of VMs that ended without gpuvm; mended by a start */
	struct quarantine
		*silent; /* of a start: GPUs that did not answer before it; NULL: not looked */
	struct quarantine *lost; /* of a start that failed: GPUs that do not answer behind it */
	char *boot;              /* of the host; NULL if unknown */
	struct disks *disks;
	struct placement *placement;
	struct descriptor *firmware;
	struct seed *seed; /* NULL: the spec has no [cloud-init] */
	char *seed_pool,
		*seed_volume; /* of this start's or an earlier one's; NULL: there is none */
	char *seed_path;
	struct domain_seed domain_seed; /* borrows the three */
	bool seed_is_made;              /* by this start */
	struct domain *domain;
	struct mmio *mmio; /* what the domain does for large BARs; it borrows it */
	char *xml;
	char *uuid;            /* NULL while planning a VM that is not defined yet */
	struct fail *refusals; /* of a plan: what start would still refuse, one per check */
	size_t refusal_count;
	size_t not_checked; /* processes that may hold a GPU and nobody looks at: not root, no hook */
	struct lease_gate *gate;      /* while choosing */
	struct deadline *deadline;    /* the same, and of libvirt's start call */
	struct lease_claim *claim;    /* until it runs */
	bool had_nvram;               /* libvirt kept UEFI variables of it before */
	struct held_lines taken_over; /* of a start: what dead processes and deleted VMs had left */
	double seconds_create;        /* spent inside libvirt's start call */
	double seconds_total;
};

/*
 * Plans the spec at @path. Needs no rights and, if libvirt does not answer, goes on without it and says why
 * in libvirt_unknown. On failure the stages reached are still in *@ret_launch, which is always set.
 * Release with launch_free().
 */
int launch_plan(const struct launch_options *options, const char *path, struct launch **ret_launch,
		struct fail *fail);

/*
 * Plans the spec at @path, and makes all findings on it, its GPUs and the host (check.h), what a start would refuse
 * included: a plan that is refused is no failure. Fails if the spec or the host cannot be read. *@ret_launch is always
 * set. Release both.
 */
int launch_examine(const struct launch_options *options, const char *path,
		   struct launch **ret_launch, struct findings **ret_findings, struct fail *fail);

/*
 * Starts @target: a spec's path (it has a '/' or ends in ".ini"), else the name of a VM that was started
 * before, whose spec is in its metadata, or in its file if that was changed since (pending.h). Waits for another start that is choosing. All or nothing.
 * *@ret_launch is always set. Release with launch_free().
 */
int launch_start(const struct launch_options *options, const char *target,
		 struct launch **ret_launch, struct fail *fail);

void launch_free(struct launch *launch);
CLEANUP_DEFINE(launch, struct launch, launch_free)

#endif
