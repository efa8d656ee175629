// SPDX-License-Identifier: MIT
#include "topo/gpu.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define CLASS_OTHER_BRIDGE 0x0680 /* NVSwitch: an endpoint, only called a bridge */
#define ANY_DEVICE         0
#define CLAUSES_MOST       4 /* members that a reason names */

/* Displays of management controllers: the administrator's remote console. */
static const struct {
	uint16_t vendor_id, device_id;
	const char *maker;
} bmcs[] = {
	{ 0x1a03, ANY_DEVICE, "ASPEED" },  { 0x102b, ANY_DEVICE, "Matrox" },
	{ 0x19e5, 0x1711, "Huawei iBMC" }, { 0x126f, 0x0750, "Silicon Motion" },
	{ 0x18ca, 0x0020, "XGI Volari" },
};

static const char *bmc_maker(const struct device *device)
{
	for (size_t i = 0; i < sizeof bmcs / sizeof *bmcs; i++)
		if (bmcs[i].vendor_id == device->vendor_id &&
		    (bmcs[i].device_id == ANY_DEVICE || bmcs[i].device_id == device->device_id))
			return bmcs[i].maker;
	return NULL;
}

bool gpu_is_function(const struct device *device)
{
	unsigned base = device->class_id >> 8;

	return !device->is_bridge &&
	       (base == DEVICE_CLASS_DISPLAY || base == DEVICE_CLASS_ACCELERATOR);
}

/* Parts of one card that are given out together; virtual functions share a slot number by accident. */
static bool same_card(const struct device *a, const struct device *b)
{
	return a == b || (device_same_slot(a, b) && a->iommu_group == b->iommu_group &&
			  !a->is_virtual_function && !b->is_virtual_function);
}

/* The position of the first GPU whose address is not below the first @length bytes of @address. */
static size_t first_from(const struct gpu_list *list, const char *address, size_t length)
{
	size_t low = 0;
	size_t high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strncmp(list->gpus[middle].device->address, address, length) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct gpu *gpu_of(const struct gpu_list *list, const struct device *device)
{
	size_t i = first_from(list, device->address, strlen(device->address) - 1);

	for (; i < list->count && device_same_slot(list->gpus[i].device, device); i++)
		if (same_card(list->gpus[i].device, device))
			return &list->gpus[i];
	return NULL;
}

bool gpu_driver_is_vfio(const char *driver)
{
	size_t length = strlen(driver);

	/* vendors' variants: nvgrace-gpu-vfio-pci, mlx5_vfio_pci */
	return text_starts(driver, "vfio-") ||
	       (length > 8 && (text_equal(driver + length - 8, "vfio-pci") ||
			       text_equal(driver + length - 8, "vfio_pci")));
}

static bool is_on_vfio(const struct device *device)
{
	const char *driver = device->driver;

	return driver == NULL || text_equal(driver, "pci-stub") || gpu_driver_is_vfio(driver);
}

static enum gpu_member_role role_of(const struct gpu_list *list, const struct gpu *gpu,
				    const struct device *device)
{
	bool is_chipset = device->class_id >> 8 == DEVICE_CLASS_BRIDGE &&
			  device->class_id != CLASS_OTHER_BRIDGE;
	const struct gpu *other;

	if (device->is_bridge || is_chipset)
		return is_on_vfio(device) || text_equal(device->driver, "pcieport")
			       ? GPU_MEMBER_BRIDGE
			       : GPU_MEMBER_IN_USE;
	if (same_card(gpu->device, device))
		return GPU_MEMBER_FUNCTION;
	other = gpu_of(list, device);
	if (other != NULL)
		return other->device == device ? GPU_MEMBER_GPU : GPU_MEMBER_GPU_FUNCTION;
	return is_on_vfio(device) || device->is_idle ? GPU_MEMBER_HELD : GPU_MEMBER_IN_USE;
}

static int by_group(const void *a, const void *b)
{
	const struct device *left = *(const struct device *const *)a;
	const struct device *right = *(const struct device *const *)b;

	if (left->iommu_group != right->iommu_group)
		return left->iommu_group < right->iommu_group ? -1 : 1;
	return (left > right) - (left < right);
}

/* The devices by IOMMU group, then address. */
static const struct device **sort_by_group(const struct device_list *devices)
{
	const struct device **sorted = mem_alloc(devices->count, sizeof(struct device *));

	for (size_t i = 0; i < devices->count; i++)
		sorted[i] = &devices->devices[i];
	qsort(sorted, devices->count, sizeof *sorted, by_group);
	return sorted;
}

/* @sorted: @count devices by group. */
static void collect_members(const struct gpu_list *list, const struct device *const *sorted,
			    size_t count, struct gpu *gpu)
{
	int group = gpu->device->iommu_group;
	size_t low = 0;
	size_t high = group < 0 ? 0 : count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sorted[middle]->iommu_group < group)
			low = middle + 1;
		else
			high = middle;
	}
	for (; group >= 0 && low < count && sorted[low]->iommu_group == group; low++)
		*MEM_APPEND(gpu->members, gpu->member_count) = (struct gpu_member){
			.device = sorted[low],
			.role = role_of(list, gpu, sorted[low]),
		};
}

