/* SPDX-License-Identifier: MIT */
/*
 * Whether libvirt runs gpuvm's hook. libvirt looks for hooks when its daemon starts and then remembers
 * whether there are any, so one that was installed later is not run. A daemon that was only told to reload
 * looks again too, but that leaves no trace: it counts as not active until the daemon is restarted.
 * Source: libvirt hooks.html; src/util/virhook.c, virHookInitialize.
 */
#ifndef GPUVM_VMM_HOOK_STATE_H
#define GPUVM_VMM_HOOK_STATE_H

#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"

#define HOOK_PROGRAM "/usr/bin/gpuvm" /* AppArmor lets the daemon run little else */

enum hook_activity {
	HOOK_ACTIVE,
	HOOK_ABSENT,
	HOOK_NOT_VISIBLE, /* the caller may not look into the folder */
	HOOK_NOT_EXECUTABLE,
	HOOK_WITHOUT_PROGRAM, /* it then lets everything pass */
	HOOK_NEWER_THAN_DAEMON,
	HOOK_DAEMON_NOT_SEEN, /* none runs, or /proc hides it */
};

struct hook_state {
	enum hook_activity activity;
	char *reason; /* why it is not active; NULL if it is */
	char *remedy; /* a command; NULL if it is active */
};

/* Reads it, for the daemons that may serve qemu:///system. Cannot fail. Release with hook_state_free(). */
struct hook_state *hook_state_read(const struct root *root);
void hook_state_free(struct hook_state *state);
CLEANUP_DEFINE(hook_state, struct hook_state, hook_state_free)

#endif
