// SPDX-License-Identifier: MIT
#include "vmm/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/unit/scratch.h"

#define GPU_A "0000:17:00.0"
#define GPU_B "0000:97:00.0"
#define GPU_C "0000:b1:00.0"
#define MOST  3

/* Claims @addresses (NULL ends) in @directory for a VM called @name. */
struct claimer {
	const char *directory, *name, *uuid;
	const char *addresses[MOST + 1];
};

static struct lease_claim *claim(const struct claimer *claimer, struct fail *fail)
{
	CLEANUP(lease_gate) struct lease_gate *gate = NULL;
	char gpus[MOST][DEVICE_ADDRESS_BYTES] = { "" };
	struct lease_record record = { .name = (char *)claimer->name,
				       .uuid = (char *)claimer->uuid,
				       .user = (char *)"alice",
				       .pid = getpid(),
				       .gpus = gpus,
				       .cpus = hwloc_bitmap_alloc() };
	struct lease_claim *result = NULL;

	while (claimer->addresses[record.gpu_count] != NULL) {
		snprintf(gpus[record.gpu_count], sizeof *gpus, "%s",
			 claimer->addresses[record.gpu_count]);
		record.gpu_count++;
	}
	if (lease_open(claimer->directory, 1000, &gate, fail) == 0)
		(void)lease_take(gate, &record, &result, fail);
	hwloc_bitmap_free(record.cpus);
	return result;
}

/* The claim is not let go: the process that runs this holds it until it ends. */
static int hold(const void *data)
{
	struct fail fail = { 0 };

	return claim(data, &fail) == NULL;
}

static size_t gpus_in(const struct lease_records *records)
{
	size_t count = 0;

	for (size_t i = 0; i < records->count; i++)
		count += records->records[i].gpu_count;
	return count;
}

static size_t gpus_claimed(const char *directory)
{
	CLEANUP(lease_records) struct lease_records *records = lease_scan(directory);

	return gpus_in(records);
}

static unsigned now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

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
	assert_int_equal(gpus_claimed(directory), 0);
	hwloc_bitmap_free(record.cpus);
}

static void a_gpu_is_claimed_once(void **state)
{
	static const struct {
		const char *about;
		const char *first[MOST + 1], *second[MOST + 1];
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
		struct claimer first = { directory, "first", "u-1", { NULL } };
		struct claimer second = { directory, "second", "u-2", { NULL } };
		CLEANUP(scratch_process) struct scratch_process *other = NULL;
		CLEANUP(lease_claim) struct lease_claim *held = NULL;
		CLEANUP(lease_records) struct lease_records *records = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", cases[i].about);
		memcpy(first.addresses, cases[i].first, sizeof first.addresses);
		memcpy(second.addresses, cases[i].second, sizeof second.addresses);
		other = scratch_spawn(hold, &first);
		held = claim(&second, &fail);
		assert_int_equal(held != NULL, cases[i].both);
		if (cases[i].both)
			continue;
		assert_fails(&fail, FAIL_BUSY, "by another start");
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
	const struct claimer claimer = { directory, "train", "u-1", { GPU_A, GPU_B } };
	CLEANUP(lease_claim) struct lease_claim *held = NULL;
	struct fail fail = { 0 };
	unsigned before_ms;

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct scratch_process *other = scratch_spawn(hold, &claimer);

		assert_int_equal(gpus_claimed(directory), 2);
		scratch_kill(other);
		assert_int_equal(gpus_claimed(directory), 0);
	}
	before_ms = now_ms();
	held = claim(&claimer, &fail);
	assert_non_null(held);
	assert_true(now_ms() - before_ms < 1000);
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
		struct claimer first = { directory, "a", cases[i].first, { GPU_A } };
		struct claimer second = { directory, "a", cases[i].second, { GPU_B } };
		struct fail fail = { 0 };
		CLEANUP(lease_claim) struct lease_claim *one = claim(&first, &fail);
		CLEANUP(lease_claim) struct lease_claim *two = claim(&second, &fail);
		CLEANUP(lease_records) struct lease_records *records = lease_scan(directory);

		print_message("  %s\n", cases[i].about);
		assert_int_equal(records->count, cases[i].records);
		assert_int_equal(gpus_in(records), 2);
	}
}

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
		const struct claimer claimer = { directory, "a", "u-1", { GPU_B, GPU_A } };
		CLEANUP(fail) struct fail fail = { 0 };

		traps[i / 2](path, target);
		assert_null(claim(&claimer, &fail));
		assert_fails(&fail, FAIL_HOST, "sudo rm ");
		assert_file_is(target, "precious");
		assert_int_not_equal(access(nowhere, F_OK), 0);
		assert_int_equal(gpus_claimed(directory), 0);
	}
}

static void a_claim_with_a_second_name_counts(void **state)
{
	CLEANUP(scratch) char *directory = scratch_new();
	CLEANUP(text) char *path = text_format("%s/%s", directory, GPU_A);
	CLEANUP(text) char *second = text_format("%s/second", directory);
	const struct claimer claimer = { directory, "a", "u-1", { GPU_A } };
	struct fail fail = { 0 };
	CLEANUP(lease_claim) struct lease_claim *held = claim(&claimer, &fail);
	CLEANUP(lease_records) struct lease_records *records = NULL;

	(void)state;
	assert_non_null(held);
	assert_int_equal(link(path, second), 0);
	records = lease_scan(directory);
	assert_int_equal(gpus_in(records), 1);
	assert_null(records->records[0].name);
	lease_release(STEAL(held));
	assert_int_equal(gpus_claimed(directory), 0);
}

