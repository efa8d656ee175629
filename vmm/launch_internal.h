/* SPDX-License-Identifier: MIT */
/* What the launch*.c files share. */
#ifndef GPUVM_VMM_LAUNCH_INTERNAL_H
#define GPUVM_VMM_LAUNCH_INTERNAL_H

#include "vmm/launch.h"

/* The URI in effect. Borrows. */
const char *launch_uri(const struct launch *launch);

/* Whether the VM that libvirt knows by the spec's name is the caller's to start. */
int launch_check_owner(struct launch *launch, struct fail *fail);

/* Whether a start's @target is a file's path, by its looks. */
bool launch_target_is_path(const char *target);

/* Fills launch.spec from the metadata that launch.usage has of the VM launch.target. FAIL_USAGE if there is none of
 * that name. */
int launch_target_recall(struct launch *launch, struct fail *fail);

/* What the spec asks of placement: one per [gpu] section. Borrows from @spec; the caller frees the array. */
struct place_gpu_request *launch_request_gpus(const struct spec *spec);

/* Borrows from all three. */
struct place_request launch_request_place(const struct spec *spec, const struct policy *policy,
					  const struct place_gpu_request *gpus);

/* Claims what was placed behind launch.gate, into launch.claim. */
int launch_request_claim(struct launch *launch, struct fail *fail);

/* Adds what start would still refuse to the refusals of a plan on the live host. */
int launch_refusals_foresee(struct launch *launch, struct fail *fail);

/* Shuts the gate: no other start chooses until this one has claimed, or was given up by the watchdog. */
int launch_gate_shut(struct launch *launch, struct fail *fail);

/* Opens it, if it is shut. Cannot fail. */
int launch_gate_open(struct launch *launch, struct fail *fail);

/*
 * After a start that failed, for whatever reason, its answer lost or its daemon dead included. What runs after
 * all is left alone, and said. What cannot be undone is added to @fail, with the command that does it.
 *
 * launch_undo_start() gives the functions back to their drivers, as libvirt does unless it died half way.
 * launch_undo_define() defines what was defined before, or nothing.
 */
void launch_undo_start(struct launch *launch, struct fail *fail);
void launch_undo_define(struct launch *launch, struct fail *fail);

#endif