/* What speaks against choosing @device unasked, whatever its group. The caller frees *@ret_reason. */
static enum gpu_offer judge_device(const struct device *device, char **ret_reason)
{
	const char *maker = bmc_maker(device);

	*ret_reason = NULL;
	if (device->is_virtual_function) {
		*ret_reason = mem_strdup("it is an SR-IOV virtual function");
		return GPU_VIRTUAL_FUNCTION;
	}
	if (device->is_boot_vga) {
		*ret_reason = mem_strdup("it is the boot VGA, the host's console");
		return GPU_BOOT_VGA;
	}
	if (device->firmware_framebuffer != NULL) {
		*ret_reason = text_format("it has the firmware's framebuffer (%s), the host's "
					  "console",
					  device->firmware_framebuffer);
		return GPU_BOOT_VGA;
	}
	if (maker != NULL) {
		*ret_reason = text_format("it is a management controller's display (%s)", maker);
		return GPU_BMC;
	}
	if (device->on_root_bus) {
		*ret_reason = mem_strdup("it is integrated: on the root bus, behind no port");
		return GPU_INTEGRATED;
	}
	return GPU_OFFERED;
}

/* A group goes out whole: a GPU that shares one with the host's console is no free choice either. */
static enum gpu_offer judge_groupmates(const struct gpu *gpu, char **ret_reason)
{
	for (size_t i = 0; i < gpu->member_count; i++) {
		const struct device *other = gpu->members[i].device;
		CLEANUP(text) char *reason = NULL;
		enum gpu_offer offer;

		if (gpu->members[i].role != GPU_MEMBER_GPU)
			continue;
		offer = judge_device(other, &reason);
		if (offer == GPU_OFFERED)
			continue;
		*ret_reason = text_format("it shares IOMMU group %d with %s, and of that one: %s",
					  other->iommu_group, other->address, reason);
		return offer;
	}
	return GPU_OFFERED;
}

/* "0000:03:00.0 Intel ... [8086:10d3] is on driver e1000e as network interface eth1, which is up" */
static char *in_use_clause(const struct device *device)
{
	CLEANUP(text) char *title = device_title(device);
	char *clause = text_format("%s %s [%04x:%04x] is on driver %s", device->address, title,
				   device->vendor_id, device->device_id, device->driver);

	if (device->use != NULL)
		text_add(&clause, " as %s", device->use);
	return clause;
}

static char *in_use_reason(const struct gpu *gpu)
{
	CLEANUP(text) char *clauses = NULL;
	char *reason;
	size_t count = 0;

	for (size_t i = 0; i < gpu->member_count; i++) {
		CLEANUP(text) char *clause = NULL;

		if (gpu->members[i].role != GPU_MEMBER_IN_USE || count++ >= CLAUSES_MOST)
			continue;
		clause = in_use_clause(gpu->members[i].device);
		text_join(&clauses, ", ", clause);
	}
	if (count == 0)
		return NULL;
	reason = text_format("its IOMMU group %d is not viable: %s", gpu->device->iommu_group,
			     clauses);
	if (count > CLAUSES_MOST)
		text_add(&reason, " (and %zu more)", count - CLAUSES_MOST);
	return reason;
}

