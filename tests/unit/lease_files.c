// SPDX-License-Identifier: MIT
/* The files of claims, as somebody may leave them in a directory of a group. */
#include "vmm/lease.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "tests/unit/leases.h"
#include "vmm/base/clock.h"

#define GPU_A "0000:17:00.0"
#define GPU_B "0000:97:00.0"

static void make_symlink(const char *path, const char *target)
{
	assert_int_equal(symlink(target, path), 0);
}

static void make_dangling(const char *path, const char *target)
{
	CLEANUP(text) char *nowhere = text_format("%s-nowhere", target);

	assert_int_equal(symlink(nowhere, path), 0);
}

static void make_hard_link(const char *path, const char *target)
{
	assert_int_equal(link(target, path), 0);
}

static void make_fifo(const char *path, const char *target)
{
	(void)target;
	assert_int_equal(mkfifo(path, 0660), 0);
}

static void make_directory(const char *path, const char *target)
{
	(void)target;
	assert_int_equal(mkdir(path, 0770), 0);
}

static void assert_file_is(const char *path, const char *text)
{
	char buffer[64] = "";
	CLEANUP(file) FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_non_null(fgets(buffer, sizeof buffer, file));
	assert_string_equal(buffer, text);
}

static void a_trap_in_place_of_a_file_is_refused(void **state)
{
	static void (*const traps[])(const char *path, const char *target) = {
		make_symlink, make_dangling, make_hard_link, make_fifo, make_directory,
	};
	static const char *const names[] = { GPU_A, "gate" };

	(void)state;
	for (size_t i = 0; i < COUNT(traps) * COUNT(names); i++) {
		CLEANUP(scratch) char *directory = scratch_new();
		CLEANUP(scratch) char *elsewhere = scratch_new();
		CLEANUP(text) char *target = scratch_write(elsewhere, "target", "precious");
		CLEANUP(text) char *nowhere = text_format("%s-nowhere", target);
		CLEANUP(text) char *path = text_format("%s/%s", directory, names[i % 2]);
		const struct leases_claimer claimer = { directory, "a", "u-1", { GPU_B, GPU_A } };
		CLEANUP(fail) struct fail fail = { 0 };

		traps[i / 2](path, target);
		assert_null(leases_claim(&claimer, &fail));
		assert_fails(&fail, FAIL_HOST, "sudo rm ");
		assert_file_is(target, "precious");
		assert_int_not_equal(access(nowhere, F_OK), 0);
		assert_int_equal(leases_gpus_claimed(directory), 0);
	}
}

