// SPDX-License-Identifier: MIT
#include "vmm/taker.h"

#include "tests/unit/leases.h"
#include "tests/unit/processes.h"
#include "tests/unit/testhv.h"

#define GPU   "0000:17:00.0"
#define SOUND "0000:17:00.1"
#define UUID  "11111111-2222-3333-4444-555555555555"
#define OTHER "11111111-2222-3333-4444-666666666666"

#define HOSTDEV TESTHV_HOSTDEV("0x17", "0", "0")

static void an_active_domain_has_what_it_names(void **state)
{
	static const struct {
		const char *about, *xml, *except;
		bool is_active, has, is_complete;
	} cases[] = {
		{ "active", HOSTDEV, NULL, true, true, true },
		{ "another is excepted", HOSTDEV, OTHER, true, true, true },
		{ "off", HOSTDEV, NULL, false, false, true },
		{ "the excepted one", HOSTDEV, UUID, true, false, true },
		{ "nothing", "", NULL, true, false, true },
		{ "unreadable", "<hostdev", NULL, true, false, false },
		{ "unreadable, but off", "<hostdev", NULL, false, false, true },
	};
	CLEANUP(root) struct root *root = hosts_write("nothing", "sys/\n");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *xml = testhv_xml("vm", UUID, "", cases[i].xml);
		struct hv_domain domain = { .name = (char *)"vm",
					    .uuid = (char *)UUID,
					    .is_active = cases[i].is_active,
					    .xml = xml };
		const struct hv_domains domains = { &domain, 1 };
		CLEANUP(taker_list)
		struct taker_list *list = taker_list_read(root, NULL, &domains, "/nonexistent",
							  cases[i].except);

		print_message("  %s\n", cases[i].about);
		assert_int_equal(taker_has(list, GPU), cases[i].has);
		assert_false(taker_has(list, SOUND));
		assert_int_equal(list->is_complete, cases[i].is_complete);
	}
}

static void libvirt_is_asked_anew(void **state)
{
	CLEANUP(root) struct root *root = hosts_write("nothing", "sys/\n");
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *xml = testhv_xml("vm", UUID, "", HOSTDEV);
	const struct hv_domains before = { NULL, 0 };
	CLEANUP(taker_list) struct taker_list *without = NULL;
	CLEANUP(taker_list) struct taker_list *with = NULL;

	(void)state;
	testhv_define(hv, xml);
	testhv_start(hv, UUID);
	without = taker_list_read(root, NULL, &before, "/nonexistent", NULL);
	with = taker_list_read(root, hv, &before, "/nonexistent", NULL);
	assert_false(taker_has(without, GPU));
	assert_true(taker_has(with, GPU));
}

static void a_claim_is_for_the_slot(void **state)
{
	CLEANUP(root) struct root *root = hosts_write("nothing", "sys/\n");
	CLEANUP(scratch) char *leases = scratch_new();
	const struct leases_claimer start = { leases, "vm", NULL, { GPU } };
	struct fail fail = { 0 };
	CLEANUP(lease_claim) struct lease_claim *claim = leases_claim(&start, &fail);
	CLEANUP(taker_list) struct taker_list *list = NULL;

	(void)state;
	assert_non_null(claim);
	list = taker_list_read(root, NULL, NULL, leases, NULL);
	assert_true(taker_has(list, GPU));
	assert_true(taker_has(list, SOUND));
	assert_false(taker_has(list, "0000:17:01.0"));
	assert_false(taker_has(list, "0000:65:00.0"));
}

/* A start that undoes itself still has its claim; another start of the same VM may have one too. */
static void ones_own_claim_takes_nothing(void **state)
{
	CLEANUP(root) struct root *root = hosts_write("nothing", "sys/\n");

	(void)state;
	for (int is_own = 0; is_own <= 1; is_own++) {
		CLEANUP(scratch) char *leases = scratch_new();
		CLEANUP(lease_gate) struct lease_gate *gate = NULL;
		CLEANUP(lease_claim) struct lease_claim *claim = NULL;
		CLEANUP(taker_list) struct taker_list *list = NULL;
		char gpus[1][DEVICE_ADDRESS_BYTES] = { GPU };
		struct lease_record record = { .name = (char *)"vm",
					       .uuid = (char *)UUID,
					       .pid = is_own ? getpid() : getppid(),
					       .gpus = gpus,
					       .gpu_count = 1,
					       .cpus = hwloc_bitmap_alloc() };
		struct fail fail = { 0 };

		assert_int_equal(lease_open(leases, 0, &gate, &fail), 0);
		assert_int_equal(lease_take(gate, &record, &claim, &fail), 0);
		hwloc_bitmap_free(record.cpus);
		list = taker_list_read(root, NULL, NULL, leases, UUID);
		assert_int_equal(taker_has(list, GPU), !is_own);
	}
}

static void a_process_with_vfio_open_has_it(void **state)
{
	CLEANUP(root) struct root *root = hosts_open("gpu8");
	CLEANUP(text)
	char *group = root_link_name(root, "/sys/bus/pci/devices/" GPU "/iommu_group");
	CLEANUP(text) char *device = text_format("/dev/vfio/%s", group);
	CLEANUP(taker_list) struct taker_list *before = NULL;
	CLEANUP(taker_list) struct taker_list *after = NULL;

	(void)state;
	before = taker_list_read(root, NULL, NULL, "/nonexistent", NULL);
	assert_false(taker_has(before, GPU));
	processes_add_sleep(root->dir);
	processes_open(root->dir, "812", "7", device);
	after = taker_list_read(root, NULL, NULL, "/nonexistent", NULL);
	assert_true(taker_has(after, GPU));
	assert_true(after->is_complete);
	assert_false(taker_has(after, "0000:65:00.0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_active_domain_has_what_it_names),
		cmocka_unit_test(libvirt_is_asked_anew),
		cmocka_unit_test(a_claim_is_for_the_slot),
		cmocka_unit_test(ones_own_claim_takes_nothing),
		cmocka_unit_test(a_process_with_vfio_open_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
