// SPDX-License-Identifier: MIT
#include <string.h>

#include "tests/unit/hosts.h"
#include "topo/device.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define PCI          "sys/bus/pci/devices/"
#define NO_BARS      "0x0 0x0 0x0"

/* A function with just the files that make it one. */
#define FUNCTION(address, class)                                                                   \
	PCI address "/vendor\t0x8086\n" PCI address "/device\t0x0001\n" PCI address                \
		    "/class\t" class "\n" PCI address "/resource\t" NO_BARS "\n"

static struct device_list *read_all(const struct root *root)
{
	struct device_list *list = NULL;
	struct fail fail = { 0 };

	assert_int_equal(device_list_read(root, &list, &fail), 0);
	assert_int_equal(fail.kind, FAIL_NONE);
	return list;
}

static void addresses_are_made_canonical(void **state)
{
	static const struct {
		const char *text, *canonical; /* NULL: not an address */
	} cases[] = {
		{ "17:00.0", "0000:17:00.0" },
		{ "0000:17:00.0", "0000:17:00.0" },
		{ "0001:AF:1f.7", "0001:af:1f.7" },
		{ "10000:E0:01.0", "10000:e0:01.0" },
		{ "", NULL },
		{ "17:00", NULL },
		{ "17:20.0", NULL },
		{ "17:00.8", NULL },
		{ "7:00.0", NULL },
		{ "17:0.0", NULL },
		{ "17:00.0 ", NULL },
		{ " 17:00.0", NULL },
		{ "000:17:00.0", NULL },
		{ "123456:17:00.0", NULL },
		{ "0000:17:00.00", NULL },
		{ "00g0:17:00.0", NULL },
		{ "pci_0000_17_00_0", NULL },
		{ "0000:17:00.0:", NULL },
		{ "-1:17:00.0", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char address[DEVICE_ADDRESS_BYTES] = "untouched";

		assert_true(device_parse_address(cases[i].text, address) ==
			    (cases[i].canonical != NULL));
		assert_string_equal(address,
				    cases[i].canonical == NULL ? "untouched" : cases[i].canonical);
	}
}

static void a_server_is_read(void **state)
{
	CLEANUP(root) struct root *root = hosts_open("gpu8");
	CLEANUP(device_list) struct device_list *list = read_all(root);
	const struct device *gpu = device_find(list, "0000:97:00.0");
	const struct device *port = device_find(list, "0000:96:01.0");
	CLEANUP(text) char *title = device_title(gpu);

	(void)state;
	assert_int_equal(list->count, 20);
	for (size_t i = 1; i < list->count; i++)
		assert_true(strcmp(list->devices[i - 1].address, list->devices[i].address) < 0);
	assert_int_equal(gpu->bus, 0x97);
	assert_int_equal(gpu->vendor_id, 0x10de);
	assert_int_equal(gpu->device_id, 0x2330);
	assert_int_equal(gpu->class_id, 0x0302);
	assert_string_equal(title, "NVIDIA Corporation GH100 [H100 SXM5 80GB]");
	assert_string_equal(gpu->driver, "nvidia");
	assert_null(gpu->driver_override);
	assert_string_equal(gpu->reset_methods, "flr bus");
	assert_int_equal(gpu->iommu_group, 28);
	assert_int_equal(gpu->numa_node, 1);
	assert_string_equal(gpu->parent, "0000:96:01.0");
	assert_string_equal(gpu->path, "96:01.0/97:00.0");
	assert_true(gpu->is_pcie && !gpu->is_bridge && !gpu->on_root_bus && !gpu->is_boot_vga);
	assert_true(port->is_bridge && port->on_root_bus);
	assert_string_equal(port->parent, "");
	assert_true(device_find(list, "0000:03:00.0")->is_boot_vga);
	assert_null(device_find(list, "0000:97:00.1"));
}

static void bars_are_read(void **state)
{
	CLEANUP(root) struct root *root = hosts_open("workstation");
	CLEANUP(device_list) struct device_list *list = read_all(root);
	const struct device_bar *bars = device_find(list, "0000:08:00.0")->bars;

	(void)state;
	assert_true(bars[0].is_memory && !bars[0].is_64bit && !bars[0].is_prefetchable);
	assert_int_equal(bars[0].size_bytes, 16 << 20);
	assert_true(bars[1].is_memory && bars[1].is_64bit && bars[1].is_prefetchable);
	assert_int_equal(bars[1].size_bytes, UINT64_C(32) << 30);
	assert_int_equal(bars[1].address, UINT64_C(0x2800000000));
	assert_int_equal(bars[2].size_bytes, 0);
	assert_true(!bars[5].is_memory && !bars[5].is_64bit);
	assert_int_equal(bars[5].size_bytes, 128 << 10);
}

static void broken_functions_are_left_out(void **state)
{
	static const char *const broken[] = {
		PCI "0000:00:01.0/\n",
		PCI "0000:00:01.0 -> ../../../devices/gone\n",
		PCI "0000:00:01.0/vendor\t\n",
		FUNCTION("banana", "0x030000"),
		FUNCTION("0000:00:20.0", "0x030000"),
		FUNCTION("0000:00:1.0", "0x030000"),
		FUNCTION("0000:00:01.8", "0x030000"),
		FUNCTION("0000:AB:00.0", "0x030000"),
		FUNCTION("00:02.0", "0x030000"),
		FUNCTION("10000:00:01.0", "0x030000"),
		FUNCTION("0000:00:01.0", "colour"),
		PCI "0000:00:01.0/vendor\t0x1\n" PCI "0000:00:01.0/device\t0x1\n" PCI
		    "0000:00:01.0/class\t0x030000\n",
		PCI "0000:00:01.0/vendor\t0x1\n" PCI "0000:00:01.0/device\t0x1\n" PCI
		    "0000:00:01.0/class\t0x030000\n" PCI "0000:00:01.0/resource\tnone of these\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(broken); i++) {
		CLEANUP(text)
		char *lines = text_format("%s%s", broken[i], FUNCTION("0000:00:02.0", "0x020000"));
		CLEANUP(root) struct root *root = hosts_write("broken", lines);
		CLEANUP(device_list) struct device_list *list = read_all(root);

		assert_int_equal(list->count, 1);
		assert_string_equal(list->devices[0].address, "0000:00:02.0");
	}
}

static void odd_values_are_tamed(void **state)
{
	CLEANUP(root)
	struct root *root = hosts_write(
		"odd", FUNCTION("0000:00:02.0", "0x060400") PCI
		"0000:00:02.0/numa_node\t\n" PCI
		"0000:00:02.0/iommu_group -> ../../../kernel/iommu_groups/-3\n" PCI
		"0000:00:02.0/driver -> ../../drivers/\x1b[2Jclear\n" PCI
		"0000:00:02.0/driver_override\tvfio-pci\n" PCI "0000:00:02.0/reset_method\t\n" PCI
		"0000:00:02.0/physfn/\n" FUNCTION("0000:00:03.0", "0x068000") PCI
		"0000:00:03.0/iommu_group -> ../../../kernel/iommu_groups/4294967299\n" PCI
		"0000:00:03.0/numa_node\t99999999999\n" PCI
		"0000:00:03.0/config := 86800100000000000000800600000000\n" FUNCTION("0000:00:04.0",
										     "0x060400") PCI
		"0000:00:04.0/config := 86800100000000000000040600008000\n");
	CLEANUP(device_list) struct device_list *list = read_all(root);
	const struct device *device = device_find(list, "0000:00:02.0");
	CLEANUP(text) char *title = device_title(device);

	(void)state;
	assert_int_equal(device->numa_node, -1);
	assert_int_equal(device->iommu_group, -1);
	assert_string_equal(device->driver, "\\x1b[2Jclear");
	assert_string_equal(device->driver_override, "vfio-pci");
	assert_string_equal(device->reset_methods, "");
	assert_true(device->is_virtual_function);
	assert_false(device->on_root_bus);
	assert_true(device->is_bridge);
	assert_string_equal(title, "PCI device 8086:0001");
	device = device_find(list, "0000:00:03.0");
	assert_int_equal(device->numa_node, -1);
	assert_int_equal(device->iommu_group, -1);
	assert_null(device->reset_methods);
	assert_false(device->is_bridge);
	/* By its class alone: its configuration space is not asked. */
	assert_true(device_find(list, "0000:00:04.0")->is_bridge);
}

static void a_host_without_pci_is_empty(void **state)
{
	CLEANUP(root) struct root *root = hosts_write("none", "sys/\n");
	CLEANUP(device_list) struct device_list *list = read_all(root);

	(void)state;
	assert_int_equal(list->count, 0);
	assert_null(device_find(list, "0000:00:00.0"));
}

static void this_machine_is_read(void **state)
{
	struct fail fail = { 0 };
	CLEANUP(root) struct root *root = NULL;

	(void)state;
	assert_int_equal(root_open(NULL, &root, &fail), 0);
	device_list_free(read_all(root));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_made_canonical),
		cmocka_unit_test(a_server_is_read),
		cmocka_unit_test(bars_are_read),
		cmocka_unit_test(broken_functions_are_left_out),
		cmocka_unit_test(odd_values_are_tamed),
		cmocka_unit_test(a_host_without_pci_is_empty),
		cmocka_unit_test(this_machine_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
