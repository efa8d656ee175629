// SPDX-License-Identifier: MIT
#include "vmm/held.h"

#include <string.h>

#include "tests/unit/hosts.h"
#include "tests/unit/records.h"
#include "tests/unit/testhv.h"

#define GPU   "0000:17:00.0"
#define OTHER "0000:97:00.0"
#define MINE  "11111111-2222-3333-4444-555555555555"
#define GONE  "99999999-2222-3333-4444-555555555555"

static struct record hold_of(const char *uuid, const char *address)
{
	struct record record = { .kind = RECORD_HELD,
				 .vm = (char *)"train",
				 .uuid = (char *)uuid,
				 .section = (char *)"[gpu]",
				 .user = (char *)"alice",
				 .since = 1 };

	strcpy(record.address, address);
	return record;
}

static void holds_are_judged(void **state)
{
	static const struct {
		const char *about;
		enum record_kind kind;
		bool is_damaged, is_unreadable;
		const char *defined; /* a UUID; NULL: libvirt was not asked */
		bool is_starting, is_claimed;
		bool is_stale;
	} cases[] = {
		{ "its VM is defined", RECORD_HELD, false, false, MINE, false, false, false },
		{ "its VM is gone", RECORD_HELD, false, false, GONE, false, false, true },
		{ "its VM is being started", RECORD_HELD, false, false, GONE, true, false, false },
		{ "somebody is starting with it", RECORD_HELD, false, false, GONE, false, true,
		  false },
		{ "libvirt was not asked", RECORD_HELD, false, false, NULL, false, false, false },
		{ "damaged", RECORD_HELD, true, false, NULL, false, false, true },
		{ "may not be read", RECORD_HELD, false, true, GONE, false, false, false },
		{ "drained", RECORD_DRAINED, true, false, GONE, false, false, false },
		{ "quarantined", RECORD_QUARANTINED, false, false, GONE, false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct record record = hold_of(MINE, GPU);
		struct record_list records = { &record, 1 };
		char claimed[1][DEVICE_ADDRESS_BYTES] = { GPU };
		struct lease_record start = { .uuid = cases[i].is_claimed ? NULL : (char *)MINE,
					      .gpus = claimed,
					      .gpu_count = 1 };
		const struct lease_records starts = { &start,
						      cases[i].is_starting || cases[i].is_claimed };
		struct hv_domain domain = { .uuid = (char *)cases[i].defined };
		const struct hv_domains domains = { &domain, 1 };

		print_message("  %s\n", cases[i].about);
		record.kind = cases[i].kind;
		record.is_damaged = cases[i].is_damaged;
		if (cases[i].is_damaged || cases[i].is_unreadable)
			record.problem = (char *)"problem";
		held_judge(&records, &starts, cases[i].defined == NULL ? NULL : &domains);
		assert_int_equal(record.is_stale, cases[i].is_stale);
	}
}

static void what_is_left_is_taken_over(void **state)
{
	const struct record kept = hold_of(MINE, GPU);
	const struct record left = hold_of(GONE, OTHER);
	CLEANUP(records_host) struct root *root = records_host();
	CLEANUP(text) char *held = records_path(root, RECORD_HELD, "");
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *xml = testhv_xml("train", MINE, "", "");
	CLEANUP(held_lines) struct held_lines lines = { 0 };
	CLEANUP(text) char *after = NULL;

	(void)state;
	testhv_define(hv, xml);
	records_write(root, &kept);
	records_write(root, &left);
	free(scratch_write(held, "0000:98:00.0", "{"));
	free(scratch_write(held, ".unfinished-" GPU, "{"));
	held_take_over(root, hv, root->dir, &lines);
	assert_int_equal(lines.count, 3);
	assert_string_equal(lines.lines[0],
			    "1 unfinished record of a gpuvm that was killed is removed");
	assert_string_equal(lines.lines[1], OTHER " is free again: VM \"train\", which it was held "
						  "for, is gone");
	assert_string_equal(lines.lines[2], "0000:98:00.0 is free again: its hold was damaged (it "
					    "is not JSON)");
	after = records_text(root);
	assert_string_equal(after, "held " GPU " train");
	held_take_over(root, hv, root->dir, &lines);
	assert_int_equal(lines.count, 3);
}

static void nothing_is_taken_over_elsewhere(void **state)
{
	const struct record left = hold_of(GONE, GPU);
	CLEANUP(records_host) struct root *root = records_host();
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(held_lines) struct held_lines lines = { 0 };
	CLEANUP(text) char *after = NULL;

	(void)state;
	records_write(root, &left);
	held_take_over(root, NULL, root->dir, &lines);
	root->live = false;
	held_take_over(root, hv, root->dir, &lines);
	root->live = true;
	setenv("GPUVM_TEST_URI", "qemu:///session", 1);
	held_take_over(root, hv, root->dir, &lines);
	unsetenv("GPUVM_TEST_URI");
	assert_int_equal(lines.count, 0);
	after = records_text(root);
	assert_string_equal(after, "held " GPU " train");
}

/* Placement on eight equal GPUs, two of which are held for the VM. */
static void held_gpus_are_taken_again(void **state)
{
	static const struct {
		const char *about, *uuid, *label, *match;
		unsigned count;
		bool drained; /* one of them, by now */
		bool is_kept;
	} cases[] = {
		{ "both", MINE, "[gpu]", "any", 2, false, true },
		{ "one would do", MINE, "[gpu]", "any", 1, false, true },
		{ "by name", MINE, "[gpu]", "H100", 2, false, true },
		{ "of another VM", GONE, "[gpu]", "any", 2, false, false },
		{ "of no VM yet", NULL, "[gpu]", "any", 2, false, false },
		{ "of another section", MINE, "[gpu:b]", "any", 2, false, false },
		{ "more are wanted", MINE, "[gpu]", "any", 3, false, false },
		{ "one is not free", MINE, "[gpu]", "any", 2, true, false },
	};
	struct record held[] = { hold_of(MINE, "0000:97:00.0"), hold_of(MINE, "0000:da:00.0") };
	const struct record_list records = { held, COUNT(held) };
	CLEANUP(root) struct root *root = hosts_open("gpu8");
	CLEANUP(host) struct host *host = NULL;
	struct fail fail = { 0 };

	(void)state;
	assert_int_equal(host_read(root, &host, &fail), 0);
	for (size_t i = 0; i < COUNT(held); i++)
		assert_non_null(gpu_find(host->gpus, held[i].address));
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct place_gpu_request gpu = { .count = cases[i].count,
						       .match = cases[i].match,
						       .label = cases[i].label };
		const struct place_request request = {
			.vcpus = 4, .memory_bytes = UINT64_C(4) << 30, .gpus = &gpu, .gpu_count = 1
		};
		const struct place_taken_gpu drained = { .address = held[0].address,
							 .holder = "a drain" };
		const struct place_taken taken = { .gpus = &drained,
						   .gpu_count = cases[i].drained };
		CLEANUP(placement) struct placement *placement = NULL;

		print_message("  %s\n", cases[i].about);
		assert_int_equal(held_place(&request, &records, cases[i].uuid, host, &taken,
					    &placement, &fail),
				 0);
		assert_int_equal(placement->gpu_count, cases[i].count);
		assert_int_equal(
			text_equal(placement->gpus[0].gpu->device->address, held[0].address),
			cases[i].is_kept);
		assert_int_equal(text_contains(placement->reasons[0].why,
					       "this VM holds from its last start"),
				 cases[i].is_kept);
	}
}

