// SPDX-License-Identifier: MIT
#include "vmm/preflight.h"

#include "tests/unit/hosts.h"
#include "tests/unit/testhv.h"

#define FILE_SPEC "configs/vm.ini"

static void the_host_must_have_kvm_and_vfio(void **state)
{
	static const struct {
		bool live, has_kvm, has_vfio_pci;
		const char *word; /* NULL: it has all */
	} cases[] = {
		{ true, true, true, NULL },
		{ false, true, true, NULL },
		{ true, false, true, "/dev/kvm does not exist" },
		{ false, false, true, "neither kvm_intel nor kvm_amd is loaded" },
		{ true, false, false, "sudo modprobe kvm_intel" },
		{ true, true, false, "no vfio-pci driver" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct host host = { .live = cases[i].live,
					   .has_kvm = cases[i].has_kvm,
					   .has_vfio_pci = cases[i].has_vfio_pci };
		CLEANUP(fail) struct fail fail = { 0 };

		assert_result(preflight_host(&host, &fail), &fail,
			      cases[i].word == NULL ? FAIL_NONE : FAIL_HOST, cases[i].word);
	}
}

static void stop_network(const char *name)
{
	virConnectPtr connection = virConnectOpen(TESTHV);
	virNetworkPtr network = virNetworkLookupByName(connection, name);

	assert_int_equal(virNetworkDestroy(network), 0);
	virNetworkFree(network);
	virConnectClose(connection);
}

static void the_network_must_be_there(void **state)
{
	static const struct {
		const char *about;
		enum spec_network network;
		const char *source;
		bool stopped;
		const char *word; /* NULL: it is there */
	} cases[] = {
		{ "none", SPEC_NETWORK_NONE, NULL, false, NULL },
		{ "libvirt's", SPEC_NETWORK_LIBVIRT, "default", false, NULL },
		{ "stopped", SPEC_NETWORK_LIBVIRT, "default", true,
		  "virsh -c " TESTHV " net-start default && virsh -c " TESTHV
		  " net-autostart default" },
		{ "stopped", SPEC_NETWORK_LIBVIRT, "default", true, "is not active" },
		{ "unknown", SPEC_NETWORK_LIBVIRT, "nosuch", false, "is not defined" },
		{ "unknown", SPEC_NETWORK_LIBVIRT, "nosuch", false, "source = none" },
		{ "a bridge", SPEC_NETWORK_BRIDGE, "br0", false, NULL },
		{ "no bridge", SPEC_NETWORK_BRIDGE, "br1", false, "there is no such bridge" },
		{ "a card, no bridge", SPEC_NETWORK_BRIDGE, "eth0", false,
		  "/sys/class/net/eth0/bridge does not exist" },
		{ "libvirt's name of a bridge", SPEC_NETWORK_LIBVIRT, "br0", false,
		  "is not defined" },
	};
	CLEANUP(root)
	struct root *root = hosts_write("net",
					"sys/class/net/br0/bridge/\nsys/class/net/eth0/device/\n");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		const struct spec spec = { .file = (char *)FILE_SPEC,
					   .network = cases[i].network,
					   .network_source = (char *)cases[i].source,
					   .network_line = 12 };
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", cases[i].about);
		if (cases[i].stopped)
			stop_network(cases[i].source);
		assert_result(preflight_network(&spec, root, hv, &fail), &fail,
			      cases[i].word == NULL ? FAIL_NONE : FAIL_HOST, cases[i].word);
		if (cases[i].word == NULL)
			continue;
		assert_string_equal(fail.items[0].file, FILE_SPEC);
		assert_int_equal(fail.items[0].line, 12);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_host_must_have_kvm_and_vfio),
		cmocka_unit_test(the_network_must_be_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
