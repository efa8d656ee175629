// SPDX-License-Identifier: MIT
#include "topo/safety.h"

#include "tests/unit/hosts.h"
#include "tests/unit/scratch.h"

#define GPU "0000:17:00.0"

#define REMAPPED "proc/interrupts\t  24:  0  0  IR-PCI-MSI 65536-edge nvidia\n"
#define ALLOWED  "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts\t"
#define ECAP     "sys/class/iommu/dmar0/intel-iommu/ecap\t"

static void interrupts_are_judged_by_what_can_be_read(void **state)
{
	static const struct {
		const char *lines;
		enum safety_interrupts interrupts;
	} cases[] = {
		{ "sys/\n", SAFETY_NOT_KNOWN },
		{ "proc/interrupts\t  CPU0\n", SAFETY_NOT_KNOWN },
		{ REMAPPED, SAFETY_REMAPPED },
		{ REMAPPED ECAP "f020de\n", SAFETY_REMAPPED },
		{ "proc/interrupts\t 2: 0 IR-IO-APIC 2-edge timer\\n 3: 0 PCI-MSI 1-edge x\n",
		  SAFETY_REMAPPED },
		{ "proc/interrupts\t  24:  0  IR-PCI-MSI-0000:17:00.0    0-edge      nvidia\n",
		  SAFETY_REMAPPED },
		{ "proc/interrupts\t  24:  0  PCI-MSI 65536-edge nvidia\n", SAFETY_NOT_REMAPPED },
		{ "proc/interrupts\t  24:  0  PCI-MSI 65536-edge AIR-PCI-MSI, IR-receiver\n",
		  SAFETY_NOT_REMAPPED },
		{ "proc/interrupts\t   2:  0  IO-APIC 2-edge timer\n" ECAP "f020de\n",
		  SAFETY_NOT_REMAPPED },
		{ "proc/interrupts\t   2:  0  IO-APIC 2-edge timer\n" ECAP "f020d6\n",
		  SAFETY_NO_REMAPPING },
		{ "sys/\n" ECAP "f020d6\n", SAFETY_NO_REMAPPING },
		{ "sys/\n" ECAP "f020de\n", SAFETY_NOT_KNOWN },
		{ "proc/interrupts\t 24: 0 PCI-MSI 1-edge nvidia\n" ALLOWED "Y\n",
		  SAFETY_UNSAFE_ALLOWED },
		{ "proc/interrupts\t 24: 0 PCI-MSI 1-edge nvidia\n" ALLOWED "N\n",
		  SAFETY_NOT_REMAPPED },
		{ REMAPPED ALLOWED "Y\n", SAFETY_REMAPPED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *lines = text_format("sys/bus/\n%s", cases[i].lines);
		CLEANUP(root) struct root *root = hosts_write("interrupts", lines);

		print_message("  %zu\n", i);
		assert_int_equal(safety_interrupts(root), cases[i].interrupts);
	}
}

#define REGIONS "sys/kernel/iommu_groups/177/reserved_regions\t"
#define RESET   "sys/bus/pci/devices/" GPU "/reset\t\n"

struct shape {
	const char *about, *lines;
	const char *reset_methods; /* of the GPU */
	bool on_root_bus;
	enum gpu_member_role neighbour; /* its own function 1 is FUNCTION */
	uint8_t neighbour_bus;
	const char *words[2]; /* of the refusal; NULL: it is safe */
};

static const struct shape shapes[] = {
	{ "sound", REMAPPED, "flr bus", false, GPU_MEMBER_FUNCTION, 0x17, { NULL } },
	{ "interrupts that are not remapped",
	  "proc/interrupts\t 24: 0 PCI-MSI 1-edge nvidia\n",
	  "flr",
	  false,
	  GPU_MEMBER_FUNCTION,
	  0x17,
	  { GPU " cannot be given away safely: this host does not remap", "intremap=off" } },
	{ "an IOMMU that cannot",
	  ECAP "f020d6\n",
	  "flr",
	  false,
	  GPU_MEMBER_FUNCTION,
	  0x17,
	  { "does not remap interrupts", "ecap bit 3" } },
	{ "a region that the firmware insists on",
	  REGIONS "0x0000000000000000 0x0000000000ffffff direct-relaxable\\n"
		  "0x00000000df000000 0x00000000df0fffff direct\\n0x00 0x01 msi\n",
	  "flr",
	  false,
	  GPU_MEMBER_FUNCTION,
	  0x17,
	  { "(RMRR)", "0x00000000df000000 0x00000000df0fffff direct" } },
	{ "regions that do not matter",
	  REGIONS "0x0000000000000000 0x0000000000ffffff direct-relaxable\\n"
		  "0x00000000fee00000 0x00000000feefffff msi\\n0x1 0x2 reserved\n",
	  "flr",
	  false,
	  GPU_MEMBER_FUNCTION,
	  0x17,
	  { NULL } },
	{ "a bus that goes whole", "sys/\n", NULL, false, GPU_MEMBER_FUNCTION, 0x17, { NULL } },
	{ "a bus that goes whole, the card's own methods off",
	  "sys/\n",
	  "",
	  false,
	  GPU_MEMBER_HELD,
	  0x17,
	  { NULL } },
	{ "the root bus, no reset",
	  "sys/\n",
	  NULL,
	  true,
	  GPU_MEMBER_FUNCTION,
	  0x17,
	  { "nothing can reset it", "is on the root bus" } },
	{ "the root bus, resets off",
	  "sys/\n" RESET,
	  "",
	  true,
	  GPU_MEMBER_FUNCTION,
	  0x17,
	  { "nothing can reset it", "echo default | sudo tee" } },
	{ "the root bus, a kernel that has only reset",
	  "sys/\n" RESET,
	  NULL,
	  true,
	  GPU_MEMBER_FUNCTION,
	  0x17,
	  { NULL } },
	{ "a bus shared with the host",
	  "sys/\n",
	  NULL,
	  false,
	  GPU_MEMBER_IN_USE,
	  0x17,
	  { "nothing can reset it", "0000:17:01.0 on its bus stays with the host" } },
	{ "another bus of its group", "sys/\n", NULL, false, GPU_MEMBER_IN_USE, 0x18, { NULL } },
};

static void unsafe_shapes_are_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++) {
		const struct shape *shape = &shapes[i];
		CLEANUP(text) char *lines = text_format("sys/bus/\n%s", shape->lines);
		CLEANUP(root) struct root *root = hosts_write("shape", lines);
		struct device devices[2] = {
			{ .address = GPU,
			  .bus = 0x17,
			  .iommu_group = 177,
			  .reset_methods = (char *)shape->reset_methods,
			  .on_root_bus = shape->on_root_bus },
			{ .address = "0000:17:01.0",
			  .bus = shape->neighbour_bus,
			  .slot = 1,
			  .iommu_group = 177 },
		};
		struct gpu_member members[2] = { { &devices[0], GPU_MEMBER_FUNCTION },
						 { &devices[1], shape->neighbour } };
		const struct device_list list = { .devices = devices, .count = 2 };
		const struct gpu gpu = { .device = devices, .members = members, .member_count = 2 };
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", shape->about);
		assert_int_equal(safety_check(root, &list, &gpu, &fail),
				 shape->words[0] == NULL ? 0 : -1);
		for (size_t j = 0; shape->words[0] != NULL && j < COUNT(shape->words); j++)
			assert_fails(&fail, FAIL_HOST, shape->words[j]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupts_are_judged_by_what_can_be_read),
		cmocka_unit_test(unsafe_shapes_are_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
