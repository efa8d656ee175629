// SPDX-License-Identifier: MIT
/* What release, drain and undrain tell of each GPU, and that they change none before all are checked. */
#include "vmm/keep.h"

#include <string.h>

#include "tests/unit/livehost.h"

#define FIRST  "0000:17:00.0"
#define SECOND "0000:97:00.0"
#define GONE   "0000:fe:00.0" /* no GPU of this host */

static const struct keep_options mine = { .uri = TESTHV, .lease_directory = LIVEHOST_LEASES };
static const struct keep_options forced = { .uri = TESTHV,
					    .lease_directory = LIVEHOST_LEASES,
					    .force = true };
static const struct root here = { .dir = (char *)"", .live = true };

typedef int change_verb(const struct keep_options *options, char *const *gpus, size_t count,
			struct keep **ret_keep, struct fail *fail);

/* A VM that runs with both GPUs, and holds them; its UUID. The caller frees. */
static char *start(void)
{
	const struct launch_options options = livehost_options();
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(text)
	char *spec = scratch_write("", "vm.ini",
				   "[vm]\nname = vm\nvcpus = 4\nmemory = 4 GiB\n"
				   "[gpu]\naddress = " FIRST ", " SECOND "\nhold = yes\n"
				   "[disk]\nimage = /vm.qcow2\n[network]\nsource = none\n");

	if (launch_start(&options, spec, &launch, &fail) < 0)
		fail_msg("%s / %s", fail.items[0].what, fail.items[0].cause);
	return mem_strdup(launch->uuid);
}

static void end(struct hv *hv, const char *uuid)
{
	struct fail fail = { 0 };

	assert_int_equal(hv_destroy(hv, uuid, &fail), 0);
}

static void assert_records(const char *expected)
{
	CLEANUP(text) char *text = records_text(&here);

	assert_string_equal(text, expected);
}

static void forget_records(void)
{
	CLEANUP(record_list) struct record_list *list = record_scan(&here);
	struct fail fail = { 0 };

	for (size_t i = 0; i < list->count; i++)
		assert_int_equal(record_remove(&here, &list->records[i], &fail), 0);
}

/* The verb's result for the one GPU that is named. */
static struct keep *done(change_verb *verb, const struct keep_options *options, const char *gpu)
{
	char *gpus[] = { (char *)gpu };
	CLEANUP(fail) struct fail fail = { 0 };
	struct keep *keep = NULL;

	if (verb(options, gpus, 1, &keep, &fail) < 0)
		fail_msg("%s / %s", fail.items[0].what, fail.items[0].cause);
	assert_int_equal(keep->count, 1);
	return keep;
}

static void refused(change_verb *verb, const struct keep_options *options, enum fail_kind kind,
		    const char *word)
{
	char *gpus[] = { (char *)FIRST, (char *)SECOND };
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(keep) struct keep *keep = NULL;

	assert_int_equal(verb(options, gpus, 2, &keep, &fail), -1);
	assert_fails(&fail, kind, word);
}

static void write_record(enum record_kind kind, const char *gpu, const char *uuid, unsigned uid)
{
	struct record record = { .kind = kind,
				 .vm = (char *)"vm",
				 .uuid = (char *)uuid,
				 .user = (char *)"bob",
				 .uid = uid };

	strcpy(record.address, gpu);
	records_write(&here, &record);
}

/* The second is another user's: the first is left as it was too. */
static void none_is_changed_before_all_are_checked(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(owner) struct owner *owner = owner_of_caller();
	CLEANUP(text) char *uuid = start();

	(void)state;
	end(hv, uuid);
	write_record(RECORD_HELD, SECOND, uuid, owner->uid + 1);
	refused(keep_release, &mine, FAIL_REFUSED, "gpuvm release --force " SECOND);
	assert_records("held " FIRST " vm; held " SECOND " vm");
	forget_records();
	write_record(RECORD_DRAINED, SECOND, NULL, owner->uid + 1);
	refused(keep_drain, &mine, FAIL_REFUSED, "gpuvm drain --force " SECOND);
	assert_records("drained " SECOND " vm");
	write_record(RECORD_DRAINED, FIRST, NULL, owner->uid);
	refused(keep_undrain, &mine, FAIL_REFUSED, "gpuvm undrain --force " SECOND);
	assert_records("drained " FIRST " vm; drained " SECOND " vm");
	forget_records();
}

