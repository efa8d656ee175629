/* SPDX-License-Identifier: MIT */
/* What the launch*.c files share. */
#ifndef GPUVM_VMM_LAUNCH_INTERNAL_H
#define GPUVM_VMM_LAUNCH_INTERNAL_H

#include "vmm/hv_storage.h"
#include "vmm/launch.h"

/* Tells whoever waits that @step is under way; @says as in launch.h. */
void launch_say(const struct launch *launch, const char *step, const char *says);

/* The URI in effect. Borrows. */
const char *launch_uri(const struct launch *launch);

/* Fill launch.host and launch.policy, launch.usage. */
int launch_look_at_host(struct launch *launch, struct fail *fail);
int launch_look_at_usage(struct launch *launch, struct fail *fail);

/*
 * Looks at VMs that ended without gpuvm, into launch.aftermath. Behind the gate it has repaired what it can, and then
 * looks at host and usage again: what a function is on is recorded, so that it can go back there.
 */
int launch_look_at_ended(struct launch *launch, struct fail *fail);

/* Whether the VM that libvirt knows by the spec's name is the caller's to start. */
int launch_check_owner(struct launch *launch, struct fail *fail);

/* Whether a start's @target is a file's path, by its looks. */
bool launch_target_is_path(const char *target);

/* Fills launch.spec from the file launch.target. */
int launch_target_read(struct launch *launch, struct fail *fail);

/* Fills launch.spec from the metadata that launch.usage has of the VM launch.target. FAIL_USAGE if there is none of
 * that name. */
int launch_target_recall(struct launch *launch, struct fail *fail);

/* What the spec asks of placement: one per [gpu] section. Borrows from @spec; the caller frees the array. */
struct place_gpu_request *launch_request_gpus(const struct spec *spec);

/* Borrows from all three. */
struct place_request launch_request_place(const struct spec *spec, const struct policy *policy,
					  const struct place_gpu_request *gpus);

/*
 * Fills launch.placement for @request, on the live host around who has GPUs beside libvirt. If that leaves none, it
 * is placed on theirs all the same: preflight_gpus() then refuses with what frees it.
 */
int launch_request_settle(struct launch *launch, const struct place_request *request,
			  struct fail *fail);

/* Claims what was placed behind launch.gate, into launch.claim. */
int launch_request_claim(struct launch *launch, struct fail *fail);

/*
 * The disks (disk.h). launch_disks_check() fills launch.disks and refuses what cannot be: an image that is not
 * there, too large a base, a volume that somebody else made, an image that another VM has. It changes nothing.
 * launch_disks_foresee() does the same for a plan as far as it may, what it would refuse goes to launch.refusals.
 *
 * launch_disks_make() makes volumes that are not there and enlarges those that are too small. It comes after the
 * definition, in which they are recorded: whoever is killed in between leaves none that nobody knows.
 * launch_disks_undo() deletes those that this start made, unless the VM runs after all; what it cannot delete
 * stays DISK_MADE, and the definition with it. A volume enlarged, and a pool made or started, stay so.
 */
int launch_disks_check(struct launch *launch, struct fail *fail);
int launch_disks_foresee(struct launch *launch, struct fail *fail);
int launch_disks_make(struct launch *launch, struct fail *fail);
void launch_disks_undo(struct launch *launch, struct fail *fail);

/*
 * Whether @volume, which is in the place of @disk (NULL: none is), is what gpuvm made for it and can go on being its
 * disk: fills is_there and there_bytes. FAIL_SPEC.
 */
int launch_disks_judge(const struct launch *launch, struct disk *disk,
		       const struct hv_volume *volume, struct fail *fail);

/* Keeps @refusal of a plan, unless it is none, and empties it; what has no finding yet is of @finding (check.h). */
void launch_refusals_keep(struct launch *launch, struct fail *refusal, const char *finding);

/* Whether no finding on the placed VM, its GPUs and the host keeps it from starting (FAIL_HOST). */
int launch_check_refuse(struct launch *launch, struct fail *fail);

/* Adds what start would still refuse to the refusals of a plan: all of it on the live host, of another one what its
 * files tell. */
int launch_refusals_foresee(struct launch *launch, struct fail *fail);

/*
 * A deadline for what follows until launch_watch_end(), one at a time: for choosing, or for libvirt's start call, which
 * may take as long as the guest (wait.h).
 */
void launch_watch_choice(struct launch *launch);
void launch_watch_start(struct launch *launch);
void launch_watch_end(struct launch *launch);

/* Shuts the gate: no other start chooses until this one has claimed, or was ended by its deadline. */
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

/*
 * Whether the VM is active, asked on another connection if the first one is broken: a daemon that died during the
 * start is back by the time that its socket answers. Fails if libvirt does not answer.
 */
int launch_undo_ask(struct launch *launch, bool *ret_active);

/*
 * The seed that cloud-init reads. _read() fills launch.seed with what the spec and the files it names say; _foresee()
 * does so for a plan, and adds what a start would refuse to its refusals. _place() says where the volume is, or will
 * be: FAIL_SPEC if that place is somebody else's. _write() makes it anew, as what it says may have changed since;
 * _settle() removes one that the VM does not have any more, and cannot fail. _undo() removes what the VM did not
 * have before.
 */
int launch_seed_read(struct launch *launch, struct fail *fail);
int launch_seed_foresee(struct launch *launch, struct fail *fail);
int launch_seed_place(struct launch *launch, struct fail *fail);
int launch_seed_write(struct launch *launch, struct fail *fail);
void launch_seed_undo(struct launch *launch, struct fail *fail);
int launch_seed_settle(struct launch *launch, struct fail *fail);

/* What dead processes and deleted VMs left of holds is removed, and told in launch.taken_over. */
int launch_hold_take_over(struct launch *launch, struct fail *fail);

/* The records of GPUs can be kept on this host (FAIL_HOST). */
int launch_hold_check(struct launch *launch, struct fail *fail);

/* Holds the placed GPUs as the spec says; undone unless the VM runs after all. */
int launch_hold_begin(struct launch *launch, struct fail *fail);
void launch_hold_undo(struct launch *launch, struct fail *fail);

/* Once it runs: lets go of what it held before and does not any more. Cannot fail. */
int launch_hold_settle(struct launch *launch, struct fail *fail);

#endif