static void a_request_that_fails_fails_in_its_own_words(void **state)
{
	struct record held = hold_of(MINE, "0000:97:00.0");
	const struct record_list records = { &held, 1 };
	CLEANUP(root) struct root *root = hosts_open("gpu8");
	CLEANUP(host) struct host *host = NULL;
	const struct place_gpu_request gpu = { .count = 1, .match = "any", .label = "[gpu]" };
	const struct place_request request = {
		.vcpus = 4, .memory_bytes = UINT64_C(4) << 30, .gpus = &gpu, .gpu_count = 1
	};
	struct place_taken_gpu drained[9] = { 0 };
	struct place_taken taken = { .gpus = drained };
	CLEANUP(placement) struct placement *placement = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	assert_int_equal(host_read(root, &host, &fail), 0);
	assert_int_equal(host->gpus->count, COUNT(drained));
	for (; taken.gpu_count < COUNT(drained); taken.gpu_count++)
		drained[taken.gpu_count] = (struct place_taken_gpu){
			.address = host->gpus->gpus[taken.gpu_count].device->address,
			.holder = "a drain"
		};
	assert_int_equal(held_place(&request, &records, MINE, host, &taken, &placement, &fail), -1);
	assert_fails(&fail, FAIL_BUSY, "none of the 9 GPUs is free");
	assert_int_equal(fail.item_count, 1);
}

/* A start of a VM with two sections, of which the first asks to be held. */
struct start {
	struct spec_gpu sections[2];
	struct spec spec;
	struct device devices[2];
	struct gpu gpus[2];
	struct place_gpu placed[2];
	struct placement placement;
	struct held_start held;
};

static void start_init(struct start *start, const struct root *root,
		       const struct record_list *records, bool hold)
{
	*start = (struct start){ .sections = { { .label = (char *)"[gpu]", .hold = hold },
					       { .label = (char *)"[gpu:b]" } },
				 .devices = { { .address = GPU }, { .address = OTHER } } };
	start->spec.name = (char *)"train";
	start->spec.gpus = start->sections;
	start->spec.gpu_count = 2;
	for (size_t i = 0; i < 2; i++) {
		start->gpus[i].device = &start->devices[i];
		start->placed[i] = (struct place_gpu){ .gpu = &start->gpus[i], .request = i };
	}
	start->placement.gpus = start->placed;
	start->placement.gpu_count = 2;
	start->held = (struct held_start){ .root = root,
					   .spec = &start->spec,
					   .placement = &start->placement,
					   .records = records,
					   .uuid = MINE,
					   .user = "alice",
					   .uid = 1000 };
}

