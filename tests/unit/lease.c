// SPDX-License-Identifier: MIT
#include "vmm/lease.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "tests/unit/leases.h"
#include "vmm/base/clock.h"

#define GPU_A "0000:17:00.0"
#define GPU_B "0000:97:00.0"
#define GPU_C "0000:b1:00.0"

static void what_is_claimed_is_read_back(void **state)
{
	CLEANUP(scratch) char *directory = scratch_new();
	CLEANUP(lease_gate) struct lease_gate *gate = NULL;
	CLEANUP(lease_claim) struct lease_claim *held = NULL;
	CLEANUP(lease_records) struct lease_records *records = NULL;
	char gpus[2][DEVICE_ADDRESS_BYTES] = { GPU_A, GPU_B };
	struct lease_memory memory[2] = { { 0, 0, 1 }, { 65535, UINT64_C(1) << 30, INT64_MAX } };
	struct lease_record record = { (char *)"train \"1\"",
				       (char *)"u-1",
				       (char *)"m\xc3\xbcller",
				       getpid(),
				       gpus,
				       2,
				       hwloc_bitmap_alloc(),
				       memory,
				       2 };
	struct fail fail = { 0 };

	(void)state;
	hwloc_bitmap_set_range(record.cpus, 5, 8);
	hwloc_bitmap_set(record.cpus, 4095);
	assert_int_equal(lease_open(directory, 0, &gate, &fail), 0);
	assert_int_equal(lease_take(gate, &record, &held, &fail), 0);
	lease_close(STEAL(gate)); /* a claim outlives the gate */
	records = lease_scan(directory);
	assert_int_equal(records->count, 1);
	assert_string_equal(records->records[0].name, record.name);
	assert_string_equal(records->records[0].uuid, record.uuid);
	assert_string_equal(records->records[0].user, record.user);
	assert_int_equal(records->records[0].pid, getpid());
	assert_int_equal(records->records[0].gpu_count, 2);
	assert_true(hwloc_bitmap_isequal(records->records[0].cpus, record.cpus));
	assert_int_equal(records->records[0].memory_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(records->records[0].memory[i].node, memory[i].node);
		assert_int_equal(records->records[0].memory[i].page_bytes, memory[i].page_bytes);
		assert_int_equal(records->records[0].memory[i].bytes, memory[i].bytes);
	}
	lease_release(STEAL(held));
	assert_int_equal(leases_gpus_claimed(directory), 0);
	hwloc_bitmap_free(record.cpus);
}

static void a_gpu_is_claimed_once(void **state)
{
	static const struct {
		const char *about;
		const char *first[LEASES_MOST_GPUS + 1], *second[LEASES_MOST_GPUS + 1];
		bool both;
	} cases[] = {
		{ "the same GPU", { GPU_A }, { GPU_A }, false },
		{ "another GPU", { GPU_A }, { GPU_B }, true },
		{ "one of several, the last", { GPU_A, GPU_B }, { GPU_C, GPU_B }, false },
		{ "none at all", { GPU_A }, { NULL }, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(scratch) char *directory = scratch_new();
		struct leases_claimer first = { directory, "first", "u-1", { NULL } };
		struct leases_claimer second = { directory, "second", "u-2", { NULL } };
		CLEANUP(scratch_process) struct scratch_process *other = NULL;
		CLEANUP(lease_claim) struct lease_claim *held = NULL;
		CLEANUP(lease_records) struct lease_records *records = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", cases[i].about);
		memcpy(first.addresses, cases[i].first, sizeof first.addresses);
		memcpy(second.addresses, cases[i].second, sizeof second.addresses);
		other = scratch_spawn(leases_hold, &first);
		held = leases_claim(&second, &fail);
		assert_int_equal(held != NULL, cases[i].both);
		if (cases[i].both)
			continue;
		assert_fails(&fail, FAIL_BUSY, "by another start");
		assert_fails(&fail, FAIL_BUSY, "of VM \"first\" by alice (pid ");
		/* All or none: what the second had before it failed is free again. */
		records = lease_scan(directory);
		assert_int_equal(records->count, 1);
		assert_string_equal(records->records[0].name, "first");
		for (size_t j = 0; j < records->records[0].gpu_count; j++)
			assert_string_not_equal(records->records[0].gpus[j], GPU_C);
	}
}

static void a_killed_claimer_leaves_nothing(void **state)
{
	CLEANUP(scratch) char *directory = scratch_new();
	const struct leases_claimer claimer = { directory, "train", "u-1", { GPU_A, GPU_B } };
	CLEANUP(lease_claim) struct lease_claim *held = NULL;
	struct fail fail = { 0 };
	double before_seconds;

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct scratch_process *other = scratch_spawn(leases_hold, &claimer);

		assert_int_equal(leases_gpus_claimed(directory), 2);
		scratch_kill(other);
		assert_int_equal(leases_gpus_claimed(directory), 0);
	}
	before_seconds = clock_seconds();
	held = leases_claim(&claimer, &fail);
	assert_non_null(held);
	assert_true(clock_seconds() - before_seconds < 1);
}

