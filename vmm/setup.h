/* SPDX-License-Identifier: MIT */
/*
 * Making a host ready for VMs with GPUs, by files of its own configuration: what has to change is planned, shown,
 * written with a backup of each file, and can be taken back. Below a root that is not live only files change, and
 * nothing is run.
 *
 * Whatever is interrupted can be run again, or undone: backups and journal (setup_journal.h) are on disk before the
 * first file changes, and each file is replaced at once.
 */
#ifndef GPUVM_VMM_SETUP_H
#define GPUVM_VMM_SETUP_H

#include <stdbool.h>
#include <stddef.h>

#include "topo/gpu.h"
#include "vmm/base/root.h"
#include "vmm/setup_file.h"

/* What a change has to be followed by. */
enum setup_need {
	SETUP_TMPFILES = 1 << 0,
	SETUP_UDEV = 1 << 1,
	SETUP_INITRAMFS = 1 << 2, /* initramfs-tools */
	SETUP_DRACUT = 1 << 3,
	SETUP_KERNEL_INSTALL = 1 << 4, /* entries of systemd-boot */
	SETUP_GRUB = 1 << 5,
	SETUP_REBOOT = 1 << 6,
	SETUP_LOGIN = 1 << 7, /* of the user who got into a group */
};

/* Texts are borrowed. */
struct setup_options {
	char *const *gpus; /* addresses as typed; each GPU is to be on vfio-pci from boot on */
	size_t gpu_count;
	const char *gib_pages; /* "16", or "0:16,1:16": pages of 1 GiB, by node; NULL: leave them */
	const char *user;      /* to be in the group libvirt; NULL: nobody */
	bool is_awake;         /* vfio-pci leaves idle devices in D0 */
	bool force;            /* the GPU may be the host's console */
};

/* One file, and what it is to become. */
struct setup_edit {
	char *path;
	struct setup_file before, after;
	unsigned needs;
	unsigned number; /* is_refused: of the change in the journal that cannot be taken back */
	bool is_refused; /* an undo: it is not as gpuvm left it (after), and stays as it is (before) */
};

/* What came of a step. */
struct setup_outcome {
	const char *id, *what; /* of the table */
	bool is_changed;
};

struct setup_plan {
	const struct root *root;             /* borrowed */
	const struct setup_options *options; /* borrowed; NULL: an undo */
	struct setup_edit *edits;            /* once made: only those that change something */
	size_t edit_count;
	struct setup_outcome *outcomes; /* one per step; none for an undo */
	size_t outcome_count;
	char **notes; /* what the admin should know; one line each */
	size_t note_count;
	unsigned needs;       /* setup_need of all edits, and of runs that were interrupted */
	size_t refused_count; /* of edits */
	bool is_undo;
	bool has_remains; /* of runs that are over, or were interrupted: to be removed */
};

/*
 * What @options come to on @root: nothing is changed. FAIL_USAGE for options that cannot be, FAIL_HOST for files that
 * cannot be edited, FAIL_REFUSED for the host's console. Release with setup_plan_free(). @root and @options must
 * outlive it.
 */
int setup_plan_make(const struct root *root, const struct setup_options *options,
		    struct setup_plan **ret_plan, struct fail *fail);

/*
 * What takes back all that is in the journal: each file goes back to what it was, byte for byte, if it is as gpuvm left
 * it; if not its edit is refused, and shows how it differs.
 */
int setup_plan_undo(const struct root *root, struct setup_plan **ret_plan, struct fail *fail);

void setup_plan_free(struct setup_plan *plan);
CLEANUP_DEFINE(setup_plan, struct setup_plan, setup_plan_free)

/* Whether setup_apply() would change anything. */
bool setup_plan_has_changes(const struct setup_plan *plan);

/* Runs a program of the live host and waits; -1 with @fail if it fails. @data is the caller's. */
typedef int setup_runner(void *data, const char *const *argv, struct fail *fail);

/*
 * Does it; on the live host the programs that have to follow too. FAIL_BUSY if another setup-host is at it, or a file
 * is no longer as it was planned with. What was done before a failure stays, and is in the journal.
 */
int setup_apply(const struct setup_plan *plan, setup_runner *run, void *data, struct fail *fail);

/* The commands that @plan needs on a live host, one line each: NULL-terminated, for root_names_free(). */
char **setup_commands(const struct setup_plan *plan);

/* The runner for the live host: output goes to standard error. */
int setup_run_program(void *data, const char *const *argv, struct fail *fail);

/* @before to @after as `diff -u` shows it. The caller frees. FAIL_FAIL if diff(1) cannot be run. */
int setup_diff(const struct setup_edit *edit, char **ret_text, struct fail *fail);

#endif