static void starts_hold_and_take_back(void **state)
{
	static const struct {
		const char *about;
		const char *before, *before_of; /* a hold: of a GPU, for a UUID */
		bool hold, fails;
		const char *during, *after;
	} cases[] = {
		{ "a first start", NULL, NULL, true, false, "held " GPU " train",
		  "held " GPU " train" },
		{ "a first start that fails", NULL, NULL, true, true, "held " GPU " train", "" },
		{ "no hold", NULL, NULL, false, false, "", "" },
		{ "again", GPU, MINE, true, false, "held " GPU " train", "held " GPU " train" },
		{ "again, and it fails", GPU, MINE, true, true, "held " GPU " train",
		  "held " GPU " train" },
		{ "no longer", GPU, MINE, false, false, "held " GPU " train", "" },
		{ "no longer, and it fails", GPU, MINE, false, true, "held " GPU " train",
		  "held " GPU " train" },
		{ "on another GPU", OTHER, MINE, true, false,
		  "held " GPU " train; held " OTHER " train", "held " GPU " train" },
		{ "on another GPU, and it fails", OTHER, MINE, true, true,
		  "held " GPU " train; held " OTHER " train", "held " OTHER " train" },
		{ "beside another VM's", OTHER, GONE, false, false, "held " OTHER " train",
		  "held " OTHER " train" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(records_host) struct root *root = records_host();
		CLEANUP(record_list) struct record_list *records = NULL;
		CLEANUP(text) char *during = NULL;
		CLEANUP(text) char *after = NULL;
		struct start start;
		struct fail fail = { 0 };

		print_message("  %s\n", cases[i].about);
		if (cases[i].before != NULL) {
			struct record before = hold_of(cases[i].before_of, cases[i].before);

			records_write(root, &before);
		}
		records = record_scan(root);
		start_init(&start, root, records, cases[i].hold);
		assert_int_equal(held_begin(&start.held, &fail), 0);
		during = records_text(root);
		assert_string_equal(during, cases[i].during);
		if (cases[i].fails)
			held_take_back(&start.held);
		else
			held_settle(&start.held);
		after = records_text(root);
		assert_string_equal(after, cases[i].after);
	}
}

/* To the last byte: who and since when included. */
static void what_is_taken_back_is_as_before(void **state)
{
	const struct record before = hold_of(MINE, GPU);
	CLEANUP(records_host) struct root *root = records_host();
	CLEANUP(record_list) struct record_list *records = NULL;
	CLEANUP(text) char *path = records_path(root, RECORD_HELD, GPU);
	CLEANUP(text) char *text = NULL;
	CLEANUP(text) char *during = NULL;
	CLEANUP(text) char *after = NULL;
	struct start start;
	struct fail fail = { 0 };

	(void)state;
	records_write(root, &before);
	text = root_text(root, RECORD_DIRECTORY "/held/" GPU);
	records = record_scan(root);
	start_init(&start, root, records, true);
	assert_int_equal(held_begin(&start.held, &fail), 0);
	during = root_text(root, RECORD_DIRECTORY "/held/" GPU);
	assert_string_not_equal(during, text);
	held_take_back(&start.held);
	after = root_text(root, RECORD_DIRECTORY "/held/" GPU);
	assert_string_equal(after, text);
}

static void all_or_none_are_held(void **state)
{
	CLEANUP(records_host) struct root *root = records_host();
	CLEANUP(text) char *path = records_path(root, RECORD_HELD, OTHER);
	CLEANUP(record_list) struct record_list *records = record_scan(root);
	CLEANUP(fail) struct fail fail = { 0 };
	struct start start;

	(void)state;
	assert_int_equal(mkdir(path, 0755), 0);
	start_init(&start, root, records, true);
	start.sections[1].hold = true;
	assert_int_equal(held_begin(&start.held, &fail), -1);
	assert_fails(&fail, FAIL_HOST, OTHER);
	assert_false(root_exists(root, RECORD_DIRECTORY "/held/" GPU));
}

static void a_vms_end_ends_its_holds(void **state)
{
	const struct record mine = hold_of(MINE, GPU);
	const struct record others = hold_of(GONE, OTHER);
	CLEANUP(records_host) struct root *root = records_host();
	CLEANUP(text) char *after = NULL;

	(void)state;
	records_write(root, &mine);
	records_write(root, &others);
	held_drop(root, MINE);
	after = records_text(root);
	assert_string_equal(after, "held " OTHER " train");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_are_judged),
		cmocka_unit_test(what_is_left_is_taken_over),
		cmocka_unit_test(nothing_is_taken_over_elsewhere),
		cmocka_unit_test(held_gpus_are_taken_again),
		cmocka_unit_test(a_request_that_fails_fails_in_its_own_words),
		cmocka_unit_test(starts_hold_and_take_back),
		cmocka_unit_test(what_is_taken_back_is_as_before),
		cmocka_unit_test(all_or_none_are_held),
		cmocka_unit_test(a_vms_end_ends_its_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
