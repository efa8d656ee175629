// SPDX-License-Identifier: MIT
#include "topo/holder.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "topo/holder_internal.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define DEVICES     "/sys/bus/pci/devices"
#define UUID_LENGTH 36

struct holder *holder_add(struct holder_list *list, const char *address, enum holder_kind kind,
			  char *who, char *what, char *remedy)
{
	struct holder *holder = MEM_APPEND(list->holders, list->count);

	memcpy(holder->address, address, strlen(address) + 1);
	holder->kind = kind;
	holder->who = who;
	holder->what = what;
	holder->remedy = remedy;
	return holder;
}

static void add_virtual_functions(const struct root *root, const struct device *device,
				  struct holder_list *list)
{
	int64_t count = root_number(root, 0, DEVICES "/%s/sriov_numvfs", device->address);

	if (count > 0)
		holder_add(list, device->address, HOLDER_VIRTUAL_FUNCTIONS,
			   text_format("its %lld virtual functions", (long long)count),
			   mem_strdup("are enabled"),
			   text_format("echo 0 | sudo tee " DEVICES "/%s/sriov_numvfs",
				       device->address));
}

static void add_mediated_devices(const struct root *root, const struct device *device,
				 struct holder_list *list)
{
	CLEANUP(root_names) char **names = root_names(root, DEVICES "/%s", device->address);

	for (char **name = names; *name != NULL; name++) {
		CLEANUP(text) char *uuid = NULL;

		if (strlen(*name) != UUID_LENGTH ||
		    !root_exists(root, DEVICES "/%s/%s/mdev_type", device->address, *name))
			continue;
		uuid = text_printable(*name, 0);
		holder_add(list, device->address, HOLDER_MEDIATED_DEVICE,
			   text_format("mediated device %s", uuid), mem_strdup("is made of it"),
			   text_format("echo 1 | sudo tee /sys/bus/mdev/devices/%s/remove", uuid));
	}
}

/* Drivers whose detaching can hang while they show the console. */
static bool may_hang(const struct device *device)
{
	static const char *const drivers[] = { "nvidia", "nouveau" };

	for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
		if (text_equal(device->driver, drivers[i]))
			return true;
	return false;
}

static void add_console(const struct root *root, const struct device *device,
			struct holder_list *list)
{
	const char *firmware = device->firmware_framebuffer;
	CLEANUP(root_names)
	char **framebuffers = root_names(root, DEVICES "/%s/graphics", device->address);
	bool is_shown = framebuffers[0] != NULL;
	CLEANUP(text) char *name = is_shown ? text_printable(framebuffers[0], 32) : NULL;
	struct holder *holder;

	if (!device_is_console(device) || (!is_shown && firmware == NULL))
		return;
	holder = holder_add(
		list, device->address, HOLDER_CONSOLE, mem_strdup("the host's console"),
		firmware == NULL
			? text_format("is on it (%s)", name)
			: text_format("is on the firmware's framebuffer on it (%s)", firmware),
		firmware == NULL
			? text_format("keep it from the console: sudo driverctl set-override %s "
				      "vfio-pci   then reboot; the host's screen then stays dark",
				      device->address)
			: mem_strdup("add initcall_blacklist=sysfb_init to the kernel's command "
				     "line and reboot; the host's screen then stays dark"));
	holder->may_hang = is_shown && may_hang(device);
}

static bool travels(const struct gpu_member *member)
{
	switch (member->role) {
	case GPU_MEMBER_FUNCTION:
	case GPU_MEMBER_HELD:
	case GPU_MEMBER_GPU:
	case GPU_MEMBER_GPU_FUNCTION:
		return true;
	case GPU_MEMBER_BRIDGE:
	case GPU_MEMBER_IN_USE:
		return false;
	}
	return false;
}

static void append(const struct device ***devices, size_t *count, const struct device *device)
{
	for (size_t i = 0; i < *count; i++)
		if ((*devices)[i] == device)
			return;
	*MEM_APPEND(*devices, *count) = device;
}

struct holder_list *holder_list_read(const struct root *root, const struct gpu *const *gpus,
				     size_t gpu_count)
{
	struct holder_list *list = mem_alloc(1, sizeof *list);
	struct holder_nodes nodes = { 0 };
	const struct device **devices = NULL;
	size_t count = 0;

	for (size_t i = 0; i < gpu_count; i++) {
		append(&devices, &count, gpus[i]->device);
		for (size_t j = 0; j < gpus[i]->member_count; j++)
			if (travels(&gpus[i]->members[j]))
				append(&devices, &count, gpus[i]->members[j].device);
	}
	for (size_t i = 0; i < count; i++) {
		bool group_seen = false;

		for (size_t j = 0; j < i; j++)
			group_seen = group_seen ||
				     devices[j]->iommu_group == devices[i]->iommu_group;
		holder_nodes_add(root, devices[i], !group_seen, &nodes);
	}
	if (nodes.count > 0)
		holder_processes_add(root, &nodes, list);
	for (size_t i = 0; i < count; i++) {
		add_virtual_functions(root, devices[i], list);
		add_mediated_devices(root, devices[i], list);
		add_console(root, devices[i], list);
	}
	holder_nodes_done(&nodes);
	free(devices);
	return list;
}

void holder_list_free(struct holder_list *list)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < list->count; i++) {
		free(list->holders[i].program);
		free(list->holders[i].who);
		free(list->holders[i].what);
		free(list->holders[i].remedy);
	}
	free(list->holders);
	free(list);
}

int holder_refuse(const struct holder *holder, struct fail *fail)
{
	fail_add(fail, holder->kind == HOLDER_CONSOLE ? FAIL_HOST : FAIL_BUSY, "%s is in use by %s",
		 holder->address, holder->who);
	fail_cause(fail, "%s %s", holder->who, holder->what);
	return fail_hint(fail, "%s", holder->remedy);
}

bool holder_has(const struct holder *holder, const struct gpu *gpu)
{
	if (text_equal(holder->address, gpu->device->address))
		return true;
	for (size_t i = 0; i < gpu->member_count; i++)
		if (travels(&gpu->members[i]) &&
		    text_equal(holder->address, gpu->members[i].device->address))
			return true;
	return false;
}

const struct holder *holder_of(const struct holder_list *list, const struct gpu *gpu)
{
	for (size_t i = 0; i < list->count; i++)
		if (holder_has(&list->holders[i], gpu))
			return &list->holders[i];
	return NULL;
}
