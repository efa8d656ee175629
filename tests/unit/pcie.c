// SPDX-License-Identifier: MIT
#include <string.h>

#include "tests/unit/hosts.h"
#include "topo/pcie.h"

struct fixture {
	struct root *root;
	struct device_list *devices;
	struct gpu_list *gpus;
	struct pcie *pcie;
};

static void fixture_cleanup(struct fixture *fixture)
{
	pcie_free(fixture->pcie);
	gpu_list_free(fixture->gpus);
	device_list_free(fixture->devices);
	root_free(fixture->root);
}

/* Takes @root. */
static struct fixture fixture_of(struct root *root)
{
	struct fixture fixture = { .root = root };
	struct fail fail = { 0 };

	assert_int_equal(device_list_read(root, &fixture.devices, &fail), 0);
	fixture.gpus = gpu_list_build(fixture.devices);
	fixture.pcie = pcie_read(root, fixture.devices, fixture.gpus);
	return fixture;
}

/* "0 root_bus pci0000:14\n1 root_port 0000:14:01.0\n" and so on, from the node named @first on. */
static char *draw(const struct pcie *pcie, const char *first, size_t count)
{
	char *text = NULL;
	size_t at = 0;

	while (at < pcie->count && !text_equal(pcie->nodes[at].name, first))
		at++;
	for (size_t i = at; i < pcie->count && i < at + count; i++)
		text_add(&text, "%zu %s %s\n", pcie->nodes[i].depth,
			 pcie_role_name(pcie->nodes[i].role), pcie->nodes[i].name);
	return text == NULL ? text_format("%s", "") : text;
}

static void pairs_stand_below_their_switch(void **state)
{
	CLEANUP(fixture) struct fixture hgx = fixture_of(hosts_open("hgx8"));
	CLEANUP(text) char *text = draw(hgx.pcie, "pci0000:14", 7);

	(void)state;
	assert_string_equal(text, "0 root_bus pci0000:14\n"
				  "1 root_port 0000:14:01.0\n"
				  "2 switch 0000:15:00.0\n"
				  "3 down_port 0000:16:00.0\n"
				  "4 gpu 0000:17:00.0\n"
				  "3 down_port 0000:16:04.0\n"
				  "4 gpu 0000:18:00.0\n");
}

static void nvswitches_are_ends(void **state)
{
	CLEANUP(fixture) struct fixture hgx = fixture_of(hosts_open("hgx8"));
	CLEANUP(text) char *text = draw(hgx.pcie, "0000:5e:08.0", 4);

	(void)state;
	assert_string_equal(text, "3 down_port 0000:5e:08.0\n"
				  "4 nvswitch 0000:61:00.0\n"
				  "3 down_port 0000:5e:0c.0\n"
				  "4 nvswitch 0000:62:00.0\n");
}

static void the_switch_of_a_gpu_is_found(void **state)
{
	CLEANUP(fixture) struct fixture hgx = fixture_of(hosts_open("hgx8"));
	const struct pcie_node *a = pcie_node(hgx.pcie, gpu_find(hgx.gpus, "0000:17:00.0"));
	const struct pcie_node *b = pcie_node(hgx.pcie, gpu_find(hgx.gpus, "0000:18:00.0"));
	const struct pcie_node *c = pcie_node(hgx.pcie, gpu_find(hgx.gpus, "0000:39:00.0"));

	(void)state;
	assert_string_equal(pcie_above(hgx.pcie, a, PCIE_SWITCH)->name, "0000:15:00.0");
	assert_ptr_equal(pcie_above(hgx.pcie, a, PCIE_SWITCH),
			 pcie_above(hgx.pcie, b, PCIE_SWITCH));
	assert_ptr_not_equal(pcie_above(hgx.pcie, a, PCIE_SWITCH),
			     pcie_above(hgx.pcie, c, PCIE_SWITCH));
	assert_string_equal(pcie_above(hgx.pcie, c, PCIE_ROOT_BUS)->name, "pci0000:36");
	assert_null(pcie_above(hgx.pcie, c, PCIE_BRIDGE));
}

static void a_link_has_a_speed_and_a_width(void **state)
{
	CLEANUP(fixture) struct fixture desk = fixture_of(hosts_open("workstation"));
	const struct pcie_node *rtx = pcie_node(desk.pcie, gpu_find(desk.gpus, "0000:08:00.0"));
	const struct pcie_node *inside = pcie_node(desk.pcie, gpu_find(desk.gpus, "0000:00:02.0"));

	(void)state;
	assert_int_equal(rtx->link.speed_mts, 2500);
	assert_int_equal(rtx->link.max_speed_mts, 16000);
	assert_int_equal(rtx->link.width, 16);
	assert_int_equal(rtx->link.max_width, 16);
	assert_int_equal(inside->link.max_width, 0);
	assert_int_equal(inside->depth, 1);
}