/* One descriptor is left, which the directory takes. */
static int scan_without_descriptors(const void *directory)
{
	int spare = open("/", O_RDONLY | O_CLOEXEC);
	const struct rlimit limit = { (rlim_t)spare + 1, (rlim_t)spare + 1 };

	close(spare);
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 100;
	return (int)gpus_claimed(directory);
}

static void what_cannot_be_looked_at_counts(void **state)
{
	CLEANUP(scratch) char *directory = scratch_new();
	const struct claimer claimer = { directory, "a", "u-1", { GPU_A, GPU_B } };
	struct fail fail = { 0 };

	(void)state;
	lease_release(claim(&claimer, &fail));
	assert_int_equal(gpus_claimed(directory), 0);
	assert_int_equal(scratch_as(0, scan_without_descriptors, directory), 2);
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
		unsigned before_ms = now_ms();

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
		assert_true(now_ms() - before_ms < 1000);
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
	assert_int_equal(gpus_claimed(directory), 0);
	for (size_t i = 0; i < COUNT(names); i++)
		close(files[i]);
}

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
		assert_int_equal(gpus_claimed(cases[i].directory), 0);
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
	return gpus_claimed(directory) != 1;
}

static int scan_sees_none(const void *directory)
{
	return gpus_claimed(directory) != 0;
}

/* Looking needs no right to write; claiming does, and says how to get it. */
static void strangers_may_look_at_most(void **state)
{
	CLEANUP(scratch) char *directory = scratch_new();
	CLEANUP(text) char *path = text_format("%s/%s", directory, GPU_A);
	const struct claimer claimer = { directory, "a", "u-1", { GPU_A } };
	struct fail fail = { 0 };
	CLEANUP(lease_claim) struct lease_claim *held = claim(&claimer, &fail);

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
		unsigned before_ms = now_ms();

		assert_int_equal(lease_open(directory, timeouts_ms[i], &gate, &fail), -1);
		assert_fails(&fail, FAIL_BUSY, by);
		assert_true(now_ms() - before_ms >= timeouts_ms[i]);
		assert_true(now_ms() - before_ms < timeouts_ms[i] + 2000);
	}
	scratch_kill(other);
	assert_int_equal(lease_open(directory, 0, &gate, &none), 0);
	lease_close(STEAL(gate));
	assert_int_equal(lease_open(directory, 0, &gate, &none), 0);
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
	const struct claimer claimer = { directory, "a", "u-1", { GPU_A, GPU_B } };
	struct scratch_process *scanners[SCANNERS];
	size_t failed = 0;
	size_t unseen = 0;
	size_t phantoms = 0;

	(void)state;
	for (size_t i = 0; i < SCANNERS; i++)
		scanners[i] = scratch_spawn(scan_for_ever, directory);
	for (size_t i = 0; i < CLAIMS; i++) {
		CLEANUP(fail) struct fail fail = { 0 };
		CLEANUP(lease_claim) struct lease_claim *held = claim(&claimer, &fail);

		failed += held == NULL;
		unseen += held != NULL && gpus_claimed(directory) != 2;
	}
	for (size_t i = 0; i < CLAIMS; i++)
		phantoms += gpus_claimed(directory) != 0;
	for (size_t i = 0; i < SCANNERS; i++)
		scratch_kill(scanners[i]);
	assert_int_equal(phantoms, 0);
	assert_int_equal(failed, 0);
	assert_int_equal(unseen, 0);
}

static void files_are_the_groups_whatever_the_umask(void **state)
{
	static const mode_t masks[] = { 0, 022, 077, 0777 };
	static const char *const names[] = { GPU_A, "gate" };
	mode_t before = umask(0);

	(void)state;
	for (size_t i = 0; i < COUNT(masks); i++) {
		CLEANUP(scratch) char *directory = scratch_new();
		const struct claimer claimer = { directory, "a", "u-1", { GPU_A } };
		struct fail fail = { 0 };

		umask(masks[i]);
		lease_release(claim(&claimer, &fail));
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
	const struct claimer longer = { directory, "a-very-long-name-indeed", "u-1", { GPU_A } };
	const struct claimer shorter = { directory, "b", "u-2", { GPU_A } };
	struct fail fail = { 0 };
	struct stat before, after;
	CLEANUP(lease_claim) struct lease_claim *held = NULL;
	CLEANUP(lease_records) struct lease_records *records = NULL;

	(void)state;
	lease_release(claim(&longer, &fail));
	assert_int_equal(stat(path, &before), 0);
	held = claim(&shorter, &fail);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	records = lease_scan(directory);
	assert_int_equal(records->count, 1);
	assert_string_equal(records->records[0].name, "b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_claimed_is_read_back),
		cmocka_unit_test(a_gpu_is_claimed_once),
		cmocka_unit_test(a_killed_claimer_leaves_nothing),
		cmocka_unit_test(starts_are_told_apart),
		cmocka_unit_test(a_trap_in_place_of_a_file_is_refused),
		cmocka_unit_test(a_claim_with_a_second_name_counts),
		cmocka_unit_test(what_cannot_be_looked_at_counts),
		cmocka_unit_test(damaged_claims_count_without_a_name),
		cmocka_unit_test(huge_claims_count_without_a_name),
		cmocka_unit_test(other_names_are_nobodys_claim),
		cmocka_unit_test(an_unusable_directory_names_the_command),
		cmocka_unit_test(strangers_may_look_at_most),
		cmocka_unit_test(the_gate_is_waited_for),
		cmocka_unit_test(scans_do_not_disturb_claims),
		cmocka_unit_test(files_are_the_groups_whatever_the_umask),
		cmocka_unit_test(files_are_kept_and_rewritten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
