// SPDX-License-Identifier: MIT
/* What release, drain and undrain tell of each GPU, and that they change none before all are checked. */
#include "vmm/keep.h"

#include <string.h>

#include "tests/unit/keeps.h"

#define SECOND "0000:97:00.0"
#define GONE   "0000:fe:00.0" /* no GPU of this host */

/* A VM that runs with both GPUs, and holds them; its UUID. The caller frees. */
static char *start(void)
{
	CLEANUP(text)
	char *spec = livehost_spec_with("vm", "address = " KEEPS_FIRST ", " SECOND "\nhold = yes");
	CLEANUP(launch) struct launch *launch = livehost_start(spec);

	return mem_strdup(launch->uuid);
}

static void forget_records(void)
{
	CLEANUP(record_list) struct record_list *list = record_scan(&keeps_here);
	struct fail fail = { 0 };

	for (size_t i = 0; i < list->count; i++)
		assert_int_equal(record_remove(&keeps_here, &list->records[i], &fail), 0);
}

/* The verb's result for the one GPU that is named. */
static struct keep *done(keep_verb *verb, const struct keep_options *options, const char *gpu)
{
	char *gpus[] = { (char *)gpu };
	CLEANUP(fail) struct fail fail = { 0 };
	struct keep *keep = NULL;

	assert_works(verb(options, gpus, 1, &keep, &fail), &fail);
	assert_int_equal(keep->count, 1);
	return keep;
}

static void refused(keep_verb *verb, const struct keep_options *options, enum fail_kind kind,
		    const char *word)
{
	char *gpus[] = { (char *)KEEPS_FIRST, (char *)SECOND };
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
	records_write(&keeps_here, &record);
}

/* The second is another user's: the first is left as it was too. */
static void none_is_changed_before_all_are_checked(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *uuid = start();

	(void)state;
	keeps_end(hv, uuid);
	write_record(RECORD_HELD, SECOND, uuid, testhv_uid() + 1);
	refused(keep_release, &keeps_mine, FAIL_REFUSED, "gpuvm release --force " SECOND);
	keeps_assert_records("held " KEEPS_FIRST " vm; held " SECOND " vm");
	forget_records();
	write_record(RECORD_DRAINED, SECOND, NULL, testhv_uid() + 1);
	refused(keep_drain, &keeps_mine, FAIL_REFUSED, "gpuvm drain --force " SECOND);
	keeps_assert_records("drained " SECOND " vm");
	write_record(RECORD_DRAINED, KEEPS_FIRST, NULL, testhv_uid());
	refused(keep_undrain, &keeps_mine, FAIL_REFUSED, "gpuvm undrain --force " SECOND);
	keeps_assert_records("drained " KEEPS_FIRST " vm; drained " SECOND " vm");
	forget_records();
}

static void whose_it_is_is_told(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *uuid = start();
	CLEANUP(keep) struct keep *drained = done(keep_drain, &keeps_mine, KEEPS_FIRST);
	CLEANUP(keep) struct keep *idle = done(keep_drain, &keeps_mine, "0000:da:00.0");
	CLEANUP(keep) struct keep *undrained = NULL;
	CLEANUP(keep) struct keep *released = NULL;

	(void)state;
	assert_true(text_starts(drained->gpus[0].vm, "VM \"vm\""));
	assert_null(idle->gpus[0].vm);
	undrained = done(keep_undrain, &keeps_mine, KEEPS_FIRST);
	assert_false(undrained->gpus[0].answered);
	keeps_end(hv, uuid);
	released = done(keep_release, &keeps_mine, KEEPS_FIRST);
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
	refused(keep_undrain, &keeps_forced, FAIL_BUSY, SECOND " stays in quarantine: VM \"vm\"");
	keeps_assert_records("quarantined " SECOND " vm");
	keeps_end(hv, uuid);
	keep = done(keep_undrain, &keeps_forced, SECOND);
	assert_int_equal(keep->gpus[0].outcome, KEEP_UNDRAINED);
	assert_true(keep->gpus[0].answered);
	keeps_assert_records("");
}

static void a_gpu_that_is_named_twice_is_one(void **state)
{
	char *gpus[] = { (char *)KEEPS_FIRST, (char *)"17:00.0", (char *)SECOND };
	CLEANUP(keep) struct keep *keep = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	assert_int_equal(keep_drain(&keeps_mine, gpus, COUNT(gpus), &keep, &fail), 0);
	assert_int_equal(keep->count, 2);
	assert_string_equal(keep->gpus[1].address, SECOND);
	forget_records();
}

static void a_card_that_was_taken_out_can_be_undrained(void **state)
{
	CLEANUP(keep) struct keep *keep = NULL;

	(void)state;
	write_record(RECORD_DRAINED, GONE, NULL, testhv_uid());
	keep = done(keep_undrain, &keeps_mine, GONE);
	assert_int_equal(keep->gpus[0].outcome, KEEP_UNDRAINED);
	keeps_assert_records("");
}

/* The record is the GPU's, whichever of its functions was named. */
static void a_function_stands_for_its_gpu(void **state)
{
	CLEANUP(keep) struct keep *keep = done(keep_drain, &keeps_mine, "08:00.1");

	(void)state;
	assert_string_equal(keep->gpus[0].address, "0000:08:00.0");
	keeps_assert_records("drained 0000:08:00.0 -");
}

int main(void)
{
	const struct CMUnitTest server[] = {
		cmocka_unit_test(none_is_changed_before_all_are_checked),
		cmocka_unit_test(whose_it_is_is_told),
		cmocka_unit_test(quarantine_lasts_while_a_vm_has_the_gpu),
		cmocka_unit_test(a_gpu_that_is_named_twice_is_one),
		cmocka_unit_test(a_card_that_was_taken_out_can_be_undrained),
	};
	const struct CMUnitTest workstation[] = { cmocka_unit_test(a_function_stands_for_its_gpu) };

	return LIVEHOST_RUN_TESTS(server, NULL) +
	       LIVEHOST_RUN_TESTS_ON("workstation", workstation, NULL);
}