static void starts_are_told_apart(void **state)
{
	static const struct {
		const char *about, *first, *second;
		size_t records;
	} cases[] = {
		{ "one UUID is one start", "u-1", "u-1", 1 },
		{ "two UUIDs are two", "u-1", "u-2", 2 },
		{ "no UUID says nothing", NULL, NULL, 2 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(scratch) char *directory = scratch_new();
		struct leases_claimer first = { directory, "a", cases[i].first, { GPU_A } };
		struct leases_claimer second = { directory, "a", cases[i].second, { GPU_B } };
		struct fail fail = { 0 };
		CLEANUP(lease_claim) struct lease_claim *one = leases_claim(&first, &fail);
		CLEANUP(lease_claim) struct lease_claim *two = leases_claim(&second, &fail);
		CLEANUP(lease_records) struct lease_records *records = lease_scan(directory);

		print_message("  %s\n", cases[i].about);
		assert_int_equal(records->count, cases[i].records);
		assert_int_equal(leases_gpus(records), 2);
	}
}

static void a_claim_with_a_second_name_counts(void **state)
{
	CLEANUP(scratch) char *directory = scratch_new();
	CLEANUP(text) char *path = text_format("%s/%s", directory, GPU_A);
	CLEANUP(text) char *second = text_format("%s/second", directory);
	const struct leases_claimer claimer = { directory, "a", "u-1", { GPU_A } };
	struct fail fail = { 0 };
	CLEANUP(lease_claim) struct lease_claim *held = leases_claim(&claimer, &fail);
	CLEANUP(lease_records) struct lease_records *records = NULL;

	(void)state;
	assert_non_null(held);
	assert_int_equal(link(path, second), 0);
	records = lease_scan(directory);
	assert_int_equal(leases_gpus(records), 1);
	assert_null(records->records[0].name);
	lease_release(STEAL(held));
	assert_int_equal(leases_gpus_claimed(directory), 0);
}

/* One descriptor is left, which the directory takes. */
static int scan_without_descriptors(const void *directory)
{
	int spare = open("/", O_RDONLY | O_CLOEXEC);
	const struct rlimit limit = { (rlim_t)spare + 1, (rlim_t)spare + 1 };

	close(spare);
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 100;
	return (int)leases_gpus_claimed(directory);
}

static void what_cannot_be_looked_at_counts(void **state)
{
	CLEANUP(scratch) char *directory = scratch_new();
	const struct leases_claimer claimer = { directory, "a", "u-1", { GPU_A, GPU_B } };
	struct fail fail = { 0 };

	(void)state;
	lease_release(leases_claim(&claimer, &fail));
	assert_int_equal(leases_gpus_claimed(directory), 0);
	assert_int_equal(scratch_as(0, scan_without_descriptors, directory), 2);
}

static int scan_for_ever(const void *directory)
{
	pid_t parent = getpid();
	pid_t child = fork();

	while (child == 0 && getppid() == parent)
		lease_records_free(lease_scan(directory));
	return child < 0;
}

/* A scan holds a shared lock for an instant; many of them must not keep a start from its claim, nor
 * look like one to each other. */
static void scans_do_not_disturb_claims(void **state)
{
	enum {
		SCANNERS = 8,
		CLAIMS = 300
	};
	CLEANUP(scratch) char *directory = scratch_new();
	const struct leases_claimer claimer = { directory, "a", "u-1", { GPU_A, GPU_B } };
	struct scratch_process *scanners[SCANNERS];
	size_t failed = 0;
	size_t unseen = 0;
	size_t phantoms = 0;

	(void)state;
	for (size_t i = 0; i < SCANNERS; i++)
		scanners[i] = scratch_spawn(scan_for_ever, directory);
	for (size_t i = 0; i < CLAIMS; i++) {
		CLEANUP(fail) struct fail fail = { 0 };
		CLEANUP(lease_claim) struct lease_claim *held = leases_claim(&claimer, &fail);

		failed += held == NULL;
		unseen += held != NULL && leases_gpus_claimed(directory) != 2;
	}
	for (size_t i = 0; i < CLAIMS; i++)
		phantoms += leases_gpus_claimed(directory) != 0;
	for (size_t i = 0; i < SCANNERS; i++)
		scratch_kill(scanners[i]);
	assert_int_equal(phantoms, 0);
	assert_int_equal(failed, 0);
	assert_int_equal(unseen, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_claimed_is_read_back),
		cmocka_unit_test(a_gpu_is_claimed_once),
		cmocka_unit_test(a_killed_claimer_leaves_nothing),
		cmocka_unit_test(starts_are_told_apart),
		cmocka_unit_test(a_claim_with_a_second_name_counts),
		cmocka_unit_test(what_cannot_be_looked_at_counts),
		cmocka_unit_test(scans_do_not_disturb_claims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