/* A file that somebody locks and fills as he likes: its GPU counts, its text is not believed. */
static void damaged_claims_count_without_a_name(void **state)
{
	static const struct {
		const char *about, *text;
		const char *name; /* what remains of it */
		size_t memory_count;
		int cpu_count;
	} cases[] = {
		{ "empty", "", NULL, 0, 0 },
		{ "no JSON", "train\n", NULL, 0, 0 },
		{ "cut off", "{\"name\":\"trai", NULL, 0, 0 },
		{ "an array", "[\"name\"]", NULL, 0, 0 },
		{ "no UTF-8", "{\"name\":\"\xff\"}", NULL, 0, 0 },
		{ "wrong types", "{\"name\":1,\"cpus\":[],\"memory\":{},\"pid\":\"7\"}", NULL, 0,
		  0 },
		{ "a terminal's escape", "{\"name\":\"\\u001b[2J\"}", "\\x1b[2J", 0, 0 },
		{ "all CPUs there can be", "{\"cpus\":\"3-\"}", NULL, 0, 0 },
		{ "billions of CPUs", "{\"cpus\":\"0-4000000000\"}", NULL, 0, 0 },
		{ "half a billion of CPUs", "{\"cpus\":\"500000000\"}", NULL, 0, 0 },
		{ "CPUs that are none", "{\"cpus\":\"0-3;rm\"}", NULL, 0, 0 },
		{ "memory of wrong types", "{\"memory\":[1,null,\"x\"]}", NULL, 3, 0 },
		{ "memory out of range",
		  "{\"memory\":[{\"node\":-1},{\"node\":65536},{\"bytes\":-1},{\"page_bytes\":-1}]}",
		  NULL, 0, 0 },
		{ "sound beside damaged", "{\"name\":\"a\",\"cpus\":\"0-3\",\"pid\":-7}", "a", 0,
		  4 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(scratch) char *directory = scratch_new();
		CLEANUP(text) char *path = scratch_write(directory, GPU_A, cases[i].text);
		CLEANUP(fd) int fd = open(path, O_RDWR);
		CLEANUP(lease_records) struct lease_records *records = NULL;
		const struct lease_record *record;
		double before_seconds = clock_seconds();

		print_message("  %s\n", cases[i].about);
		assert_int_equal(flock(fd, LOCK_EX), 0);
		records = lease_scan(directory);
		record = records->records;
		assert_int_equal(records->count, 1);
		assert_int_equal(record->gpu_count, 1);
		assert_string_equal(record->gpus[0], GPU_A);
		assert_true(text_equal(record->name, cases[i].name));
		assert_int_equal(record->pid, 0);
		assert_int_equal(hwloc_bitmap_weight(record->cpus), cases[i].cpu_count);
		assert_true(record->memory_count <= cases[i].memory_count);
		assert_true(clock_seconds() - before_seconds < 1);
	}
}

static void huge_claims_count_without_a_name(void **state)
{
	static const char *const starts[] = { "[", "{\"a\":", " ", "\"", "{\"name\":\"", "x" };
	enum {
		HUGE_BYTES = 8 << 20
	};

	(void)state;
	for (size_t i = 0; i < COUNT(starts); i++) {
		CLEANUP(scratch) char *directory = scratch_new();
		CLEANUP(text) char *text = mem_alloc(HUGE_BYTES + 1, 1);
		CLEANUP(text) char *path = NULL;
		CLEANUP(lease_records) struct lease_records *records = NULL;
		CLEANUP(fd) int fd = -1;
		size_t length = strlen(starts[i]);

		for (size_t at = 0; at + length <= HUGE_BYTES; at += length)
			memcpy(text + at, starts[i], length);
		path = scratch_write(directory, GPU_A, text);
		fd = open(path, O_RDWR);
		assert_int_equal(flock(fd, LOCK_EX), 0);
		records = lease_scan(directory);
		assert_int_equal(records->count, 1);
		assert_null(records->records[0].name);
	}
}

static void other_names_are_nobodys_claim(void **state)
{
	static const char *const names[] = {
		"gate",         "17:00.0",      "0000:17:00.0~", ".0000:17:00.0",
		"0000:AF:00.0", "0000:17:00.8", "held",
	};
	CLEANUP(scratch) char *directory = scratch_new();
	int files[COUNT(names)];

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		CLEANUP(text) char *path = scratch_write(directory, names[i], "{}");

		files[i] = open(path, O_RDWR);
		assert_int_equal(flock(files[i], LOCK_EX), 0);
	}
	assert_int_equal(leases_gpus_claimed(directory), 0);
	for (size_t i = 0; i < COUNT(names); i++)
		close(files[i]);
}

static void files_are_the_groups_whatever_the_umask(void **state)
{
	static const mode_t masks[] = { 0, 022, 077, 0777 };
	static const char *const names[] = { GPU_A, "gate" };
	mode_t before = umask(0);

	(void)state;
	for (size_t i = 0; i < COUNT(masks); i++) {
		CLEANUP(scratch) char *directory = scratch_new();
		const struct leases_claimer claimer = { directory, "a", "u-1", { GPU_A } };
		struct fail fail = { 0 };

		umask(masks[i]);
		lease_release(leases_claim(&claimer, &fail));
		umask(before);
		for (size_t j = 0; j < COUNT(names); j++) {
			CLEANUP(text) char *path = text_format("%s/%s", directory, names[j]);
			struct stat info;

			assert_int_equal(stat(path, &info), 0);
			assert_int_equal(info.st_mode & 07777, 0660);
		}
	}
}

/* Two processes must lock the same inode, and an old, longer text must not show through. */
static void files_are_kept_and_rewritten(void **state)
{
	CLEANUP(scratch) char *directory = scratch_new();
	CLEANUP(text) char *path = text_format("%s/%s", directory, GPU_A);
	const struct leases_claimer longer = {
		directory, "a-very-long-name-indeed", "u-1", { GPU_A }
	};
	const struct leases_claimer shorter = { directory, "b", "u-2", { GPU_A } };
	struct fail fail = { 0 };
	struct stat before, after;
	CLEANUP(lease_claim) struct lease_claim *held = NULL;
	CLEANUP(lease_records) struct lease_records *records = NULL;

	(void)state;
	lease_release(leases_claim(&longer, &fail));
	assert_int_equal(stat(path, &before), 0);
	held = leases_claim(&shorter, &fail);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	records = lease_scan(directory);
	assert_int_equal(records->count, 1);
	assert_string_equal(records->records[0].name, "b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trap_in_place_of_a_file_is_refused),
		cmocka_unit_test(damaged_claims_count_without_a_name),
		cmocka_unit_test(huge_claims_count_without_a_name),
		cmocka_unit_test(other_names_are_nobodys_claim),
		cmocka_unit_test(files_are_the_groups_whatever_the_umask),
		cmocka_unit_test(files_are_kept_and_rewritten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
