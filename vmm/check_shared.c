// SPDX-License-Identifier: MIT
/* GPUs in parts, and GPUs that are parts: virtual functions, MIG, NVSwitch boards. */
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/check_internal.h"

#define VENDOR_NVIDIA 0x10de
#define CLASS_3D      0x0302
#define GPUS          "/proc/driver/nvidia/gpus"
#define CAPABILITIES  "/proc/driver/nvidia/capabilities"
#define MANAGER       "/usr/share/nvidia/nvswitch/fabricmanager.cfg"

void check_virtual_functions(const struct check *check, struct findings *findings)
{
	const char *address = check->gpu->device->address;
	CLEANUP(text) char *source = text_format("/sys/bus/pci/devices/%s/sriov_numvfs", address);

	for (size_t i = 0; i < check->holders->count; i++) {
		const struct holder *holder = &check->holders->holders[i];

		if ((holder->kind != HOLDER_VIRTUAL_FUNCTIONS &&
		     holder->kind != HOLDER_MEDIATED_DEVICE) ||
		    !holder_has(holder, check->gpu))
			continue;
		check_add(findings, FINDING_FAILED, address, source,
			  text_format("%s %s", holder->who, holder->what),
			  mem_strdup(holder->remedy));
		return;
	}
	if (check->gpu->device->is_virtual_function)
		check_add(
			findings, FINDING_WARNING, address, source,
			mem_strdup("it is itself a virtual function, which something else manages"),
			mem_strdup("choose a whole GPU: gpuvm gpus"));
	else
		check_add(findings, FINDING_OK, address, source, mem_strdup("it is not"), NULL);
}

/* The number that NVIDIA's driver gives the GPU; -1: it has none. */
static long minor_of(const struct check *check)
{
	CLEANUP(text)
	char *text = root_text(check->root, GPUS "/%s/information", check->gpu->device->address);
	const char *line = text == NULL ? NULL : strstr(text, "Device Minor:");

	return line == NULL ? -1 : strtol(line + strlen("Device Minor:"), NULL, 10);
}

void check_mig(const struct check *check, struct findings *findings)
{
	const char *address = check->gpu->device->address;
	long minor = minor_of(check);
	CLEANUP(text) char *source = text_format(CAPABILITIES "/gpu%ld/mig", minor < 0 ? 0 : minor);
	CLEANUP(root_names) char **names = NULL;
	size_t count = 0;

	if (minor < 0) {
		check_add(findings, FINDING_OK, address, GPUS,
			  mem_strdup("it is not on NVIDIA's driver: the host has no instances"),
			  NULL);
		return;
	}
	names = root_names(check->root, "%s", source);
	for (char **name = names; *name != NULL; name++)
		count += text_starts(*name, "gi");
	if (count == 0)
		check_add(findings, FINDING_OK, address, source, mem_strdup("no GPU instance"),
			  NULL);
	else
		check_add(findings, FINDING_WARNING, address, source,
			  text_format("%zu GPU instance%s", count, count == 1 ? "" : "s"),
			  text_format("sudo nvidia-smi mig -i %s -dci && sudo nvidia-smi mig -i %s "
				      "-dgi && sudo nvidia-smi -i %s -mig 0",
				      address, address, address));
}

static bool has_switch(const struct check *check)
{
	for (size_t i = 0; i < check->host->devices->count; i++)
		if (pcie_is_nvswitch(&check->host->devices->devices[i]))
			return true;
	return false;
}

/* Blackwell's boards have switches that are no PCI functions. Ids as in pci.ids. */
static bool needs_fabric(const struct device *device)
{
	static const uint16_t ids[] = { 0x2901, 0x3182 }; /* B200, B300 SXM6 */

	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		if (device->vendor_id == VENDOR_NVIDIA && device->device_id == ids[i])
			return true;
	return false;
}

/* Whether the GPU is linked to others by NVSwitches: the SXM ones of a host that has any are. */
static bool is_on_board(const struct check *check, const struct gpu *gpu)
{
	const struct device *device = gpu->device;

	if (device->vendor_id != VENDOR_NVIDIA || device->class_id != CLASS_3D)
		return false;
	return has_switch(check) || needs_fabric(device);
}

#define SHAPES                                                                                     \
	"without a partition: VMs of 1 GPU, with NVLink off in the guest (options nvidia "         \
	"NVreg_NvLinkDisable=1)"
#define PARTITION                                                                                  \
	"with one: those of 2, 4 or 8 GPUs that the host's fabric manager offers "                 \
	"(FABRIC_MODE=1 in " MANAGER "), activated before the start: fmpm -a PARTITION"

void check_nvswitch(const struct check *check, struct findings *findings)
{
	const char *address = check->gpu->device->address;

	if (is_on_board(check, check->gpu))
		check_add(findings, FINDING_WARNING, address, "/sys/bus/pci/devices/*/class",
			  mem_strdup("it is"), mem_strdup(SHAPES "; " PARTITION));
	else
		check_add(findings, FINDING_OK, address, "/sys/bus/pci/devices/*/class",
			  mem_strdup("it is not"), NULL);
}

/* Whether the fabric manager gives out partitions (shared NVSwitch). */
static bool has_partitions(const struct check *check)
{
	CLEANUP(text) char *text = root_text(check->root, MANAGER);

	return text != NULL &&
	       (text_starts(text, "FABRIC_MODE=1") || strstr(text, "\nFABRIC_MODE=1") != NULL);
}

/* Their addresses, NULL if there are none. The caller frees. */
static char *list_linked(const struct check *check, size_t *ret_count)
{
	char *addresses = NULL;

	*ret_count = 0;
	for (size_t i = 0; i < check->vm->placement->gpu_count; i++) {
		const struct gpu *gpu = check->vm->placement->gpus[i].gpu;

		if (!is_on_board(check, gpu))
			continue;
		text_join(&addresses, ", ", gpu->device->address);
		++*ret_count;
	}
	return addresses;
}

void check_fabric(const struct check *check, struct findings *findings)
{
	CLEANUP(text) char *addresses = NULL;
	size_t count;

	if (check->vm->placement == NULL) {
		check_add(findings, FINDING_NOT_CHECKED, NULL, NULL,
			  mem_strdup("there is no placement yet: see placement"), NULL);
		return;
	}
	addresses = list_linked(check, &count);
	if (count == 0)
		check_add(findings, FINDING_OK, NULL, "/sys/bus/pci/devices/*/class",
			  mem_strdup("none of them is on an NVSwitch board"), NULL);
	else if (has_partitions(check))
		check_add(findings, FINDING_WARNING, NULL, MANAGER,
			  text_format("FABRIC_MODE=1, and %s %s on an NVSwitch board", addresses,
				      count == 1 ? "is" : "are"),
			  mem_strdup("activate the partition of just these GPUs before the start: "
				     "fmpm -l and fmpm -a PARTITION"));
	else
		check_add(findings, count == 1 ? FINDING_WARNING : FINDING_FAILED, NULL, MANAGER,
			  text_format("%s %s on an NVSwitch board, and no fabric manager gives out "
				      "partitions",
				      addresses, count == 1 ? "is" : "are"),
			  mem_strdup(SHAPES "; " PARTITION));
}
