// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/check_internal.h"

#define PERSISTENCED_SOCKET "/run/nvidia-persistenced/socket"

/* Whether a GPU that words may choose is on NVIDIA's driver. */
static const struct gpu *find_on_nvidia(const struct check *check)
{
	for (size_t i = 0; i < check->host->gpus->count; i++) {
		const struct gpu *gpu = &check->host->gpus->gpus[i];

		if (gpu->offer == GPU_OFFERED && text_equal(gpu->device->driver, "nvidia"))
			return gpu;
	}
	return NULL;
}

void check_persistenced(const struct check *check, struct findings *findings)
{
	const struct gpu *gpu = find_on_nvidia(check);

	if (!root_exists(check->root, PERSISTENCED_SOCKET))
		check_add(findings, FINDING_OK, NULL, PERSISTENCED_SOCKET,
			  mem_strdup("it does not run"), NULL);
	else if (gpu == NULL)
		check_add(findings, FINDING_OK, NULL, PERSISTENCED_SOCKET,
			  mem_strdup("it runs, and no GPU for VMs is on NVIDIA's driver"), NULL);
	else
		check_add(
			findings, FINDING_WARNING, NULL, PERSISTENCED_SOCKET,
			text_format("it runs, and %s is on NVIDIA's driver", gpu->device->address),
			mem_strdup("sudo systemctl disable --now nvidia-persistenced   or bind "
				   "GPUs for VMs to vfio-pci at boot"));
}

void check_framebuffer(const struct check *check, struct findings *findings)
{
	size_t before = findings->count;

	if (!root_exists(check->root, "/proc/iomem")) {
		check_add_unread(findings, "/proc/iomem");
		return;
	}
	for (size_t i = 0; i < check->host->gpus->count; i++) {
		const struct device *device = check->host->gpus->gpus[i].device;

		if (device->firmware_framebuffer == NULL)
			continue;
		check_add(findings, FINDING_WARNING, device->address, "/proc/iomem",
			  text_format("the firmware's framebuffer (%s) is on it",
				      device->firmware_framebuffer),
			  mem_strdup("if a VM is to have it: add initcall_blacklist=sysfb_init to "
				     "the kernel's command line and reboot; the host's screen then "
				     "stays dark"));
	}
	if (findings->count == before)
		check_add(findings, FINDING_OK, NULL, "/proc/iomem", mem_strdup("it is on none"),
			  NULL);
}

static bool needs_detaching(const struct gpu_member *member)
{
	return member->role != GPU_MEMBER_BRIDGE && member->role != GPU_MEMBER_IN_USE &&
	       member->device->driver != NULL && !gpu_driver_is_vfio(member->device->driver);
}

/* Functions that libvirt would take from a driver of the host, with it: "0000:17:00.0 from nvidia". */
static char *to_detach(const struct gpu *gpu)
{
	char *all = NULL;

	for (size_t i = 0; i < gpu->member_count; i++) {
		const struct device *device = gpu->members[i].device;

		if (needs_detaching(&gpu->members[i]))
			text_add(&all, "%s%s from %s", all == NULL ? "" : ", ", device->address,
				 device->driver);
	}
	return all;
}

/* What keeps the drivers off from boot on; those that setup-host does not take one by one. The caller frees. */
static char *keep_off(const struct gpu *gpu)
{
	const char *address = gpu->device->address;
	size_t slot = strlen(address) - 1; /* all but the function */
	char *hint = NULL;

	if (gpu->device->is_virtual_function)
		return mem_strdup("that is as it has to be: it is not there before its driver is");
	if (gpu->offer == GPU_BOOT_VGA)
		return mem_strdup("choose another GPU, as the host's screen is on it: gpuvm gpus");
	hint = text_format("keep it from the host's drivers from boot on: sudo gpuvm setup-host %s",
			   address);
	for (size_t i = 0; i < gpu->member_count; i++) {
		const struct gpu_member *member = &gpu->members[i];

		if (needs_detaching(member) && strncmp(member->device->address, address, slot) != 0)
			text_add(&hint, "   and: sudo driverctl set-override %s vfio-pci",
				 member->device->address);
	}
	return hint;
}

void check_driver(const struct check *check, struct findings *findings)
{
	const char *address = check->gpu->device->address;
	const char *driver = check->gpu->device->driver;
	CLEANUP(text) char *detached = to_detach(check->gpu);
	CLEANUP(text) char *source = text_format("/sys/bus/pci/devices/%s/driver", address);

	if (detached == NULL)
		check_add(findings, FINDING_OK, address, source,
			  driver == NULL ? mem_strdup("no driver has it") : mem_strdup(driver),
			  NULL);
	else
		check_add(findings, FINDING_WARNING, address, source,
			  text_format("each start takes %s", detached), keep_off(check->gpu));
}

/* Whoever has the GPU, but for what was made of it, which is another finding. */
static const struct holder *user_of(const struct check *check)
{
	for (size_t i = 0; i < check->holders->count; i++) {
		const struct holder *holder = &check->holders->holders[i];

		if (holder->kind != HOLDER_VIRTUAL_FUNCTIONS &&
		    holder->kind != HOLDER_MEDIATED_DEVICE && holder_has(holder, check->gpu))
			return holder;
	}
	return NULL;
}

void check_holder(const struct check *check, struct findings *findings)
{
	const char *address = check->gpu->device->address;
	const struct holder *holder = user_of(check);

	if (holder != NULL)
		/* Somebody may use a GPU now that a VM is to have later; a start refuses it then. */
		check_add(findings, FINDING_WARNING, address, "/proc/*/fd, /sys",
			  text_format("%s %s", holder->who, holder->what),
			  mem_strdup(holder->remedy));
	else if (!check->root->live)
		check_add(findings, FINDING_OK, address, "/sys",
			  mem_strdup("nothing was made of it, nor is the console on it; processes "
				     "are in no snapshot"),
			  NULL);
	else if (check->holders->not_checked > 0)
		check_add(findings, FINDING_NOT_CHECKED, address, "/proc/*/fd",
			  text_format("only root sees the files of %zu processes",
				      check->holders->not_checked),
			  text_format("sudo gpuvm check %s", address));
	else
		check_add(findings, FINDING_OK, address, "/proc/*/fd", mem_strdup("nobody has"),
			  NULL);
}

void check_console(const struct check *check, struct findings *findings)
{
	const struct device *device = check->gpu->device;
	CLEANUP(text)
	char *source = text_format("/sys/bus/pci/devices/%s/boot_vga", device->address);

	if (!device_is_console(device))
		check_add(findings, FINDING_OK, device->address, source,
			  mem_strdup("the firmware's console is on another GPU, or on none"), NULL);
	else
		check_add(findings, FINDING_WARNING, device->address, source,
			  device->is_boot_vga
				  ? mem_strdup("it is the boot VGA")
				  : text_format("the firmware's framebuffer (%s) is on it",
						device->firmware_framebuffer),
			  text_format("a spec gets it by [gpu] address = %s with allow_boot_vga = "
				      "yes; or make another GPU the first in the firmware's setup",
				      device->address));
}
