// SPDX-License-Identifier: MIT
/* Who may open the directory of claims, and who waits for its gate. */
#include "vmm/lease.h"

#include <string.h>

#include "tests/unit/leases.h"
#include "vmm/base/clock.h"

#define GPU_A "0000:17:00.0"

static void an_unusable_directory_names_the_command(void **state)
{
	CLEANUP(scratch) char *scratch = scratch_new();
	CLEANUP(text) char *file = scratch_write(scratch, "file", "");
	CLEANUP(text) char *missing = text_format("%s/missing", scratch);
	const struct {
		const char *about, *directory, *word;
	} cases[] = {
		{ "missing", missing, "sudo systemd-tmpfiles --create gpuvm.conf" },
		{ "missing", missing, "No such file" },
		{ "a file", file, "Not a directory" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(fail) struct fail fail = { 0 };
		struct lease_gate *gate = NULL;

		print_message("  %s\n", cases[i].about);
		assert_int_equal(lease_open(cases[i].directory, 0, &gate, &fail), -1);
		assert_null(gate);
		assert_fails(&fail, FAIL_HOST, cases[i].word);
		assert_int_equal(leases_gpus_claimed(cases[i].directory), 0);
	}
}

static int open_is_refused(const void *directory)
{
	CLEANUP(fail) struct fail fail = { 0 };
	struct lease_gate *gate = NULL;

	return !(lease_open(directory, 0, &gate, &fail) == -1 && fail.kind == FAIL_HOST &&
		 strstr(fail.items[0].hint, "adduser $USER libvirt") != NULL);
}

static int scan_sees_one(const void *directory)
{
	return leases_gpus_claimed(directory) != 1;
}

static int scan_sees_none(const void *directory)
{
	return leases_gpus_claimed(directory) != 0;
}

/* Looking needs no right to write; claiming does, and says how to get it. */
static void strangers_may_look_at_most(void **state)
{
	CLEANUP(scratch) char *directory = scratch_new();
	CLEANUP(text) char *path = text_format("%s/%s", directory, GPU_A);
	const struct leases_claimer claimer = { directory, "a", "u-1", { GPU_A } };
	struct fail fail = { 0 };
	CLEANUP(lease_claim) struct lease_claim *held = leases_claim(&claimer, &fail);

	(void)state;
	assert_non_null(held);
	if (!scratch_is_root())
		skip();
	assert_int_equal(chmod(path, 0444), 0);
	assert_int_equal(scratch_as(SCRATCH_NOBODY, open_is_refused, directory), 0);
	assert_int_equal(scratch_as(SCRATCH_NOBODY, scan_sees_one, directory), 0);
	assert_int_equal(chmod(path, 0660), 0);
	assert_int_equal(scratch_as(SCRATCH_NOBODY, scan_sees_none, directory), 0);
	assert_int_equal(chmod(directory, 0700), 0);
	assert_int_equal(scratch_as(SCRATCH_NOBODY, open_is_refused, directory), 0);
	assert_int_equal(scratch_as(SCRATCH_NOBODY, scan_sees_none, directory), 0);
}

static int keep_gate(const void *directory)
{
	struct lease_gate *gate = NULL;
	struct fail fail = { 0 };

	return lease_open(directory, 0, &gate, &fail);
}

static void the_gate_is_waited_for(void **state)
{
	static const unsigned timeouts_ms[] = { 0, 100, 300 };
	CLEANUP(scratch) char *directory = scratch_new();
	struct scratch_process *other = scratch_spawn(keep_gate, directory);
	CLEANUP(text) char *by = text_format("gate is locked by process %d", (int)other->pid);
	CLEANUP(lease_gate) struct lease_gate *gate = NULL;
	struct fail none = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(timeouts_ms); i++) {
		CLEANUP(fail) struct fail fail = { 0 };
		double before_seconds = clock_seconds();

		assert_int_equal(lease_open(directory, timeouts_ms[i], &gate, &fail), -1);
		assert_fails(&fail, FAIL_BUSY, by);
		assert_true(clock_seconds() - before_seconds >= timeouts_ms[i] / 1e3);
		assert_true(clock_seconds() - before_seconds < timeouts_ms[i] / 1e3 + 2);
	}
	scratch_kill(other);
	assert_int_equal(lease_open(directory, 0, &gate, &none), 0);
	lease_close(STEAL(gate));
	assert_int_equal(lease_open(directory, 0, &gate, &none), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unusable_directory_names_the_command),
		cmocka_unit_test(strangers_may_look_at_most),
		cmocka_unit_test(the_gate_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