/*
 * What makes giving away impossible wins over what only speaks against choosing it, because `address`
 * overrules the latter; people get both reasons.
 */
static void judge(struct gpu *gpu)
{
	CLEANUP(text) char *soft = NULL;
	CLEANUP(text) char *hard = in_use_reason(gpu);

	gpu->offer = judge_device(gpu->device, &soft);
	if (gpu->offer == GPU_OFFERED)
		gpu->offer = judge_groupmates(gpu, &soft);
	if (gpu->device->iommu_group < 0) {
		gpu->offer = GPU_NO_IOMMU_GROUP;
		hard = mem_strdup("it has no IOMMU group");
	} else if (hard != NULL) {
		gpu->offer = GPU_GROUP_NOT_VIABLE;
	}
	if (hard != NULL)
		text_join(&gpu->offer_reason, "; ", hard);
	if (soft != NULL)
		text_join(&gpu->offer_reason, "; ", soft);
}

struct gpu_list *gpu_list_build(const struct device_list *devices)
{
	struct gpu_list *list = mem_alloc(1, sizeof *list);
	const struct device **sorted = sort_by_group(devices);

	for (size_t i = 0; i < devices->count; i++) {
		const struct device *device = &devices->devices[i];

		if (gpu_is_function(device) && gpu_of(list, device) == NULL)
			MEM_APPEND(list->gpus, list->count)->device = device;
	}
	for (size_t i = 0; i < list->count; i++)
		collect_members(list, sorted, devices->count, &list->gpus[i]);
	free(sorted);
	for (size_t i = 0; i < list->count; i++)
		judge(&list->gpus[i]);
	return list;
}

void gpu_list_free(struct gpu_list *list)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < list->count; i++) {
		free(list->gpus[i].members);
		free(list->gpus[i].offer_reason);
	}
	free(list->gpus);
	free(list);
}

const struct gpu *gpu_find(const struct gpu_list *list, const char *address)
{
	size_t length = strlen(address);
	size_t exact = first_from(list, address, length + 1);
	size_t slot_length = length > 0 ? length - 1 : 0;

	if (exact < list->count && text_equal(list->gpus[exact].device->address, address))
		return &list->gpus[exact];
	for (size_t i = first_from(list, address, slot_length); i < list->count; i++) {
		const struct device *device = list->gpus[i].device;

		if (strncmp(device->address, address, slot_length) != 0)
			break;
		if (!device->is_virtual_function && strlen(device->address) == length)
			return &list->gpus[i];
	}
	return NULL;
}

bool gpu_offer_yields_to_address(enum gpu_offer offer)
{
	switch (offer) {
	case GPU_OFFERED:
	case GPU_BOOT_VGA:
	case GPU_BMC:
	case GPU_INTEGRATED:
	case GPU_VIRTUAL_FUNCTION:
		return true;
	case GPU_NO_IOMMU_GROUP:
	case GPU_GROUP_NOT_VIABLE:
		return false;
	}
	return false;
}

bool gpu_member_blocks_group(const struct gpu_member *member)
{
	return member->role != GPU_MEMBER_BRIDGE && !is_on_vfio(member->device);
}

bool gpu_same_group(const struct gpu *a, const struct gpu *b)
{
	return a->device->iommu_group >= 0 && a->device->iommu_group == b->device->iommu_group;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t device_bar64_bytes(const struct device *device)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < DEVICE_BARS; i++)
		if (device->bars[i].is_64bit)
			bytes = plus(bytes, device->bars[i].size_bytes);
	return bytes;
}

uint64_t gpu_bar64_bytes(const struct gpu *gpu)
{
	uint64_t bytes = 0;

	if (gpu->member_count == 0)
		return device_bar64_bytes(gpu->device);
	for (size_t i = 0; i < gpu->member_count; i++)
		if (gpu->members[i].role == GPU_MEMBER_FUNCTION)
			bytes = plus(bytes, device_bar64_bytes(gpu->members[i].device));
	return bytes;
}
