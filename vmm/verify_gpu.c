// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/link.h"
#include "vmm/verify_internal.h"

void verify_check_driver(const struct verify_evidence *evidence, struct findings *findings)
{
	for (size_t i = 0; i < evidence->function_count; i++) {
		const struct verify_function *function = &evidence->functions[i];
		const char *driver = function->device == NULL ? NULL : function->device->driver;
		struct finding *row;

		if (function->is_port)
			continue;
		row = findings_add(findings, FINDING_FAILED, function->address);
		row->source = health_path(function->address, "driver");
		row->expected = mem_strdup("vfio-pci, or a vendor's variant of it");
		if (function->device == NULL) {
			row->found = mem_strdup("the host has no such function");
			row->hint = mem_strdup(
				"the card has left the bus; see: sudo dmesg | grep -i pci");
		} else if (driver != NULL && gpu_driver_is_vfio(driver)) {
			row->state = FINDING_OK;
			row->found = text_printable(driver, 64);
		} else {
			row->found = driver == NULL ? mem_strdup("no driver")
						    : text_printable(driver, 64);
			row->hint = text_format("the VM does not have it: gpuvm stop %s, then "
						"gpuvm start %s",
						evidence->name, evidence->name);
		}
	}
}

static char *group_path(const struct gpu *gpu)
{
	return gpu->device->iommu_group < 0
		       ? mem_strdup("the open files of processes")
		       : text_format("who has /dev/vfio/%d open", gpu->device->iommu_group);
}

/* Everybody but the VM's own QEMU. Returns whether that one has it. */
static bool tell_holders(const struct verify_evidence *evidence, const struct gpu *gpu,
			 struct findings *findings, bool *ret_others)
{
	bool is_ours = false;

	*ret_others = false;
	for (size_t i = 0; i < evidence->holders->count; i++) {
		const struct holder *holder = &evidence->holders->holders[i];
		struct finding *row;

		/* Whoever has it may be its QEMU, if that was not found. */
		if (!holder_has(holder, gpu) || (evidence->pid == 0 && holder->kind == HOLDER_VFIO))
			continue;
		if (holder->pid != 0 && holder->pid == evidence->pid) {
			is_ours = is_ours || holder->kind == HOLDER_VFIO;
			continue;
		}
		*ret_others = true;
		row = findings_add(findings, FINDING_FAILED, gpu->device->address);
		row->source = group_path(gpu);
		row->found = text_format("%s %s", holder->who, holder->what);
		row->expected = mem_strdup("this VM's QEMU alone");
		row->hint = mem_strdup(holder->remedy);
	}
	return is_ours;
}

static void check_holder(const struct verify_evidence *evidence, const struct gpu *gpu,
			 struct findings *findings)
{
	bool others;
	bool is_ours = tell_holders(evidence, gpu, findings, &others);
	size_t unseen = evidence->holders->not_checked;
	struct finding *row;

	if (others)
		return;
	row = findings_add(findings, FINDING_OK, gpu->device->address);
	row->source = group_path(gpu);
	row->expected = mem_strdup("this VM's QEMU alone");
	if (unseen > 0 || evidence->pid == 0) {
		row->state = FINDING_NOT_CHECKED;
		row->found = unseen > 0 ? text_format("only root sees the files of %zu processes",
						      unseen)
					: mem_strdup("its QEMU was not found");
		row->hint = text_format("sudo gpuvm verify %s", evidence->name);
	} else if (is_ours) {
		row->found = text_format("process %d, its QEMU", (int)evidence->pid);
	} else {
		row->state = FINDING_FAILED;
		row->found = text_format("nobody: process %d, its QEMU, does not have it",
					 (int)evidence->pid);
		row->hint = text_format("sudo lsof -p %d | grep vfio", (int)evidence->pid);
	}
}

void verify_check_holder(const struct verify_evidence *evidence, struct findings *findings)
{
	for (size_t i = 0; i < evidence->function_count; i++)
		if (evidence->functions[i].gpu != NULL)
			check_holder(evidence, evidence->functions[i].gpu, findings);
}

