// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "tests/unit/hosts.h"
#include "topo/device_names.h"
#include "topo/gpu.h"
#include "vmm/base/mem.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A function, built without a host: "address class" and what matters for groups. */
struct sketch {
	const char *address;
	unsigned class_id;
	int group;
	const char *driver;
	const char *about; /* any of: bridge, vf, boot, root */
	unsigned vendor_id, device_id;
};

static void draw(const struct sketch *sketch, struct device *device)
{
	unsigned domain, bus, slot, function;

	memset(device, 0, sizeof *device);
	assert_int_equal(sscanf(sketch->address, "%x:%x:%x.%x", &domain, &bus, &slot, &function),
			 4);
	snprintf(device->address, sizeof device->address, "%s", sketch->address);
	device->domain = (uint16_t)domain;
	device->bus = (uint8_t)bus;
	device->slot = (uint8_t)slot;
	device->function = (uint8_t)function;
	device->class_id = (uint16_t)sketch->class_id;
	device->iommu_group = sketch->group;
	device->driver = (char *)sketch->driver;
	device->vendor_id = (uint16_t)(sketch->vendor_id == 0 ? 0x10de : sketch->vendor_id);
	device->device_id = (uint16_t)sketch->device_id;
	if (sketch->about == NULL)
		return;
	device->is_bridge = strstr(sketch->about, "bridge") != NULL;
	device->is_virtual_function = strstr(sketch->about, "vf") != NULL;
	device->is_boot_vga = strstr(sketch->about, "boot") != NULL;
	device->on_root_bus = strstr(sketch->about, "root") != NULL;
}

static struct gpu_list *build(const struct sketch *sketches, struct device *devices, size_t most,
			      struct device_list *list)
{
	list->devices = devices;
	list->count = 0;
	for (size_t i = 0; i < most && sketches[i].address != NULL; i++)
		draw(&sketches[i], &devices[list->count++]);
	return gpu_list_build(list);
}

/* Every case has a GPU at 0000:01:00.0 in group 5. */
static void members_get_their_roles(void **state)
{
	static const struct {
		struct sketch other;
		enum gpu_member_role role;
		enum gpu_offer offer;
	} cases[] = {
		{ { "0000:01:00.1", 0x0403, 5, "snd_hda_intel", NULL, 0, 0 },
		  GPU_MEMBER_FUNCTION,
		  GPU_OFFERED },
		{ { "0000:01:00.2", 0x0302, 5, "nvidia", NULL, 0, 0 },
		  GPU_MEMBER_FUNCTION,
		  GPU_OFFERED },
		{ { "0000:01:00.4", 0x0302, 5, "nvidia", "vf", 0, 0 },
		  GPU_MEMBER_GPU,
		  GPU_VIRTUAL_FUNCTION },
		{ { "0000:02:00.0", 0x0200, 5, "e1000e", NULL, 0, 0 },
		  GPU_MEMBER_IN_USE,
		  GPU_GROUP_NOT_VIABLE },
		{ { "0000:02:00.0", 0x0200, 5, NULL, NULL, 0, 0 }, GPU_MEMBER_HELD, GPU_OFFERED },
		{ { "0000:02:00.0", 0x0200, 5, "vfio-pci", NULL, 0, 0 },
		  GPU_MEMBER_HELD,
		  GPU_OFFERED },
		{ { "0000:02:00.0", 0x0200, 5, "mlx5_vfio_pci", NULL, 0, 0 },
		  GPU_MEMBER_HELD,
		  GPU_OFFERED },
		{ { "0000:02:00.0", 0x0200, 5, "nvgrace-gpu-vfio-pci", NULL, 0, 0 },
		  GPU_MEMBER_HELD,
		  GPU_OFFERED },
		{ { "0000:02:00.0", 0x0200, 5, "pci-stub", NULL, 0, 0 },
		  GPU_MEMBER_HELD,
		  GPU_OFFERED },
		{ { "0000:02:00.0", 0x0200, 5, "vfio", NULL, 0, 0 },
		  GPU_MEMBER_IN_USE,
		  GPU_GROUP_NOT_VIABLE },
		{ { "0000:00:01.0", 0x0604, 5, "pcieport", "bridge", 0, 0 },
		  GPU_MEMBER_BRIDGE,
		  GPU_OFFERED },
		{ { "0000:00:01.0", 0x0604, 5, NULL, "bridge", 0, 0 },
		  GPU_MEMBER_BRIDGE,
		  GPU_OFFERED },
		{ { "0000:00:01.0", 0x0604, 5, "shpchp", "bridge", 0, 0 },
		  GPU_MEMBER_IN_USE,
		  GPU_GROUP_NOT_VIABLE },
		{ { "0000:00:00.0", 0x0600, 5, NULL, NULL, 0, 0 }, GPU_MEMBER_BRIDGE, GPU_OFFERED },
		{ { "0000:02:00.0", 0x0680, 5, NULL, NULL, 0, 0 }, GPU_MEMBER_HELD, GPU_OFFERED },
		{ { "0000:02:00.0", 0x0200, 5, "pcieport", NULL, 0, 0 },
		  GPU_MEMBER_IN_USE,
		  GPU_GROUP_NOT_VIABLE },
		{ { "0000:03:00.0", 0x1200, 5, "amdgpu", NULL, 0, 0 },
		  GPU_MEMBER_GPU,
		  GPU_OFFERED },
		{ { "0000:03:00.0", 0x0300, 5, "amdgpu", "boot", 0, 0 },
		  GPU_MEMBER_GPU,
		  GPU_BOOT_VGA },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sketch sketches[2] = { { "0000:01:00.0", 0x0302, 5, "nvidia", NULL, 0, 0 },
					      cases[i].other };
		struct device devices[2];
		struct device_list list;
		CLEANUP(gpu_list) struct gpu_list *gpus = build(sketches, devices, 2, &list);
		const struct gpu *gpu = gpu_find(gpus, "0000:01:00.0");

		assert_int_equal(gpu->member_count, 2);
		assert_int_equal(gpu->members[0].role, GPU_MEMBER_FUNCTION);
		assert_int_equal(gpu->members[1].role, cases[i].role);
		assert_int_equal(gpu->offer, cases[i].offer);
		assert_true((gpu->offer == GPU_OFFERED) == (gpu->offer_reason == NULL));
	}
}

