// SPDX-License-Identifier: MIT
#include "vmm/setup.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/setup_internal.h"
#include "vmm/setup_journal.h"

/* In this order; each states what it wants, and finds that it is so when it is run again. */
static const struct {
	const char *id, *what; /* ids are published in --json */
	setup_step *plan;
} steps[] = {
	{ "kernel-arguments", "kernel arguments", setup_kernel },
	{ "modules-load", "vfio-pci loaded at boot", setup_modules_load },
	{ "module-options", "module options, nouveau kept off", setup_modules_options },
	{ "driver-override", "GPUs on vfio-pci, by address", setup_overrides },
	{ "initramfs", "vfio-pci before other drivers", setup_initramfs },
	{ "tmpfiles", "gpuvm's directories", setup_tmpfiles },
	{ "group", "user in group libvirt", setup_group },
};

struct setup_edit *setup_edit(struct setup *setup, const char *path, struct fail *fail)
{
	struct setup_plan *plan = setup->plan;
	struct setup_file before = { 0 };
	struct setup_edit *edit;

	for (size_t i = 0; i < plan->edit_count; i++)
		if (text_equal(plan->edits[i].path, path))
			return &plan->edits[i];
	if (setup_file_read(plan->root, path, &before, fail) < 0)
		return NULL;
	edit = MEM_APPEND(plan->edits, plan->edit_count);
	edit->path = mem_strdup(path);
	edit->before = before;
	edit->after = before;
	edit->after.text = mem_strdup(before.text);
	return edit;
}

void setup_edit_set(struct setup_edit *edit, char *text, mode_t mode, unsigned needs)
{
	free(edit->after.text);
	edit->after.text = text;
	edit->after.length = strlen(text);
	edit->after.exists = true;
	edit->after.mode = edit->before.exists ? edit->before.mode : mode;
	if (!setup_file_same(&edit->before, &edit->after))
		edit->needs |= needs;
}

static bool has_line(const char *text, const char *line, size_t length)
{
	while (*text != '\0') {
		size_t here = strcspn(text, "\n");

		if (here == length && memcmp(text, line, length) == 0)
			return true;
		text += here;
		text += *text == '\n';
	}
	return false;
}

void setup_edit_ensure(struct setup_edit *edit, const char *text, mode_t mode, unsigned needs)
{
	for (const char *line = text; *line != '\0';) {
		size_t length = strcspn(line, "\n");

		if (*line != '#' && !has_line(edit->after.text, line, length)) {
			setup_edit_set(edit, mem_strdup(text), mode, needs);
			return;
		}
		line += length;
		line += *line == '\n';
	}
}

void setup_note(struct setup_plan *plan, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	*MEM_APPEND(plan->notes, plan->note_count) = text_vformat(format, args);
	va_end(args);
}

static void edit_done(struct setup_edit *edit)
{
	free(edit->path);
	setup_file_done(&edit->before);
	setup_file_done(&edit->after);
}

void setup_plan_free(struct setup_plan *plan)
{
	if (plan == NULL)
		return;
	for (size_t i = 0; i < plan->edit_count; i++)
		edit_done(&plan->edits[i]);
	for (size_t i = 0; i < plan->note_count; i++)
		free(plan->notes[i]);
	free(plan->edits);
	free(plan->outcomes);
	free(plan->notes);
	free(plan);
}

bool setup_plan_has_changes(const struct setup_plan *plan)
{
	return plan->edit_count > plan->refused_count || plan->needs != 0 || plan->has_remains;
}

static int choose_gpu(struct setup *setup, const char *typed, struct fail *fail)
{
	char address[DEVICE_ADDRESS_BYTES];
	const struct gpu *gpu = NULL;

	if (device_parse_address(typed, address))
		gpu = gpu_find(setup->gpus, address);
	if (gpu == NULL) {
		fail_add(fail, FAIL_USAGE, "%s is no GPU of this host", typed);
		return fail_hint(fail, "gpuvm gpus shows their addresses");
	}
	if (gpu->device->is_virtual_function) {
		fail_add(fail, FAIL_USAGE, "%s is a virtual function, which is not there at boot",
			 address);
		return fail_hint(fail, "gpuvm gpus");
	}
	if (device_is_console(gpu->device) && !setup->options->force) {
		fail_add(fail, FAIL_REFUSED, "%s shows the host's console, which would stay dark",
			 address);
		return fail_hint(fail, "if the host is reached by ssh all the same: --force");
	}
	for (size_t i = 0; i < setup->chosen_count; i++)
		if (setup->chosen[i] == gpu)
			return 0;
	*MEM_APPEND(setup->chosen, setup->chosen_count) = gpu;
	return 0;
}

