// SPDX-License-Identifier: MIT
/* What may be started: a file, or the name of a VM that libvirt knows. */
#include "vmm/launch.h"

#include "tests/unit/livehost.h"

#define UUID "11111111-2222-3333-4444-555555555555"

static void a_snapshot_is_never_started_on(void **state)
{
	static const char *const names[] = { "vm.ini", "missing.ini", "wrong.ini" };
	static const enum fail_kind kinds[] = { FAIL_USAGE, FAIL_SPEC, FAIL_SPEC };
	CLEANUP(scratch) char *scratch = scratch_new();
	CLEANUP(text)
	char *good = scratch_write(scratch, "vm.ini", LIVEHOST_SPEC("vm", "vm.qcow2"));
	CLEANUP(text) char *wrong = scratch_write(scratch, "wrong.ini", "[vm]\n");
	CLEANUP(root) struct root *root = hosts_open("gpu8");
	const struct launch_options options = { .uri = TESTHV,
						.root_directory = root->dir,
						.lease_directory = scratch };

	(void)state;
	for (size_t i = 0; i <= COUNT(names); i++) {
		CLEANUP(text)
		char *target = i == COUNT(names) ? mem_strdup("a-name")
						 : text_format("%s/%s", scratch, names[i]);
		CLEANUP(launch) struct launch *launch = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		assert_int_equal(launch_start(&options, target, &launch, &fail), -1);
		assert_fails(&fail, i == COUNT(names) ? FAIL_USAGE : kinds[i], NULL);
		assert_null(launch->hv);
	}
}

static void a_name_that_is_taken_is_refused(void **state)
{
	CLEANUP(scratch) char *scratch = scratch_new();
	CLEANUP(text)
	char *path = scratch_write(scratch, "vm.ini", LIVEHOST_SPEC("test", "vm.qcow2"));
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *before = testhv_everything(hv);
	CLEANUP(text) char *after = NULL;
	const struct launch_options options = { .uri = TESTHV, .lease_directory = scratch };

	(void)state;
	for (int i = 0; i < 2; i++) {
		CLEANUP(launch) struct launch *launch = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		assert_int_equal(i == 0 ? launch_plan(&options, path, &launch, &fail)
					: launch_start(&options, path, &launch, &fail),
				 -1);
		assert_fails(&fail, FAIL_SPEC, "[vm] name = test: the name is taken");
		assert_string_equal(fail.items[0].file, path);
	}
	after = testhv_everything(hv);
	assert_string_equal(before, after);
}

/* What libvirt has under the name that is started. */
struct known {
	const char *about;
	bool is_ours, is_mine, runs;
	const char *spec; /* in its metadata; NULL: none */
	bool force;
	enum fail_kind kind; /* FAIL_NONE: nothing is to be done */
	const char *word;
};

static const struct known known[] = {
	{ "runs already", true, true, true, LIVEHOST_METADATA(LIVEHOST_SPEC("vm", "a")), false,
	  FAIL_NONE, NULL },
	{ "another's, runs already", true, false, true, LIVEHOST_METADATA(LIVEHOST_SPEC("vm", "a")),
	  false, FAIL_NONE, NULL },
	{ "another's, off", true, false, false, LIVEHOST_METADATA(LIVEHOST_SPEC("vm", "a")), false,
	  FAIL_REFUSED, "gpuvm start --force vm" },
	{ "another tool's", false, true, false, NULL, true, FAIL_REFUSED, "is not gpuvm's" },
	{ "its spec is lost", true, true, false, "", false, FAIL_SPEC, "gpuvm start FILE.ini" },
	{ "another's, its spec is lost", true, false, false, "", false, FAIL_REFUSED,
	  "belongs to alice" },
	{ "another's, its spec is lost, by force", true, false, false, "", true, FAIL_SPEC,
	  "gpuvm start FILE.ini" },
	{ "its spec is wrong", true, true, false, LIVEHOST_METADATA("[vm]\nname = vm\n"), false,
	  FAIL_SPEC, "the section is missing" },
};

static void names_are_started_from_what_libvirt_knows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(known); i++) {
		CLEANUP(scratch) char *scratch = scratch_new();
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		CLEANUP(text)
		char *metadata = testhv_metadata(testhv_uid() + !known[i].is_mine,
						 known[i].spec == NULL ? "" : known[i].spec);
		CLEANUP(text)
		char *xml = testhv_xml("vm", UUID, known[i].is_ours ? metadata : "", "");
		CLEANUP(text) char *before = NULL;
		CLEANUP(text) char *after = NULL;
		const struct launch_options options = { .uri = TESTHV,
							.lease_directory = scratch,
							.force = known[i].force };
		CLEANUP(launch) struct launch *launch = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", known[i].about);
		testhv_define(hv, xml);
		if (known[i].runs)
			testhv_start(hv, UUID);
		before = testhv_everything(hv);
		assert_result(launch_start(&options, "vm", &launch, &fail), &fail, known[i].kind,
			      known[i].word);
		if (known[i].kind == FAIL_NONE)
			assert_int_equal(launch->outcome, LAUNCH_WAS_RUNNING);
		after = testhv_everything(hv);
		assert_string_equal(before, after);
	}
}

static void an_unknown_name_is_a_usage_error(void **state)
{
	CLEANUP(scratch) char *scratch = scratch_new();
	const struct launch_options options = { .uri = TESTHV, .lease_directory = scratch };
	static const struct {
		const char *name, *word;
	} cases[] = {
		{ "nosuch", "gpuvm list" },
		{ "", "gpuvm list" },
		{ ".ini", "gpuvm start ./.ini" },
		{ "file", "gpuvm start ./file" },
	};

	(void)state;
	assert_int_equal(chdir(scratch), 0);
	free(scratch_write(scratch, "file", ""));
	free(scratch_write(scratch, ".ini", ""));
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(launch) struct launch *launch = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		assert_int_equal(launch_start(&options, cases[i].name, &launch, &fail), -1);
		assert_fails(&fail, FAIL_USAGE, cases[i].word);
	}
	assert_int_equal(chdir("/"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_is_never_started_on),
		cmocka_unit_test(a_name_that_is_taken_is_refused),
		cmocka_unit_test(names_are_started_from_what_libvirt_knows),
		cmocka_unit_test(an_unknown_name_is_a_usage_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
