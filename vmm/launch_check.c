// SPDX-License-Identifier: MIT
/* The findings of `gpuvm check` (check.h) on a VM that is planned or about to start. */
#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/launch_internal.h"

/* The GPUs that were placed, or, without a placement, those that the spec names. The caller frees the array. */
static const struct gpu **gpus_of(const struct launch *launch, size_t *ret_count)
{
	const struct gpu **gpus = NULL;
	const struct spec *spec = launch->spec;

	if (launch->placement != NULL) {
		for (size_t i = 0; i < launch->placement->gpu_count; i++)
			*MEM_APPEND(gpus, *ret_count) = launch->placement->gpus[i].gpu;
		return gpus;
	}
	for (size_t i = 0; i < spec->gpu_count; i++) {
		for (size_t j = 0; j < spec->gpus[i].address_count; j++) {
			const struct gpu *gpu = gpu_find(launch->host->gpus,
							 spec->gpus[i].addresses[j]);

			if (gpu != NULL)
				*MEM_APPEND(gpus, *ret_count) = gpu;
		}
	}
	return gpus;
}

static struct check_subject subject_of(const struct launch *launch, const struct check_vm *vm)
{
	return (struct check_subject){ .root = launch->root, .host = launch->host, .vm = vm };
}

/* Those that keep a VM from starting, and that no stage of a launch finds by itself. */
static struct findings *find_stops(const struct launch *launch)
{
	struct check_vm vm = { .spec = launch->spec,
			       .placement = launch->placement,
			       .mmio = launch->mmio };
	struct check_subject subject = subject_of(launch, &vm);
	size_t count = 0;
	const struct gpu **gpus = gpus_of(launch, &count);
	struct findings *findings;

	subject.only_stops = true;
	subject.holders = launch->usage->users;
	findings = check_run(&subject, CHECK_HOST | CHECK_GPU | CHECK_VM, gpus, count);
	free(gpus);
	return findings;
}

int launch_check_refuse(struct launch *launch, struct fail *fail)
{
	CLEANUP(findings) struct findings *findings = find_stops(launch);

	return check_refuse(findings, launch->options.forced, fail);
}

static bool is_told(const struct findings *findings, const char *id)
{
	for (size_t i = 0; i < findings->count; i++)
		if (findings->rows[i].state == FINDING_FAILED &&
		    text_equal(findings->rows[i].check, id))
			return true;
	return false;
}

/* A refusal of a finding that looks at less: a GPU is in use by somebody whom only the plan knows. */
static void tell_rest(const struct fail *refusal, struct findings *findings)
{
	for (size_t i = 0; i < refusal->item_count; i++) {
		const struct fail_item *item = &refusal->items[i];
		const struct check_about *about = check_find(item->finding == NULL ? "placement"
										   : item->finding);
		struct finding *row;

		if (about == NULL || is_told(findings, about->id))
			continue;
		row = findings_add(findings, FINDING_FAILED, NULL);
		row->scope = "vm";
		row->check = about->id;
		row->why = about->why;
		row->found = text_format("%s%s%s", item->what, item->cause == NULL ? "" : ": ",
					 item->cause == NULL ? "" : item->cause);
		row->hint = mem_strdup(item->hint);
	}
}

/* What the plan would refuse, and what ended it, if anything did. */
static struct findings *find_all(struct launch *launch, const struct fail *end)
{
	struct check_vm vm = { .spec = launch->spec,
			       .placement = launch->placement,
			       .mmio = launch->mmio };
	struct check_subject subject = subject_of(launch, &vm);
	CLEANUP(fail) struct fail unknown = { 0 };
	struct fail *refusals = mem_alloc(launch->refusal_count + 1, sizeof *refusals);
	size_t count = 0;
	const struct gpu **gpus = gpus_of(launch, &count);
	struct findings *findings;

	for (size_t i = 0; i < launch->refusal_count; i++)
		refusals[vm.refusal_count++] = launch->refusals[i];
	if (end->kind != FAIL_NONE)
		refusals[vm.refusal_count++] = *end;
	vm.refusals = refusals;
	vm.is_whole = end->kind == FAIL_NONE && launch->root->live && launch->hv != NULL;
	if (launch->hv != NULL) {
		subject.libvirt_version = hv_libvirt_version(launch->hv);
		subject.qemu_version = hv_qemu_version(launch->hv);
	}
	if (launch->root->live && launch->libvirt_unknown != NULL) {
		fail_add(&unknown, FAIL_HOST, "%s", launch->libvirt_unknown);
		fail_hint(&unknown, "sudo systemctl start libvirtd");
		subject.libvirt_unknown = &unknown;
	}
	subject.is_for_vm = true;
	subject.holders = launch->usage == NULL ? NULL : launch->usage->users;
	findings = check_run(&subject, CHECK_HOST | CHECK_GPU | CHECK_VM, gpus, count);
	for (size_t i = 0; i < vm.refusal_count; i++)
		tell_rest(&refusals[i], findings);
	free(refusals);
	free(gpus);
	return findings;
}

int launch_examine(const struct launch_options *options, const char *path,
		   struct launch **ret_launch, struct findings **ret_findings, struct fail *fail)
{
	CLEANUP(fail) struct fail end = { 0 };

	(void)launch_plan(options, path, ret_launch, &end);
	if ((*ret_launch)->spec == NULL || (*ret_launch)->host == NULL ||
	    (*ret_launch)->policy == NULL) {
		*fail = end;
		end = (struct fail){ 0 };
		return -1;
	}
	*ret_findings = find_all(*ret_launch, &end);
	return 0;
}