static int open_setup(struct setup *setup, struct fail *fail)
{
	CLEANUP(cmdline) struct cmdline *cmdline = cmdline_read(setup->root);

	setup->iommu = iommu_read(setup->root, cmdline);
	setup->running = root_text(setup->root, CMDLINE_FILE);
	if (device_list_read(setup->root, &setup->devices, fail) < 0)
		return -1;
	setup->gpus = gpu_list_build(setup->devices);
	for (size_t i = 0; i < setup->options->gpu_count; i++)
		if (choose_gpu(setup, setup->options->gpus[i], fail) < 0)
			return -1;
	return 0;
}

static int run_steps(struct setup *setup, struct fail *fail)
{
	struct setup_plan *plan = setup->plan;

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct setup_outcome *outcome = MEM_APPEND(plan->outcomes, plan->outcome_count);
		size_t changed_before = 0;
		size_t changed = 0;

		for (size_t j = 0; j < plan->edit_count; j++)
			changed_before += !setup_file_same(&plan->edits[j].before,
							   &plan->edits[j].after);
		if (steps[i].plan(setup, fail) < 0)
			return -1;
		for (size_t j = 0; j < plan->edit_count; j++)
			changed += !setup_file_same(&plan->edits[j].before, &plan->edits[j].after);
		outcome->id = steps[i].id;
		outcome->what = steps[i].what;
		outcome->is_changed = changed > changed_before;
	}
	return 0;
}

static void keep_changes(struct setup_plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->edit_count; i++) {
		if (setup_file_same(&plan->edits[i].before, &plan->edits[i].after)) {
			edit_done(&plan->edits[i]);
			continue;
		}
		plan->needs |= plan->edits[i].needs;
		plan->edits[kept++] = plan->edits[i];
	}
	plan->edit_count = kept;
}

/* Whoever only looks need not see what root noted. */
static int read_journal(const struct root *root, struct setup_journal **ret_journal,
			struct fail *fail)
{
	CLEANUP(fail) struct fail unseen = { 0 };

	if (geteuid() == 0)
		return setup_journal_read(root, ret_journal, fail);
	if (setup_journal_read(root, ret_journal, &unseen) < 0)
		*ret_journal = mem_alloc(1, sizeof **ret_journal);
	return 0;
}

static int plan_steps(struct setup *setup, struct fail *fail)
{
	CLEANUP(setup_journal) struct setup_journal *journal = NULL;

	if (open_setup(setup, fail) < 0 || run_steps(setup, fail) < 0 ||
	    read_journal(setup->root, &journal, fail) < 0)
		return -1;
	keep_changes(setup->plan);
	/* What an interrupted run did not come to. */
	setup->plan->needs |= journal->pending;
	for (size_t i = 0; i < journal->count; i++)
		if (setup_file_is_unfinished(setup->root, journal->entries[i].path))
			setup->plan->has_remains = true;
	return 0;
}

int setup_plan_make(const struct root *root, const struct setup_options *options,
		    struct setup_plan **ret_plan, struct fail *fail)
{
	CLEANUP(setup_plan) struct setup_plan *plan = mem_alloc(1, sizeof *plan);
	struct setup setup = { .plan = plan, .root = root, .options = options };
	int result;

	plan->root = root;
	plan->options = options;
	result = plan_steps(&setup, fail);
	iommu_free(setup.iommu);
	free(setup.running);
	gpu_list_free(setup.gpus);
	device_list_free(setup.devices);
	free(setup.chosen);
	if (result == 0)
		*ret_plan = STEAL(plan);
	return result;
}