#define GPU "sys/devices/pci0000:20/0000:20:01.0/"
#define IDS(place, class)                                                                          \
	place "vendor\t0x10de\n" place "device\t0x2330\n" place                                    \
	      "class\t" class "\n" place "resource\t0x0 0x0 0x0\n"
#define LINK(address, place) "sys/bus/pci/devices/" address " -> ../../../devices/" place "\n"

/* What sysfs says of a port without a card, of a link whose partner is gone, and before Linux 5.8. */
static void odd_links_are_unknown(void **state)
{
	CLEANUP(fixture)
	struct fixture odd = fixture_of(hosts_write(
		"odd-links", LINK("0000:20:01.0", "pci0000:20/0000:20:01.0") IDS(GPU, "0x060400")
				     LINK("0000:21:00.0", "pci0000:20/0000:20:01.0/0000:21:00.0")
					     IDS(GPU "0000:21:00.0/", "0x030200") GPU
		"max_link_speed\t8 GT/s\n" GPU "max_link_width\t16\n" GPU
		"current_link_speed\t2.5 GT/s\n" GPU "current_link_width\t0\n" GPU
		"0000:21:00.0/max_link_speed\tUnknown\n" GPU "0000:21:00.0/max_link_width\t255\n"));

	(void)state;
	assert_int_equal(odd.pcie->count, 3);
	assert_int_equal(odd.pcie->nodes[1].link.max_speed_mts, 8000);
	assert_int_equal(odd.pcie->nodes[1].link.max_width, 16);
	assert_int_equal(odd.pcie->nodes[1].link.speed_mts, 0);
	assert_int_equal(odd.pcie->nodes[2].link.max_speed_mts, 0);
	assert_int_equal(odd.pcie->nodes[2].link.max_width, 0);
}

/* A bridge to conventional PCI stands where a switch could. */
static void a_bridge_is_no_switch(void **state)
{
	CLEANUP(fixture)
	struct fixture old = fixture_of(hosts_write(
		"old-card", LINK("0000:20:01.0", "pci0000:20/0000:20:01.0") IDS(GPU, "0x060400") GPU
		"max_link_speed\t8.0 GT/s PCIe\n" LINK("0000:21:00.0",
						       "pci0000:20/0000:20:01.0/0000:21:00.0")
			IDS(GPU "0000:21:00.0/", "0x060400") GPU
		"0000:21:00.0/max_link_speed\t8.0 GT/s PCIe\n" LINK(
			"0000:22:00.0", "pci0000:20/0000:20:01.0/0000:21:00.0/0000:22:00.0")
			IDS(GPU "0000:21:00.0/0000:22:00.0/", "0x030000")));
	CLEANUP(text) char *text = draw(old.pcie, "pci0000:20", 9);

	(void)state;
	assert_string_equal(text, "0 root_bus pci0000:20\n1 root_port 0000:20:01.0\n"
				  "2 bridge 0000:21:00.0\n3 gpu 0000:22:00.0\n");
}

/* A GPU's 256 virtual functions would hide the machine. */
static void virtual_functions_are_counted(void **state)
{
	CLEANUP(fixture)
	struct fixture card = fixture_of(hosts_write(
		"virtual",
		LINK("0000:20:01.0", "pci0000:20/0000:20:01.0") IDS(GPU, "0x060400")
			LINK("0000:21:00.0", "pci0000:20/0000:20:01.0/0000:21:00.0")
				IDS(GPU "0000:21:00.0/", "0x030200")
					LINK("0000:21:00.4", "pci0000:20/0000:20:01.0/0000:21:00.4")
						IDS(GPU "0000:21:00.4/", "0x030200") GPU
		"0000:21:00.4/physfn -> ../0000:21:00.0\n"));
	const struct pcie_node *node = pcie_node(card.pcie, gpu_find(card.gpus, "0000:21:00.0"));

	(void)state;
	assert_int_equal(card.gpus->count, 2);
	assert_int_equal(card.pcie->count, 3);
	assert_int_equal(node->virtual_function_count, 1);
	assert_null(pcie_node(card.pcie, gpu_find(card.gpus, "0000:21:00.4")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_stand_below_their_switch),
		cmocka_unit_test(nvswitches_are_ends),
		cmocka_unit_test(the_switch_of_a_gpu_is_found),
		cmocka_unit_test(a_link_has_a_speed_and_a_width),
		cmocka_unit_test(odd_links_are_unknown),
		cmocka_unit_test(a_bridge_is_no_switch),
		cmocka_unit_test(virtual_functions_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
