/* SPDX-License-Identifier: MIT */
/*
 * Whether GPU VMs will start here, known before: findings on the host, on each GPU, and on one VM. Nothing is changed,
 * and what the caller may not read is said. `plan` and `start` run the same table (launch_check.c): a finding that
 * failed keeps a VM from starting, unless it was told to go on by the finding's id.
 */
#ifndef GPUVM_VMM_CHECK_H
#define GPUVM_VMM_CHECK_H

#include <stdbool.h>

#include "topo/holder.h"
#include "topo/host.h"
#include "topo/place.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"
#include "vmm/finding.h"
#include "vmm/mmio.h"
#include "vmm/spec.h"

enum check_scope {
	CHECK_HOST = 1 << 0,
	CHECK_GPU = 1 << 1, /* once for each GPU */
	CHECK_VM = 1 << 2,
};

/* What the worst of its rows means for a start. */
enum check_weight {
	CHECK_WARNS,   /* nothing keeps it from starting */
	CHECK_STOPS,   /* a start is refused, but --force=ID goes on all the same */
	CHECK_REFUSES, /* a start is refused by a stage of its own, and could not go on */
};

struct check; /* check_internal.h */
typedef void check_finding(const struct check *check, struct findings *findings);

/* A row of the table. Ids are published: scripts name them, they never change. */
struct check_about {
	const char *id; /* "interrupt-remapping" */
	enum check_scope scope;
	enum check_weight weight;
	const char *title;  /* "interrupts are remapped" */
	const char *why;    /* it matters, in a sentence without full stop */
	check_finding *run; /* adds at least one row */
};

/* The table, by scope; ended by a row without id. Static. */
const struct check_about *check_table(void);

/* The row of @id, or NULL. */
const struct check_about *check_find(const char *id);

/* A VM that is planned on the host. Stages that the plan did not reach are NULL. */
struct check_vm {
	const struct spec *spec;
	const struct placement *placement;
	const struct mmio *mmio;
	const struct fail *refusals; /* what start would refuse, each with its finding */
	size_t refusal_count;
	bool is_whole; /* all was looked at that start refuses */
};

/* What is looked at; all borrowed. */
struct check_subject {
	const struct root *root;
	const struct host *host;
	unsigned long libvirt_version, qemu_version; /* as hv_libvirt_version; 0: not asked */
	const struct fail *libvirt_unknown;          /* why libvirt did not answer; NULL: it did, or
						      * nobody asked it */
	const struct holder_list *holders;           /* of the GPUs; NULL: read here */
	const struct check_vm *vm;                   /* NULL: none */
	bool is_for_vm;  /* leave out what is told of the VM's own GPUs anyway */
	bool only_stops; /* CHECK_STOPS alone: what a start has no stage of its own for */
};

/*
 * Makes the findings of @scopes (check_scope), those of GPUs for each of the @gpu_count @gpus, by the table's order.
 * Cannot fail. Release with findings_free().
 */
struct findings *check_run(const struct check_subject *subject, unsigned scopes,
			   const struct gpu *const *gpus, size_t gpu_count);

/*
 * Raises FAIL_HOST for each finding that failed and that none of the NULL-terminated ids @forced names (NULL: none);
 * 0 if there is none.
 */
int check_refuse(const struct findings *findings, const char *const *forced, struct fail *fail);

/* Whether each of @forced may be forced: FAIL_USAGE if one is no finding's id, or cannot. */
int check_forced(const char *const *forced, struct fail *fail);

/* "host", "gpu", "vm". */
const char *check_scope_name(enum check_scope scope);

/* "pass", "warn", "fail", "not checked". */
const char *check_state_name(enum finding_state state);

#endif
