// SPDX-License-Identifier: MIT
/* Whole starts. */
#include "vmm/launch.h"

#include <fcntl.h>
#include <string.h>

#include "tests/unit/leases.h"
#include "tests/unit/livehost.h"
#include "tests/unit/nodedev.h"

#define UUID "11111111-2222-3333-4444-555555555555"

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
	CLEANUP(text) char *metadata = testhv_metadata(testhv_uid(), LIVEHOST_METADATA("old"));
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

static void hang_at_host(void *data, const char *step, const char *says)
{
	(void)data;
	(void)says;
	if (text_equal(step, "host"))
		for (;;)
			pause();
}

/* What it says goes to the file @errors. */
static int start_alone(const struct launch_options *options, const char *name, const char *errors)
{
	CLEANUP(text) char *spec = livehost_spec(name);
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	struct launch *launch = NULL;
	struct fail fail = { 0 };
	int file = open(errors, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	(void)dup2(file, STDERR_FILENO);
	return launch_start(options, spec, &launch, &fail) < 0 ? 100 : 101;
}

static int start_that_hangs(const void *errors)
{
	struct launch_options options = livehost_options();

	options.progress = hang_at_host;
	options.choose_timeout_s = 1;
	return start_alone(&options, "vm", errors);
}

static int start_that_libvirt_keeps(const void *errors)
{
	struct launch_options options = livehost_options();

	options.start_timeout_s = 1;
	return start_alone(&options, "stuck", errors);
}

/* A start that does not end by itself says both before it is ended. */
static void assert_ended(int (*start)(const void *errors), const char *what, const char *hint)
{
	CLEANUP(file) FILE *errors = NULL;
	char text[500] = "";

	assert_int_equal(scratch_as(0, start, "/errors"), 6);
	errors = fopen("/errors", "r");
	assert_true(fread(text, 1, sizeof text - 1, errors) > 0);
	assert_true(text_contains(text, what));
	assert_true(text_contains(text, hint));
}

static void a_start_that_hangs_opens_the_gate(void **state)
{
	CLEANUP(lease_gate) struct lease_gate *gate = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	assert_ended(start_that_hangs, "gpuvm: libvirt does not answer",
		     "hint: see which: sudo dmesg | grep -i vfio ");
	assert_int_equal(lease_open(LIVEHOST_LEASES, 0, &gate, &fail), 0);
}

static void a_start_that_libvirt_keeps_ends(void **state)
{
	(void)state;
	assert_ended(start_that_libvirt_keeps, "gpuvm: VM \"stuck\" does not start",
		     "hint: gpuvm stop --force stuck");
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
		cmocka_unit_test(a_vm_is_started_and_started_again),
		cmocka_unit_test(a_new_vm_that_fails_leaves_nothing),
		cmocka_unit_test(a_known_vm_that_fails_is_as_before),
		cmocka_unit_test(checks_come_before_changes),
		cmocka_unit_test(a_start_under_way_is_respected),
		cmocka_unit_test(a_start_that_hangs_opens_the_gate),
		cmocka_unit_test(a_start_that_libvirt_keeps_ends),
		cmocka_unit_test(a_changed_spec_applies_at_the_next_start),
		cmocka_unit_test(an_edited_definition_is_repaired),
		cmocka_unit_test(a_driver_that_stayed_is_given_back_first),
	};

	return LIVEHOST_RUN_TESTS(tests, NULL);
}
