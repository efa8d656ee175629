// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/verify_internal.h"

enum {
	VENDOR_NVIDIA = 0x10de,
	VENDOR_AMD = 0x1002,
};

/* The tools that the guest is asked for, by the vendor whose GPUs they list. */
static const struct {
	const char *name;
	uint16_t vendor_id;
	const char *install;
} tools[] = {
	{ "nvidia-smi", VENDOR_NVIDIA, "install NVIDIA's driver in the guest" },
	{ "rocm-smi", VENDOR_AMD, "install ROCm in the guest" },
};

static size_t gpus_of(const struct verify_evidence *evidence, uint16_t vendor_id)
{
	size_t count = 0;

	for (size_t i = 0; i < evidence->function_count; i++)
		if (evidence->functions[i].gpu != NULL &&
		    evidence->functions[i].device->vendor_id == vendor_id)
			count++;
	return count;
}

/* A guest does well without: what is in it is its user's. */
void verify_check_guest_driver(const struct verify_evidence *evidence, struct findings *findings)
{
	for (size_t i = 0; i < evidence->function_count; i++) {
		const struct verify_function *function = &evidence->functions[i];
		const struct verify_device *device = function->gpu == NULL ||
								     function->hostdev == NULL
							     ? NULL
							     : verify_device_at(evidence->inside,
										function->hostdev);
		struct finding *row;

		if (device == NULL)
			continue;
		row = findings_add(findings, FINDING_OK, function->address);
		row->source = verify_inside_path(device->address, "driver");
		row->found = mem_strdup(device->driver == NULL ? "none" : device->driver);
		if (device->driver != NULL)
			continue;
		row->state = FINDING_WARNING;
		row->hint = mem_strdup("no driver in the guest has taken it yet");
		for (size_t j = 0; j < sizeof tools / sizeof *tools; j++)
			if (tools[j].vendor_id == function->device->vendor_id) {
				free(row->hint);
				row->hint = mem_strdup(tools[j].install);
			}
	}
}

static const struct verify_tool *tool_named(const struct verify_drivers *drivers, const char *name)
{
	for (size_t i = 0; i < drivers->tool_count; i++)
		if (text_equal(drivers->tools[i].name, name))
			return &drivers->tools[i];
	return NULL;
}

void verify_check_tools(const struct verify_evidence *evidence, struct findings *findings)
{
	for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
		const struct verify_tool *tool = tool_named(evidence->drivers, tools[i].name);
		size_t want = gpus_of(evidence, tools[i].vendor_id);
		struct finding *row;

		/* Its own vendor's driver is all that it can talk to. */
		if (want == 0)
			continue;
		row = findings_add(findings, FINDING_OK, tools[i].name);
		row->source = text_format("%s in the guest", tools[i].name);
		if (tool == NULL) {
			row->state = FINDING_NOTE;
			row->found = mem_strdup("the guest does not have it");
			row->hint = mem_strdup(tools[i].install);
			continue;
		}
		row->expected = text_format("exit 0, %zu GPUs", want);
		row->found = text_format("exit %d, %u GPUs", tool->exit_code, tool->gpu_count);
		if (tool->exit_code == 0 && tool->gpu_count == want)
			continue;
		row->state = FINDING_FAILED;
		if (tool->exit_code != 0 && tool->said != NULL)
			text_add(&row->found, ": %s", tool->said);
		row->hint = mem_strdup("in the guest: dmesg | grep -e NVRM -e amdgpu");
	}
}

