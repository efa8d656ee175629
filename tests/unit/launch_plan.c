// SPDX-License-Identifier: MIT
/* Starts without effects: how far they get, and what they foresee. */
#include "vmm/launch.h"

#include <string.h>

#include "tests/unit/livehost.h"

#define UUID    "11111111-2222-3333-4444-555555555555"
#define GPU     "0000:17:00.0"
#define REGIONS "/sys/kernel/iommu_groups/20/reserved_regions"
#define RMRR    "0x00000000cd000000 0x00000000cdffffff direct\n"

#define SPEC_WITH(network) LIVEHOST_SPEC_WITH("vm", "address = " GPU, "/vm.qcow2", network)

static void a_snapshot_is_planned_on(void **state)
{
	CLEANUP(scratch) char *scratch = scratch_new();
	CLEANUP(text)
	char *path = scratch_write(scratch, "vm.ini", LIVEHOST_SPEC("vm", "vm.qcow2"));
	CLEANUP(text) char *leases = text_format("%s/leases", scratch);
	CLEANUP(root) struct root *root = hosts_open("gpu8");
	const struct launch_options options = { .uri = TESTHV,
						.root_directory = root->dir,
						.lease_directory = leases };
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(launch) struct launch *again = NULL;
	struct fail fail = { 0 };

	(void)state;
	assert_int_equal(launch_plan(&options, path, &launch, &fail), 0);
	assert_int_equal(launch->outcome, LAUNCH_PLANNED);
	assert_null(launch->hv);
	assert_string_equal(launch->libvirt_unknown, "the host was read with --root");
	assert_int_equal(launch->placement->gpu_count, 1);
	assert_int_equal(launch->placement->vcpu_count, 4);
	assert_null(launch->uuid);
	assert_non_null(strstr(launch->xml, "<hostdev"));
	assert_null(strstr(launch->xml, "<uuid>"));
	assert_int_equal(launch_plan(&options, path, &again, &fail), 0);
	assert_string_equal(launch->xml, again->xml);
	assert_int_not_equal(access(leases, F_OK), 0);
}

enum stage {
	NO_ROOT,
	NO_SPEC,
	NO_PLACEMENT
};

static void a_plan_that_fails_keeps_its_stages(void **state)
{
	static const struct {
		const char *about, *host, *spec;
		enum fail_kind kind;
		const char *word;
		enum stage stage;
	} cases[] = {
		{ "no host", NULL, "", FAIL_USAGE, "--root", NO_ROOT },
		{ "no spec", "gpu8", NULL, FAIL_SPEC, "no such file", NO_SPEC },
		{ "a wrong spec", "gpu8", "[vm]\nname = X\n", FAIL_SPEC, "name", NO_SPEC },
		{ "too many GPUs", "gpu8",
		  "[vm]\nname = vm\nvcpus = 1\nmemory = 1 GiB\n[gpu]\ncount = 9\n[disk]\nimage = a\n",
		  FAIL_HOST, NULL, NO_PLACEMENT },
		{ "no IOMMU", "no-iommu", LIVEHOST_SPEC("vm", "a"), FAIL_HOST, NULL, NO_PLACEMENT },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(scratch) char *scratch = scratch_new();
		CLEANUP(text)
		char *path = cases[i].spec == NULL
				     ? text_format("%s/missing.ini", scratch)
				     : scratch_write(scratch, "vm.ini", cases[i].spec);
		CLEANUP(root)
		struct root *root = cases[i].host == NULL ? NULL : hosts_open(cases[i].host);
		const struct launch_options options = { .root_directory = root == NULL
										  ? scratch
										  : root->dir };
		CLEANUP(launch) struct launch *launch = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", cases[i].about);
		assert_int_equal(launch_plan(&options, path, &launch, &fail), -1);
		assert_fails(&fail, cases[i].kind, cases[i].word);
		assert_non_null(launch);
		assert_int_equal(launch->root != NULL, cases[i].stage > NO_ROOT);
		assert_int_equal(launch->spec != NULL, cases[i].stage > NO_SPEC);
		assert_int_equal(launch->host != NULL, cases[i].stage > NO_SPEC);
		assert_null(launch->placement);
		assert_null(launch->xml);
	}
}

