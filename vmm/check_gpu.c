// SPDX-License-Identifier: MIT
#include <string.h>

#include "topo/safety.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/check_internal.h"
#include "vmm/quarantine.h"

static const char *role_says(enum gpu_member_role role)
{
	switch (role) {
	case GPU_MEMBER_FUNCTION:
		return "goes to the guest with it";
	case GPU_MEMBER_HELD:
		return "is kept from everybody, and not seen by the guest";
	case GPU_MEMBER_GPU:
	case GPU_MEMBER_GPU_FUNCTION:
		return "another GPU: only one VM can have both";
	case GPU_MEMBER_BRIDGE:
		return "stays with the host, as it may";
	case GPU_MEMBER_IN_USE:
		return "the host keeps it";
	}
	return "";
}

static void judge_member(const struct gpu_member *member, const char *source,
			 struct findings *findings)
{
	const struct device *device = member->device;
	bool is_kept = member->role == GPU_MEMBER_IN_USE;
	CLEANUP(text) char *title = device_title(device);

	check_add(
		findings, is_kept ? FINDING_FAILED : FINDING_OK, device->address, source,
		text_format("%s%s%s: %s%s%s", title, device->driver == NULL ? "" : ", on ",
			    device->driver == NULL ? "" : device->driver, role_says(member->role),
			    is_kept && device->use != NULL ? ", as " : "",
			    is_kept && device->use != NULL ? device->use : ""),
		!is_kept ? NULL
		: device->is_bridge
			? text_format("this bridge has to be on pcieport, or on no driver: echo %s "
				      "| sudo tee /sys/bus/pci/devices/%s/driver/unbind",
				      device->address, device->address)
			: text_format("if the host needs it, move the GPU to another slot; if "
				      "not: sudo driverctl set-override %s vfio-pci",
				      device->address));
}

void check_iommu_group(const struct check *check, struct findings *findings)
{
	const struct gpu *gpu = check->gpu;
	int group = gpu->device->iommu_group;
	CLEANUP(text) char *source = text_format("/sys/kernel/iommu_groups/%d/devices", group);

	if (group < 0) {
		check_add(
			findings, FINDING_FAILED, gpu->device->address, "/sys/kernel/iommu_groups",
			mem_strdup(check->host->has_iommu
					   ? "it is in none: no IOMMU covers its slot"
					   : "it is in none: the IOMMU is off"),
			mem_strdup(check->host->has_iommu
					   ? "move the card to another slot; a VMD or RAID mode of "
					     "the slot is switched off in the firmware's setup"
					   : check->host->iommu_hint));
		return;
	}
	for (size_t i = 0; i < gpu->member_count; i++)
		judge_member(&gpu->members[i], source, findings);
}

void check_companions(const struct check *check, struct findings *findings)
{
	const struct gpu *gpu = check->gpu;
	CLEANUP(text)
	char *source = text_format("/sys/bus/pci/devices/%.*s*",
				   (int)strlen(gpu->device->address) - 1, gpu->device->address);
	CLEANUP(text) char *with = NULL;
	CLEANUP(text) char *without = NULL;

	for (size_t i = 0; i < check->host->devices->count; i++) {
		const struct device *device = &check->host->devices->devices[i];

		if (device == gpu->device || !device_same_slot(device, gpu->device))
			continue;
		if (device->iommu_group == gpu->device->iommu_group || device->is_virtual_function)
			text_join(&with, ", ", device->address);
		else
			text_join(&without, ", ", device->address);
	}
	if (without != NULL)
		check_add(
			findings, FINDING_WARNING, gpu->device->address, source,
			text_format("in another IOMMU group, and left with the host: %s", without),
			text_format("keep the host's drivers off it: sudo driverctl set-override "
				    "%.12s vfio-pci",
				    without));
	else
		check_add(findings, FINDING_OK, gpu->device->address, source,
			  with == NULL ? mem_strdup("it has no other") : text_format("%s", with),
			  NULL);
}

/* Whether the rule that start goes by holds; else a row says why not. */
static bool holds(const struct check *check, safety_rule *rule, const char *source,
		  struct findings *findings)
{
	CLEANUP(fail) struct fail fail = { 0 };

	if (rule(check->root, check->host->devices, check->gpu, &fail) == 0)
		return true;
	check_add_fail(findings, check->gpu->device->address, source, &fail);
	return false;
}

void check_reset(const struct check *check, struct findings *findings)
{
	const struct device *device = check->gpu->device;
	const char *methods = device->reset_methods;
	CLEANUP(text)
	char *source = text_format("/sys/bus/pci/devices/%s/reset_method", device->address);
	bool is_by_bus = methods == NULL || *methods == '\0';
	bool is_whole = is_by_bus || strstr(methods, "flr") != NULL ||
			strstr(methods, "bus") != NULL ||
			strstr(methods, "device_specific") != NULL;

	if (!holds(check, safety_check_reset, source, findings))
		return;
	check_add(
		findings, is_whole ? FINDING_OK : FINDING_WARNING, device->address, source,
		is_by_bus ? mem_strdup("by its bus, which it has for itself") : mem_strdup(methods),
		is_whole ? NULL
			 : mem_strdup("only by power management, which does not clear every card: "
				      "if it works once alone, power the host off and on, and "
				      "drain it: gpuvm drain"));
}

void check_regions(const struct check *check, struct findings *findings)
{
	const struct device *device = check->gpu->device;
	CLEANUP(text)
	char *source = text_format("/sys/kernel/iommu_groups/%d/reserved_regions",
				   device->iommu_group);

	if (!holds(check, safety_check_regions, source, findings))
		return;
	if (device->iommu_group < 0 || !root_exists(check->root, "%s", source))
		check_add(findings, FINDING_NOT_CHECKED, device->address, source,
			  mem_strdup("it cannot be read"), NULL);
	else
		check_add(findings, FINDING_OK, device->address, source,
			  mem_strdup("none of them is direct"), NULL);
}

void check_answers(const struct check *check, struct findings *findings)
{
	const char *address = check->gpu->device->address;
	CLEANUP(text) char *source = text_format("/sys/bus/pci/devices/%s/config", address);
	CLEANUP(text) char *silence = quarantine_silence(check->root, address);

	if (silence == NULL)
		check_add(findings, FINDING_OK, address, source, mem_strdup("it does"), NULL);
	else
		check_add(
			findings, FINDING_FAILED, address, source, STEAL(silence),
			mem_strdup("shut the host down and cut its power for a minute; a reboot is "
				   "not enough"));
}