/* What a kernel message says. The first row that fits counts. */
static const struct {
	const char *word, *other; /* both are in it; @other NULL: one is enough */
	enum finding_state state;
	const char *hint;
} messages[] = {
	{ "fallen off the bus", NULL, FINDING_FAILED,
	  "the GPU does not answer: stop the VM, and see on the host: sudo dmesg | grep -i pci" },
	{ "RmInitAdapter failed", NULL, FINDING_FAILED,
	  "the driver cannot start the GPU: stop the VM and start it again" },
	{ "PCI I/O region assigned to your NVIDIA device is invalid", NULL, FINDING_FAILED,
	  "a BAR has no address in the guest: on the host gpuvm plan" },
	{ "amdgpu", "Fatal error during GPU init", FINDING_FAILED,
	  "the driver cannot start the GPU: stop the VM and start it again" },
	{ "amdgpu", "timeout", FINDING_WARNING,
	  "a program may have hung the GPU; without one the card or its power is at fault" },
	/* I/O ports run short in most VMs, and nobody needs them. */
	{ "can't assign; no space", "[mem", FINDING_WARNING,
	  "harmless if the BARs above are assigned: it was tried again" },
	{ "no space for", "[mem", FINDING_WARNING,
	  "harmless if the BARs above are assigned: it was tried again" },
};

/*
 * Xids that name the hardware or its firmware: double bit errors, halted micro-controllers, failed remapping, NVLink, off
 * the bus, uncontained errors, the GSP. Any other may be a program's own fault. Source: NVIDIA, "XID Errors".
 */
static const unsigned long fatal_xids[] = { 48, 62, 64, 74, 79, 95, 119, 120, 140 };

static bool is_fatal_xid(const char *message)
{
	const char *number = strstr(message, "): ");
	unsigned long xid = number == NULL ? 0 : strtoul(number + 3, NULL, 10);

	for (size_t i = 0; i < sizeof fatal_xids / sizeof *fatal_xids; i++)
		if (fatal_xids[i] == xid)
			return true;
	return false;
}

/* Whether @message names one of the VM's GPUs as the guest does. */
static bool names_gpu(const struct verify_evidence *evidence, const char *message)
{
	for (size_t i = 0; i < evidence->function_count; i++) {
		const struct verify_function *function = &evidence->functions[i];
		const struct verify_device *device = evidence->inside == NULL ||
								     function->gpu == NULL ||
								     function->hostdev == NULL
							     ? NULL
							     : verify_device_at(evidence->inside,
										function->hostdev);

		if (device != NULL && strstr(message, device->address) != NULL)
			return true;
	}
	return false;
}

/* FINDING_OK: it tells of no fault. */
static enum finding_state judge(const struct verify_evidence *evidence, const char *message,
				const char **ret_hint)
{
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
		if (strstr(message, messages[i].word) == NULL ||
		    (messages[i].other != NULL && strstr(message, messages[i].other) == NULL))
			continue;
		*ret_hint = messages[i].hint;
		return messages[i].state;
	}
	if (strstr(message, "NVRM: Xid") != NULL) {
		*ret_hint = "its number says what: NVIDIA's page \"XID Errors\"";
		return is_fatal_xid(message) ? FINDING_FAILED : FINDING_WARNING;
	}
	if (strstr(message, "probe") != NULL && strstr(message, "failed with error") != NULL &&
	    names_gpu(evidence, message)) {
		*ret_hint = "the driver does not take the GPU: see the lines before it in dmesg";
		return FINDING_FAILED;
	}
	return FINDING_OK;
}

void verify_check_messages(const struct verify_evidence *evidence, struct findings *findings)
{
	const struct verify_drivers *drivers = evidence->drivers;
	bool is_clean = true;
	struct finding *row;

	if (!drivers->has_messages) {
		row = findings_add(findings, FINDING_NOT_CHECKED, NULL);
		row->source = mem_strdup("dmesg, journalctl -k in the guest");
		row->found = mem_strdup("neither can be run there");
		row->hint = mem_strdup("in the guest install util-linux, which has dmesg");
		return;
	}
	for (size_t i = 0; i < drivers->message_count; i++) {
		const char *hint = NULL;
		enum finding_state state = judge(evidence, drivers->messages[i], &hint);

		if (state == FINDING_OK)
			continue;
		is_clean = false;
		row = findings_add(findings, state, NULL);
		row->source = mem_strdup("dmesg in the guest");
		row->found = mem_strdup(drivers->messages[i]);
		row->hint = mem_strdup(hint);
	}
	if (!is_clean)
		return;
	row = findings_add(findings, FINDING_OK, NULL);
	row->source = mem_strdup("dmesg in the guest");
	row->found = mem_strdup("no errors of its GPUs' drivers");
}