/* Whether the guest itself has put the function to sleep, as drivers do with one that is idle. */
static bool guest_suspended(const struct verify_evidence *evidence,
			    const struct verify_function *function)
{
	const struct verify_device *device = evidence->inside == NULL || function->hostdev == NULL
						     ? NULL
						     : verify_device_at(evidence->inside,
									function->hostdev);

	return device != NULL && device->is_suspended;
}

void verify_check_power(const struct verify_evidence *evidence, struct findings *findings)
{
	for (size_t i = 0; i < evidence->function_count; i++) {
		const struct verify_function *function = &evidence->functions[i];
		const char *state = function->health == NULL ? NULL : function->health->power_state;
		struct finding *row;

		if (function->device == NULL || function->is_port)
			continue;
		row = findings_add(findings, FINDING_OK, function->address);
		row->source = health_path(function->address, "power_state");
		row->found = mem_strdup(state == NULL ? "not told: a kernel before 5.12" : state);
		row->expected = mem_strdup("D0");
		if (state == NULL || text_equal(state, "unknown")) {
			row->state = FINDING_NOTE;
		} else if (text_equal(state, "D3hot") && guest_suspended(evidence, function)) {
			row->state = FINDING_NOTE;
			row->hint = mem_strdup("the guest's driver lets it sleep while it is idle");
		} else if (!text_equal(state, "D0")) {
			row->state = FINDING_FAILED;
			row->hint = text_format(
				"it sleeps while its VM runs: gpuvm stop %s; it stays so: sudo "
				"modprobe vfio-pci disable_idle_d3=1 before the next start",
				evidence->name);
		}
	}
}

static char *error_counts(const struct health *health)
{
	return text_format("fatal %" PRId64 ", nonfatal %" PRId64 ", correctable %" PRId64,
			   health->errors[HEALTH_FATAL], health->errors[HEALTH_NONFATAL],
			   health->errors[HEALTH_CORRECTABLE]);
}

static void judge_errors(const struct health *health, const char *address, struct finding *row)
{
	if (health->errors[HEALTH_FATAL] > 0) {
		row->state = FINDING_FAILED;
		row->hint = text_format("the link has failed since the host booted: sudo dmesg | "
					"grep %s; reseat the card or its riser",
					address);
	} else if (health->errors[HEALTH_NONFATAL] > 0) {
		row->state = FINDING_WARNING;
		row->hint = text_format("resets and probing leave some; a count that grows is a "
					"fault: sudo dmesg | grep %s",
					address);
	} else if (health->errors[HEALTH_CORRECTABLE] > 0) {
		row->state = FINDING_WARNING;
		row->hint = mem_strdup("were repaired; a count that grows quickly is a bad contact "
				       "or riser");
	}
}

/* Both ends of the link count: each sees what the other sends. */
void verify_check_errors(const struct verify_evidence *evidence, struct findings *findings)
{
	for (size_t i = 0; i < evidence->function_count; i++) {
		const struct verify_function *function = &evidence->functions[i];
		const struct health *health = function->health;
		CLEANUP(text)
		char *subject = text_format("%s%s", function->address,
					    function->is_port ? ", the port" : "");
		struct finding *row;

		if (health == NULL)
			continue;
		row = findings_add(findings, FINDING_OK, subject);
		row->source = health_path(function->address, "aer_dev_*");
		if (health->errors[HEALTH_FATAL] < 0 && health->errors[HEALTH_NONFATAL] < 0 &&
		    health->errors[HEALTH_CORRECTABLE] < 0) {
			row->state = FINDING_NOTE;
			row->found = mem_strdup("no counts: no such capability, or the firmware "
						"handles errors");
			continue;
		}
		row->found = error_counts(health);
		row->expected = mem_strdup("none since the host booted");
		judge_errors(health, function->address, row);
	}
}

static void judge_links(const struct verify_evidence *evidence, enum link_measure which,
			struct findings *findings)
{
	for (size_t i = 0; i < evidence->function_count; i++)
		if (evidence->functions[i].gpu != NULL)
			link_judge(evidence->pcie, evidence->functions[i].gpu, which, findings);
}

void verify_check_width(const struct verify_evidence *evidence, struct findings *findings)
{
	judge_links(evidence, LINK_WIDTH, findings);
}

void verify_check_speed(const struct verify_evidence *evidence, struct findings *findings)
{
	judge_links(evidence, LINK_SPEED, findings);
}
