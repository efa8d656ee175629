/* SPDX-License-Identifier: MIT */
/* Between the files of setup: the steps, each of which edits files of the plan. */
#ifndef GPUVM_VMM_SETUP_INTERNAL_H
#define GPUVM_VMM_SETUP_INTERNAL_H

#include "topo/cmdline.h"
#include "topo/iommu.h"
#include "vmm/setup.h"

#define SETUP_RULES "/etc/udev/rules.d/70-gpuvm.rules"
#define SETUP_MARK  "# Written by gpuvm setup-host; gpuvm setup-host --undo takes it back.\n"

/* What the steps know. */
struct setup {
	struct setup_plan *plan;
	const struct root *root;
	const struct setup_options *options;
	struct iommu *iommu;
	char *running; /* what the kernel was booted with; NULL: not readable */
	struct device_list *devices;
	struct gpu_list *gpus;
	const struct gpu **chosen; /* that options name */
	size_t chosen_count;
};

typedef int setup_step(struct setup *setup, struct fail *fail);

setup_step setup_kernel;          /* setup_kernel.c: kernel arguments */
setup_step setup_modules_load;    /* setup_modules.c */
setup_step setup_modules_options; /* options of modules, and what must not load */
setup_step setup_overrides;       /* the udev rule */
setup_step setup_initramfs;       /* vfio-pci and the rule, before any driver */
setup_step setup_tmpfiles;        /* setup_group.c */
setup_step setup_group;

/* The edit of the file @path: it is read when it is asked for first. Borrows. NULL with @fail. */
struct setup_edit *setup_edit(struct setup *setup, const char *path, struct fail *fail);

/* What it is to become from now on; takes @text. A file that is new gets mode @mode. @needs: if that is a change. */
void setup_edit_set(struct setup_edit *edit, char *text, mode_t mode, unsigned needs);

/* The same, unless all lines of @text but comments are in the file already: then it stays as somebody made it. */
void setup_edit_ensure(struct setup_edit *edit, const char *text, mode_t mode, unsigned needs);

/* One line for the admin. */
void setup_note(struct setup_plan *plan, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The folder of journal and backups. */
#define SETUP_FOLDER "/var/lib/gpuvm/setup"

/* Runs what @needs asks for. setup_run.c. */
int setup_run_needs(const struct root *root, unsigned needs, setup_runner *run, void *data,
		    struct fail *fail);

#endif
