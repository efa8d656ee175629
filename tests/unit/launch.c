// SPDX-License-Identifier: MIT
#include "vmm/launch.h"

#include <fcntl.h>
#include <string.h>

#include "tests/unit/leases.h"
#include "tests/unit/livehost.h"
#include "tests/unit/nodedev.h"

#define UUID "11111111-2222-3333-4444-555555555555"

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

#define IN_METADATA(text) "<g:spec file='vm.ini' directory='/'>" text "</g:spec>"

static const struct known known[] = {
	{ "runs already", true, true, true, IN_METADATA(LIVEHOST_SPEC("vm", "a")), false, FAIL_NONE,
	  NULL },
	{ "another's, runs already", true, false, true, IN_METADATA(LIVEHOST_SPEC("vm", "a")),
	  false, FAIL_NONE, NULL },
	{ "another's, off", true, false, false, IN_METADATA(LIVEHOST_SPEC("vm", "a")), false,
	  FAIL_REFUSED, "gpuvm start --force vm" },
	{ "another tool's", false, true, false, NULL, true, FAIL_REFUSED, "is not gpuvm's" },
	{ "its spec is lost", true, true, false, "", false, FAIL_SPEC, "gpuvm start FILE.ini" },
	{ "another's, its spec is lost", true, false, false, "", false, FAIL_REFUSED,
	  "belongs to alice" },
	{ "another's, its spec is lost, by force", true, false, false, "", true, FAIL_SPEC,
	  "gpuvm start FILE.ini" },
	{ "its spec is wrong", true, true, false, IN_METADATA("[vm]\nname = vm\n"), false,
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
		assert_int_equal(launch_start(&options, "vm", &launch, &fail),
				 known[i].kind == FAIL_NONE ? 0 : -1);
		if (known[i].kind == FAIL_NONE)
			assert_int_equal(launch->outcome, LAUNCH_WAS_RUNNING);
		else
			assert_fails(&fail, known[i].kind, known[i].word);
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

/* Below: whole starts. */
static const struct launch_options live = { .uri = TESTHV, .lease_directory = LIVEHOST_LEASES };

static void count_stage(void *data, const char *step, const char *says)
{
	assert_true(*step != '\0');
	if (says != NULL)
		(*(unsigned *)data)++;
}

static void a_vm_is_started_and_started_again(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *spec = livehost_spec("vm");
	CLEANUP(text) char *uuid = NULL;
	const char *const targets[] = { spec, spec, "vm", "vm" };
	const enum launch_outcome outcomes[] = { LAUNCH_STARTED, LAUNCH_WAS_RUNNING,
						 LAUNCH_WAS_RUNNING, LAUNCH_STARTED };
	unsigned stages = 0;
	struct launch_options options = live;

	(void)state;
	options.progress = count_stage;
	options.progress_data = &stages;
	for (size_t i = 0; i < COUNT(targets); i++) {
		CLEANUP(launch) struct launch *launch = NULL;
		struct fail fail = { 0 };

		if (i == 3)
			assert_int_equal(hv_destroy(hv, uuid, &fail), 0);
		assert_works(launch_start(&options, targets[i], &launch, &fail), &fail);
		assert_int_equal(launch->outcome, outcomes[i]);
		if (uuid == NULL)
			uuid = mem_strdup(launch->uuid);
		assert_string_equal(launch->uuid, uuid);
		assert_true(testhv_is_active(hv, uuid));
		assert_int_equal(livehost_claims(), 0);
	}
	assert_int_equal(stages, 3 + 1 + 1 + 3);
}

static void assert_nothing_happened(const char *target, enum fail_kind kind, const char *word)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *before = testhv_everything(hv);
	CLEANUP(text) char *after = NULL;
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	assert_int_equal(launch_start(&live, target, &launch, &fail), -1);
	assert_fails(&fail, kind, word);
	after = testhv_everything(hv);
	assert_string_equal(before, after);
	assert_int_equal(livehost_claims(), 0);
}

static void a_new_vm_that_fails_leaves_nothing(void **state)
{
	static const struct {
		const char *about, *name;
		enum fail_kind kind;
		const char *word;
	} cases[] = {
		{ "libvirt refuses the definition", "unwanted", FAIL_HV, "does not accept" },
		{ "libvirt refuses the start", "broken", FAIL_HV, "could not start" },
		{ "QEMU's own words", "broken", FAIL_HV, "/var/log/libvirt/qemu/broken.log" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *spec = livehost_spec(cases[i].name);

		print_message("  %s\n", cases[i].about);
		assert_nothing_happened(spec, cases[i].kind, cases[i].word);
	}
}

static void a_known_vm_that_fails_is_as_before(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *spec = livehost_spec("broken");
	CLEANUP(text) char *metadata = testhv_metadata(testhv_uid(), IN_METADATA("old"));
	CLEANUP(text) char *xml = testhv_xml("broken", UUID, metadata, "");

	(void)state;
	testhv_define(hv, xml);
	assert_nothing_happened(spec, FAIL_HV, "could not start");
}

static void checks_come_before_changes(void **state)
{
	static const struct {
		const char *about, *move; /* out of the way while the case lasts */
		enum fail_kind kind;
		const char *word;
	} cases[] = {
		{ "no image", "/vm.qcow2", FAIL_SPEC, "no such disk image" },
		{ "no KVM", "/dev/kvm", FAIL_HOST, "/dev/kvm does not exist" },
		{ "no firmware", "/usr/share/qemu/firmware", FAIL_HOST, "firmware" },
		{ "no reservations", LIVEHOST_LEASES, FAIL_HOST, "systemd-tmpfiles" },
		{ "no records", "/var/lib/gpuvm/drained", FAIL_HOST, "systemd-tmpfiles" },
	};
	CLEANUP(text) char *spec = livehost_spec("vm");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *aside = text_format("%s.aside", cases[i].move);

		print_message("  %s\n", cases[i].about);
		assert_int_equal(rename(cases[i].move, aside), 0);
		assert_nothing_happened(spec, cases[i].kind, cases[i].word);
		assert_int_equal(rename(aside, cases[i].move), 0);
	}
}

static void a_start_under_way_is_respected(void **state)
{
	const struct leases_claimer same_gpu = { LIVEHOST_LEASES, "other", NULL, { NODEDEV_GPU } };
	const struct leases_claimer same_name = { LIVEHOST_LEASES, "vm", NULL, { NODEDEV_GPU } };
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *spec = livehost_spec("vm");
	struct scratch_process *process = scratch_spawn(leases_hold, &same_name);
	CLEANUP(text) char *by = text_format("by alice (pid %d)", (int)process->pid);
	CLEANUP(launch) struct launch *busy = NULL;
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	assert_non_null(hv);
	assert_int_equal(launch_start(&live, spec, &busy, &fail), -1);
	assert_fails(&fail, FAIL_BUSY, by);
	scratch_kill(process);
	process = scratch_spawn(leases_hold, &same_gpu);
	launch = livehost_start(spec);
	assert_string_not_equal(launch->placement->gpus[0].gpu->device->address, NODEDEV_GPU);
	assert_int_equal(livehost_claims(), 1);
	scratch_kill(process);
}

/* Whoever starts it by its name gets what the file says by now; a file that is wrong by now is named. */
static void a_changed_spec_applies_at_the_next_start(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *spec = livehost_spec("vm");
	CLEANUP(text) char *text = text_format(LIVEHOST_SPEC("%s", "/vm.qcow2") "# more\n", "vm");
	CLEANUP(launch) struct launch *first = NULL;
	CLEANUP(launch) struct launch *second = NULL;
	CLEANUP(launch) struct launch *third = NULL;
	CLEANUP(fail) struct fail wrong = { 0 };
	struct fail fail = { 0 };

	(void)state;
	first = livehost_start(spec);
	assert_int_equal(hv_destroy(hv, first->uuid, &fail), 0);
	free(scratch_write("", "vm.ini", text));
	second = livehost_start("vm");
	assert_int_equal(second->outcome, LAUNCH_STARTED);
	assert_string_equal(second->spec->text, text);
	assert_string_equal(second->uuid, first->uuid);
	assert_int_equal(hv_destroy(hv, first->uuid, &fail), 0);
	free(scratch_write("", "vm.ini", "[vm]\nname = vm\n"));
	assert_int_equal(launch_start(&live, "vm", &third, &wrong), -1);
	assert_int_equal(wrong.kind, FAIL_SPEC);
	assert_string_equal(wrong.items[0].file, "/vm.ini");
}

/* A hostdev attached to the definition, and pins moved, are gone with the next start. */
static void an_edited_definition_is_repaired(void **state)
{
	static const struct {
		const char *from, *to, *problem;
	} edits[] = {
		{ "<memballoon", TESTHV_HOSTDEV("0x65", "0", "0") "<memballoon",
		  "0000:65:00.0 was added" },
		{ "<vcpupin vcpu='0' cpuset='", "<vcpupin vcpu='0' cpuset='1",
		  "the vCPUs' pins were changed" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(edits); i++) {
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		CLEANUP(text) char *spec = livehost_spec("vm");
		CLEANUP(launch) struct launch *first = livehost_start(spec);
		CLEANUP(launch) struct launch *second = NULL;
		CLEANUP(text) char *defined = NULL;
		CLEANUP(text) char *edited = NULL;
		CLEANUP(text) char *repaired = NULL;
		CLEANUP(guest) struct guest *before = NULL;
		CLEANUP(guest) struct guest *after = NULL;
		struct fail fail = { 0 };
		const char *at;

		defined = hv_definition(hv, first->uuid);
		at = strstr(defined, edits[i].from);
		assert_non_null(at);
		edited = text_format("%.*s%s%s", (int)(at - defined), defined, edits[i].to,
				     at + strlen(edits[i].from));
		/* As virsh edit does: while it runs, for the next start. */
		testhv_define(hv, edited);
		assert_int_equal(hv_destroy(hv, first->uuid, &fail), 0);
		free(edited);
		edited = hv_definition(hv, first->uuid);
		assert_int_equal(guest_parse(edited, &before, &fail), 0);
		assert_int_equal(before->problem_count, 1);
		assert_string_equal(before->problems[0], edits[i].problem);
		second = livehost_start(i == 0 ? "vm" : spec);
		repaired = hv_definition(hv, second->uuid);
		assert_int_equal(guest_parse(repaired, &after, &fail), 0);
		assert_int_equal(after->problem_count, 0);
	}
}

/* A start that took the stuck driver for the right one would never give the GPU back. */
static void a_driver_that_stayed_is_given_back_first(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text)
	char *spec = livehost_spec_with("vm", "address = " NODEDEV_GPU);
	CLEANUP(launch) struct launch *first = NULL;
	CLEANUP(launch) struct launch *planned = NULL;
	CLEANUP(launch) struct launch *again = NULL;
	struct fail fail = { 0 };

	(void)state;
	nodedev_set("", "nvidia");
	hosts_bind("", NODEDEV_GPU, "nvidia");
	first = livehost_start(spec);
	assert_int_equal(first->aftermath->count, 0);
	assert_string_equal(first->boot, LIVEHOST_BOOT);
	assert_int_equal(hv_destroy(hv, first->uuid, &fail), 0);
	hosts_bind("", NODEDEV_GPU, "vfio-pci");
	assert_int_equal(launch_plan(&live, spec, &planned, &fail), 0);
	assert_int_equal(planned->aftermath->count, 1);
	assert_false(planned->aftermath->has_changed);
	again = livehost_start(spec);
	assert_int_equal(again->aftermath->count, 1);
	assert_true(again->aftermath->has_changed);
	assert_non_null(strstr(again->xml, "address=\"" NODEDEV_GPU "\" driver=\"nvidia\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_is_planned_on),
		cmocka_unit_test(a_plan_that_fails_keeps_its_stages),
		cmocka_unit_test(a_snapshot_is_never_started_on),
		cmocka_unit_test(a_plan_does_without_libvirt),
		cmocka_unit_test(a_name_that_is_taken_is_refused),
		cmocka_unit_test(names_are_started_from_what_libvirt_knows),
		cmocka_unit_test(an_unknown_name_is_a_usage_error),
	};
	const struct CMUnitTest live_tests[] = {
		cmocka_unit_test(a_vm_is_started_and_started_again),
		cmocka_unit_test(a_new_vm_that_fails_leaves_nothing),
		cmocka_unit_test(a_known_vm_that_fails_is_as_before),
		cmocka_unit_test(checks_come_before_changes),
		cmocka_unit_test(a_start_under_way_is_respected),
		cmocka_unit_test(a_changed_spec_applies_at_the_next_start),
		cmocka_unit_test(an_edited_definition_is_repaired),
		cmocka_unit_test(a_driver_that_stayed_is_given_back_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) + LIVEHOST_RUN_TESTS(live_tests, NULL);
}