/* The live host of whoever runs the test: planned on as far as it goes. */
static void a_plan_does_without_libvirt(void **state)
{
	CLEANUP(scratch) char *scratch = scratch_new();
	CLEANUP(text)
	char *path = scratch_write(scratch, "vm.ini", LIVEHOST_SPEC("vm", "vm.qcow2"));
	const struct launch_options options = { .uri = "test:////nonexistent/node.xml",
						.lease_directory = scratch };
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	(void)launch_plan(&options, path, &launch, &fail);
	assert_int_not_equal(fail.kind, FAIL_HV);
	assert_true(text_contains(launch->libvirt_unknown, "no connection to libvirt"));
	assert_non_null(launch->usage);
}

/* What is wrong on the host while a plan is made, and what the plan says that start will say. */
struct foreseen {
	const char *about;
	bool is_anothers, no_image, no_network, is_firmwares;
	size_t count;
	enum fail_kind kinds[4];
	const char *words[4];
};

static const struct foreseen foreseen[] = {
	{ "all is well", false, false, false, false, 0, { FAIL_NONE }, { NULL } },
	{ "another's VM", true, false, false, false, 1, { FAIL_REFUSED }, { "belongs to alice" } },
	{ "no image", false, true, false, false, 1, { FAIL_SPEC }, { "no such disk image" } },
	{ "no network", false, false, true, false, 1, { FAIL_HOST }, { "nosuch" } },
	{ "the firmware's memory", false, false, false, true, 1, { FAIL_HOST }, { "RMRR" } },
	{ "all of it",
	  true,
	  true,
	  true,
	  true,
	  4,
	  { FAIL_REFUSED, FAIL_SPEC, FAIL_HOST, FAIL_HOST },
	  { "belongs to alice", "no such disk image", "nosuch", "RMRR" } },
};

static void set_host(const struct foreseen *it, struct hv *hv)
{
	free(scratch_write("", "vm.ini", it->no_network ? SPEC_WITH("nosuch") : SPEC_WITH("none")));
	scratch_fill(REGIONS, it->is_firmwares ? RMRR : "");
	(void)unlink("/vm.qcow2");
	if (!it->no_image)
		scratch_fill("/vm.qcow2", "");
	if (it->is_anothers) {
		CLEANUP(text) char *metadata = testhv_metadata(testhv_uid() + 1, "");
		CLEANUP(text) char *xml = testhv_xml("vm", UUID, metadata, "");

		testhv_define(hv, xml);
	}
}

static void a_plan_foresees_what_start_refuses(void **state)
{
	const struct launch_options options = livehost_options();

	(void)state;
	for (size_t i = 0; i < COUNT(foreseen); i++) {
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		CLEANUP(launch) struct launch *launch = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", foreseen[i].about);
		set_host(&foreseen[i], hv);
		assert_works(launch_plan(&options, "/vm.ini", &launch, &fail), &fail);
		assert_int_equal(launch->refusal_count, foreseen[i].count);
		for (size_t j = 0; j < foreseen[i].count; j++)
			assert_fails(&launch->refusals[j], foreseen[i].kinds[j],
				     foreseen[i].words[j]);
	}
	scratch_fill(REGIONS, "");
	scratch_fill("/vm.qcow2", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_is_planned_on),
		cmocka_unit_test(a_plan_that_fails_keeps_its_stages),
		cmocka_unit_test(a_plan_does_without_libvirt),
	};
	const struct CMUnitTest live[] = {
		cmocka_unit_test(a_plan_foresees_what_start_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) + LIVEHOST_RUN_TESTS(live, NULL);
}