static void whose_it_is_is_told(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *uuid = start();
	CLEANUP(keep) struct keep *drained = done(keep_drain, &mine, FIRST);
	CLEANUP(keep) struct keep *idle = done(keep_drain, &mine, "0000:da:00.0");
	CLEANUP(keep) struct keep *undrained = NULL;
	CLEANUP(keep) struct keep *released = NULL;

	(void)state;
	assert_true(text_starts(drained->gpus[0].vm, "VM \"vm\""));
	assert_null(idle->gpus[0].vm);
	undrained = done(keep_undrain, &mine, FIRST);
	assert_false(undrained->gpus[0].answered);
	end(hv, uuid);
	released = done(keep_release, &mine, FIRST);
	assert_string_equal(released->gpus[0].vm, "vm");
	forget_records();
}

/* By force neither: the VM would lose it to the next. */
static void quarantine_lasts_while_a_vm_has_the_gpu(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *uuid = start();
	CLEANUP(keep) struct keep *keep = NULL;

	(void)state;
	forget_records();
	write_record(RECORD_QUARANTINED, SECOND, uuid, 0);
	refused(keep_undrain, &forced, FAIL_BUSY, SECOND " stays in quarantine: VM \"vm\"");
	assert_records("quarantined " SECOND " vm");
	end(hv, uuid);
	keep = done(keep_undrain, &forced, SECOND);
	assert_int_equal(keep->gpus[0].outcome, KEEP_UNDRAINED);
	assert_true(keep->gpus[0].answered);
	assert_records("");
}

static void a_gpu_that_is_named_twice_is_one(void **state)
{
	char *gpus[] = { (char *)FIRST, (char *)"17:00.0", (char *)SECOND };
	CLEANUP(keep) struct keep *keep = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	assert_int_equal(keep_drain(&mine, gpus, COUNT(gpus), &keep, &fail), 0);
	assert_int_equal(keep->count, 2);
	assert_string_equal(keep->gpus[1].address, SECOND);
	forget_records();
}

static void a_card_that_was_taken_out_can_be_undrained(void **state)
{
	CLEANUP(owner) struct owner *owner = owner_of_caller();
	CLEANUP(keep) struct keep *keep = NULL;

	(void)state;
	write_record(RECORD_DRAINED, GONE, NULL, owner->uid);
	keep = done(keep_undrain, &mine, GONE);
	assert_int_equal(keep->gpus[0].outcome, KEEP_UNDRAINED);
	assert_records("");
}

/* The record is the GPU's, whichever of its functions was named. */
static void a_function_stands_for_its_gpu(void **state)
{
	CLEANUP(keep) struct keep *keep = done(keep_drain, &mine, "08:00.1");

	(void)state;
	assert_string_equal(keep->gpus[0].address, "0000:08:00.0");
	assert_records("drained 0000:08:00.0 -");
}

static int server(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_is_changed_before_all_are_checked),
		cmocka_unit_test(whose_it_is_is_told),
		cmocka_unit_test(quarantine_lasts_while_a_vm_has_the_gpu),
		cmocka_unit_test(a_gpu_that_is_named_twice_is_one),
		cmocka_unit_test(a_card_that_was_taken_out_can_be_undrained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

static int workstation(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_function_stands_for_its_gpu) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

static void on_a_live_server(void **state)
{
	(void)state;
	livehost_run("gpu8", server);
}

static void on_a_live_workstation(void **state)
{
	(void)state;
	livehost_run("workstation", workstation);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_a_live_server),
		cmocka_unit_test(on_a_live_workstation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
