// SPDX-License-Identifier: MIT
#include "topo/safety.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/text.h"

#define ECAP_INTERRUPT_REMAPPING (1ull << 3)
#define UNSAFE_ALLOWED           "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"

/* Whether an Intel IOMMU of this host cannot remap interrupts. */
static bool an_iommu_cannot(const struct root *root)
{
	CLEANUP(root_names) char **names = root_names(root, "/sys/class/iommu");

	for (char **name = names; *name != NULL; name++) {
		CLEANUP(text)
		char *ecap = root_text(root, "/sys/class/iommu/%s/intel-iommu/ecap", *name);

		if (ecap != NULL && (strtoull(ecap, NULL, 16) & ECAP_INTERRUPT_REMAPPING) == 0)
			return true;
	}
	return false;
}

enum safety_interrupts safety_interrupts(const struct root *root)
{
	CLEANUP(text) char *interrupts = root_bytes(root, NULL, "/proc/interrupts");
	CLEANUP(text) char *allowed = root_text(root, UNSAFE_ALLOWED);
	bool has_chips = interrupts != NULL && (strstr(interrupts, "PCI-MSI") != NULL ||
						strstr(interrupts, "IO-APIC") != NULL);
	bool cannot = an_iommu_cannot(root);

	if (has_chips && (strstr(interrupts, " IR-PCI-MSI") != NULL ||
			  strstr(interrupts, " IR-IO-APIC") != NULL))
		return SAFETY_REMAPPED;
	if (!has_chips && !cannot)
		return SAFETY_NOT_KNOWN;
	if (text_equal(allowed, "Y"))
		return SAFETY_UNSAFE_ALLOWED;
	return cannot ? SAFETY_NO_REMAPPING : SAFETY_NOT_REMAPPED;
}

int safety_check_interrupts(const struct root *root, const struct device_list *devices,
			    const struct gpu *gpu, struct fail *fail)
{
	enum safety_interrupts interrupts = safety_interrupts(root);

	(void)devices;
	switch (interrupts) {
	case SAFETY_REMAPPED:
	case SAFETY_UNSAFE_ALLOWED:
	case SAFETY_NOT_KNOWN:
		return 0;
	case SAFETY_NOT_REMAPPED:
	case SAFETY_NO_REMAPPING:
		break;
	}
	fail_add(fail, FAIL_HOST,
		 "%s cannot be given away safely: this host does not remap interrupts",
		 gpu->device->address);
	if (interrupts == SAFETY_NO_REMAPPING) {
		fail_cause(fail, "the IOMMU lacks it (ecap bit 3 in /sys/class/iommu/*); a guest "
				 "could send the host interrupts of its choice");
		return fail_hint(fail, "use a machine whose IOMMU remaps interrupts, or update "
				       "this one's firmware");
	}
	fail_cause(fail, "no line of /proc/interrupts is marked IR-; a guest could send the host "
			 "interrupts of its choice");
	return fail_hint(fail, "enable interrupt remapping (x2APIC) in the firmware's setup, take "
			       "intremap=off and nox2apic off the kernel's command line if they "
			       "are there, and reboot");
}

/* The first reserved region of the group that the firmware insists on, or NULL. The caller frees. */
static char *firmware_region(const struct root *root, int group)
{
	CLEANUP(text)
	char *text = root_text(root, "/sys/kernel/iommu_groups/%d/reserved_regions", group);
	char *rest = text;
	char *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		const char *type = strrchr(line, ' ');

		if (type != NULL && text_equal(type + 1, "direct"))
			return text_printable(line, 80);
	}
	return NULL;
}

int safety_check_regions(const struct root *root, const struct device_list *devices,
			 const struct gpu *gpu, struct fail *fail)
{
	int group = gpu->device->iommu_group;
	CLEANUP(text) char *region = group < 0 ? NULL : firmware_region(root, group);

	(void)devices;
	if (region == NULL)
		return 0;
	fail_add(fail, FAIL_HOST,
		 "%s cannot be given away: the firmware keeps DMA to its IOMMU group to itself "
		 "(RMRR)",
		 gpu->device->address);
	fail_cause(fail, "/sys/kernel/iommu_groups/%d/reserved_regions: %s", group, region);
	return fail_hint(fail, "in the firmware's setup switch off what shares memory with this "
			       "slot (HPE: \"Shared Memory Feature\"; legacy USB and option ROM "
			       "support), or move the card to another slot");
}

static bool travels_with(const struct gpu *gpu, const struct device *device)
{
	for (size_t i = 0; i < gpu->member_count; i++)
		if (gpu->members[i].device == device)
			return gpu->members[i].role != GPU_MEMBER_BRIDGE &&
			       gpu->members[i].role != GPU_MEMBER_IN_USE;
	return gpu->device == device;
}

/* VFIO resets the bus when it owns all of it. */
static const struct device *keeps_bus_from_reset(const struct device_list *devices,
						 const struct gpu *gpu)
{
	for (size_t i = 0; i < devices->count; i++) {
		const struct device *device = &devices->devices[i];

		if (device->domain == gpu->device->domain && device->bus == gpu->device->bus &&
		    !travels_with(gpu, device))
			return device;
	}
	return NULL;
}

int safety_check_reset(const struct root *root, const struct device_list *devices,
		       const struct gpu *gpu, struct fail *fail)
{
	const struct device *device = gpu->device;
	const struct device *neighbour = keeps_bus_from_reset(devices, gpu);
	bool is_off = text_equal(device->reset_methods, "");

	if (device->reset_methods != NULL && !is_off)
		return 0;
	/* Kernels before 5.15 have no reset_method, only this. */
	if (!is_off && root_exists(root, "/sys/bus/pci/devices/%s/reset", device->address))
		return 0;
	if (!device->on_root_bus && neighbour == NULL)
		return 0;
	fail_add(fail, FAIL_HOST, "%s cannot be given away: nothing can reset it between guests",
		 device->address);
	if (is_off)
		fail_cause(fail, "its reset methods were switched off (reset_method is empty)");
	else if (device->on_root_bus)
		fail_cause(fail, "it has no reset method, and is on the root bus, which cannot be "
				 "reset");
	else
		fail_cause(fail, "it has no reset method, and %s on its bus stays with the host",
			   neighbour->address);
	if (is_off)
		return fail_hint(fail,
				 "echo default | sudo tee /sys/bus/pci/devices/%s/reset_method",
				 device->address);
	return fail_hint(fail, "choose another GPU (gpuvm gpus), or move the card to a slot of its "
			       "own");
}

static const struct {
	const char *finding; /* of `gpuvm check` */
	safety_rule *rule;
} rules[] = {
	{ "interrupt-remapping", safety_check_interrupts },
	{ "reserved-regions", safety_check_regions },
	{ "reset", safety_check_reset },
};

static bool is_among(const char *const *words, const char *word)
{
	for (; words != NULL && *words != NULL; words++)
		if (text_equal(*words, word))
			return true;
	return false;
}

int safety_check_but(const struct root *root, const struct device_list *devices,
		     const struct gpu *gpu, const char *const *forced, struct fail *fail)
{
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (!is_among(forced, rules[i].finding) &&
		    rules[i].rule(root, devices, gpu, fail) < 0)
			return fail_finding(fail, rules[i].finding);
	return 0;
}

int safety_check(const struct root *root, const struct device_list *devices, const struct gpu *gpu,
		 struct fail *fail)
{
	return safety_check_but(root, devices, gpu, NULL, fail);
}