static void offers_have_their_order(void **state)
{
	static const struct {
		struct sketch gpu;
		enum gpu_offer offer;
		const char *reason; /* a part of it */
	} cases[] = {
		{ { "0000:01:00.0", 0x0302, 5, NULL, NULL, 0, 0 }, GPU_OFFERED, NULL },
		{ { "0000:01:00.0", 0x0380, 5, NULL, NULL, 0, 0 }, GPU_OFFERED, NULL },
		{ { "0000:01:00.0", 0x1200, 5, NULL, NULL, 0x1002, 0 }, GPU_OFFERED, NULL },
		{ { "0000:01:00.0", 0x0302, 5, NULL, "vf boot root", 0, 0 },
		  GPU_VIRTUAL_FUNCTION,
		  "SR-IOV" },
		{ { "0000:01:00.0", 0x0300, 5, NULL, "boot root", 0x1a03, 0 },
		  GPU_BOOT_VGA,
		  "console" },
		{ { "0000:01:00.0", 0x0300, 5, NULL, "root", 0x1a03, 0 }, GPU_BMC, "ASPEED" },
		{ { "0000:01:00.0", 0x0300, 5, NULL, NULL, 0x102b, 0x0536 }, GPU_BMC, "Matrox" },
		{ { "0000:01:00.0", 0x0300, 5, NULL, NULL, 0x19e5, 0x1711 }, GPU_BMC, "Huawei" },
		{ { "0000:01:00.0", 0x1200, 5, NULL, NULL, 0x19e5, 0xd802 }, GPU_OFFERED, NULL },
		{ { "0000:01:00.0", 0x0300, 5, NULL, "root", 0, 0 }, GPU_INTEGRATED, "integrated" },
		{ { "0000:01:00.0", 0x0302, -1, NULL, NULL, 0, 0 },
		  GPU_NO_IOMMU_GROUP,
		  "IOMMU group" },
		{ { "0000:01:00.0", 0x0300, -1, NULL, "boot", 0, 0 },
		  GPU_NO_IOMMU_GROUP,
		  "console" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct device devices[1];
		struct device_list list;
		CLEANUP(gpu_list) struct gpu_list *gpus = build(&cases[i].gpu, devices, 1, &list);

		assert_int_equal(gpus->count, 1);
		assert_int_equal(gpus->gpus[0].offer, cases[i].offer);
		if (cases[i].reason == NULL)
			assert_null(gpus->gpus[0].offer_reason);
		else
			assert_non_null(strstr(gpus->gpus[0].offer_reason, cases[i].reason));
	}
}

static void only_what_cannot_be_given_resists_an_address(void **state)
{
	(void)state;
	for (enum gpu_offer offer = GPU_OFFERED; offer <= GPU_GROUP_NOT_VIABLE; offer++)
		assert_true(gpu_offer_yields_to_address(offer) ==
			    (offer != GPU_NO_IOMMU_GROUP && offer != GPU_GROUP_NOT_VIABLE));
}

static void what_is_no_gpu_is_none(void **state)
{
	static const struct sketch sketches[] = {
		{ "0000:00:01.0", 0x0604, 1, "pcieport", "bridge", 0, 0 },
		{ "0000:00:1f.3", 0x0403, 1, NULL, NULL, 0, 0 },
		{ "0000:01:00.0", 0x0b40, 1, NULL, NULL, 0, 0 },
		{ "0000:02:00.0", 0x0680, 1, NULL, NULL, 0, 0 },
	};
	struct device devices[COUNT(sketches)];
	struct device_list list;
	CLEANUP(gpu_list) struct gpu_list *gpus = build(sketches, devices, COUNT(sketches), &list);

	(void)state;
	assert_int_equal(gpus->count, 0);
	assert_null(gpu_find(gpus, "0000:01:00.0"));
}

/* Two cards with audio in one group, and a virtual function that only shares a slot number. */
static void cards_and_their_functions_are_found(void **state)
{
	static const struct sketch sketches[] = {
		{ "0000:01:00.0", 0x0300, 5, NULL, NULL, 0, 0 },
		{ "0000:01:00.1", 0x0403, 5, NULL, NULL, 0, 0 },
		{ "0000:02:00.0", 0x0300, 5, NULL, NULL, 0, 0 },
		{ "0000:02:00.1", 0x0403, 5, NULL, NULL, 0, 0 },
		{ "0000:03:00.0", 0x0302, 6, "nvidia", NULL, 0, 0 },
		{ "0000:03:00.4", 0x0302, 7, "nvidia", "vf", 0, 0 },
	};
	struct device devices[COUNT(sketches)];
	struct device_list list;
	CLEANUP(gpu_list) struct gpu_list *gpus = build(sketches, devices, COUNT(sketches), &list);
	const struct gpu *first = gpu_find(gpus, "0000:01:00.0");
	const struct gpu *second = gpu_find(gpus, "0000:02:00.0");
	const struct gpu *whole = gpu_find(gpus, "0000:03:00.0");
	const struct gpu *part = gpu_find(gpus, "0000:03:00.4");

	(void)state;
	assert_int_equal(gpus->count, 4);
	assert_ptr_equal(gpu_find(gpus, "0000:01:00.1"), first);
	assert_ptr_equal(gpu_find(gpus, "0000:02:00.1"), second);
	assert_null(gpu_find(gpus, "0000:01:00"));
	assert_int_equal(first->members[1].role, GPU_MEMBER_FUNCTION);
	assert_int_equal(first->members[2].role, GPU_MEMBER_GPU);
	assert_int_equal(first->members[3].role, GPU_MEMBER_GPU_FUNCTION);
	assert_true(gpu_same_group(first, second));
	assert_false(gpu_same_group(first, whole));
	assert_string_equal(part->device->address, "0000:03:00.4");
	assert_int_equal(whole->offer, GPU_OFFERED);
	assert_int_equal(whole->member_count, 1);
	assert_int_equal(part->offer, GPU_VIRTUAL_FUNCTION);
}

static void without_groups_nothing_is_shared(void **state)
{
	static const struct sketch sketches[] = {
		{ "0000:01:00.0", 0x0300, -1, NULL, NULL, 0, 0 },
		{ "0000:02:00.0", 0x0300, -1, NULL, NULL, 0, 0 },
	};
	struct device devices[2];
	struct device_list list;
	CLEANUP(gpu_list) struct gpu_list *gpus = build(sketches, devices, 2, &list);

	(void)state;
	assert_int_equal(gpus->gpus[0].member_count, 0);
	assert_false(gpu_same_group(&gpus->gpus[0], &gpus->gpus[1]));
}

static char *name_of_h100(struct device_names *names, const struct device *device,
			  enum device_name which)
{
	(void)names;
	(void)device;
	return mem_strdup(which == DEVICE_NAME_VENDOR ? "NVIDIA Corporation"
						      : "GH100 [H100 SXM5 80GB]");
}

static void matches_choose(void **state)
{
	struct device_names names = { .find = name_of_h100 };
	struct device device = { .vendor_id = 0x10de, .device_id = 0x2330, .names = &names };
	struct device nameless = { .vendor_id = 0x10de, .device_id = 0x2330 };
	struct gpu gpu = { .device = &device };
	struct gpu unknown = { .device = &nameless };
	static const struct {
		const char *match;
		bool valid, matches, matches_nameless;
	} cases[] = {
		{ "any", true, true, true },           { "ANY", true, true, true },
		{ "10de:2330", true, true, true },     { "10DE:2330", true, true, true },
		{ "10de:", true, true, true },         { "10de:2331", true, false, false },
		{ "1002:", true, false, false },       { "H100", true, true, false },
		{ "nvidia h100", true, true, false },  { "  h100  80gb ", true, true, false },
		{ "h100 h200", true, false, false },   { "anything", true, false, false },
		{ "", false, false, false },           { "  ", false, false, false },
		{ "10d:2330", false, false, false },   { "10de:233", false, false, false },
		{ "10de:23300", false, false, false }, { ":2330", false, false, false },
		{ "10de:2330 ", true, true, true },    { "10de:2330:1", false, false, false },
		{ "zzzz:2330", false, false, false },  { "17:00.0", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_true(gpu_match_is_valid(cases[i].match) == cases[i].valid);
		assert_true(gpu_matches(&gpu, cases[i].match) == cases[i].matches);
		assert_true(gpu_matches(&unknown, cases[i].match) == cases[i].matches_nameless);
	}
}

static void bars_are_summed(void **state)
{
	static const struct {
		const char *host, *address;
		uint64_t bytes;
	} cases[] = {
		{ "gpu8", "0000:17:00.0", (UINT64_C(128) << 30) + (48 << 20) },
		{ "gpu8", "0000:03:00.0", 0 },
		{ "workstation", "0000:08:00.0", (UINT64_C(32) << 30) + (32 << 20) },
		{ "shared-group", "0000:04:00.0", (UINT64_C(32) << 30) + (32 << 20) },
		{ "no-iommu", "0000:08:00.0", (UINT64_C(32) << 30) + (32 << 20) },
	};
	struct device huge = { .iommu_group = -1,
			       .bars = { { .size_bytes = UINT64_MAX, .is_64bit = true },
					 { 0 },
					 { .size_bytes = UINT64_MAX, .is_64bit = true } } };
	struct gpu gpu = { .device = &huge };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(root) struct root *root = hosts_open(cases[i].host);
		CLEANUP(device_list) struct device_list *devices = NULL;
		CLEANUP(gpu_list) struct gpu_list *gpus = NULL;
		struct fail fail = { 0 };

		assert_int_equal(device_list_read(root, &devices, &fail), 0);
		gpus = gpu_list_build(devices);
		assert_int_equal(gpu_bar64_bytes(gpu_find(gpus, cases[i].address)), cases[i].bytes);
	}
	assert_true(gpu_bar64_bytes(&gpu) == UINT64_MAX);
}

static void a_busy_group_is_told(void **state)
{
	CLEANUP(root) struct root *root = hosts_open("shared-group");
	CLEANUP(device_list) struct device_list *devices = NULL;
	CLEANUP(gpu_list) struct gpu_list *gpus = NULL;
	struct fail fail = { 0 };

	(void)state;
	assert_int_equal(device_list_read(root, &devices, &fail), 0);
	gpus = gpu_list_build(devices);
	assert_string_equal(
		gpu_find(gpus, "0000:02:00.0")->offer_reason,
		"its IOMMU group 2 is not viable: 0000:03:00.0 Intel Corporation 82574L "
		"Gigabit Network Connection [8086:10d3] is on driver e1000e as network "
		"interface eth1");
	assert_int_equal(gpu_find(gpus, "0000:04:00.0")->offer, GPU_OFFERED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_get_their_roles),
		cmocka_unit_test(offers_have_their_order),
		cmocka_unit_test(only_what_cannot_be_given_resists_an_address),
		cmocka_unit_test(what_is_no_gpu_is_none),
		cmocka_unit_test(cards_and_their_functions_are_found),
		cmocka_unit_test(without_groups_nothing_is_shared),
		cmocka_unit_test(matches_choose),
		cmocka_unit_test(bars_are_summed),
		cmocka_unit_test(a_busy_group_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
