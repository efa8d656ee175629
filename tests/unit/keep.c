// SPDX-License-Identifier: MIT
#include "vmm/keep.h"

#include "tests/unit/leases.h"
#include "tests/unit/keeps.h"
#include "vmm/finish.h"

/* Holds, drains and quarantines through whole starts and ends of VMs. */

static struct launch *start(const char *name, const char *gpu)
{
	CLEANUP(text) char *spec = livehost_spec_with(name, gpu);

	return livehost_start(spec);
}

static void refuse(const char *name, const char *gpu, enum fail_kind kind, const char *word)
{
	const struct launch_options options = livehost_options();
	CLEANUP(text) char *spec = livehost_spec_with(name, gpu);
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(launch) struct launch *launch = NULL;

	assert_int_equal(launch_start(&options, spec, &launch, &fail), -1);
	assert_fails(&fail, kind, word);
}

static void delete (const char *name)
{
	const struct finish_options options = { .uri = TESTHV, .force = true };
	CLEANUP(finish) struct finish *finish = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	assert_int_equal(finish_delete(&options, name, &finish, &fail), 0);
}

static void assert_done(keep_verb *verb, const struct keep_options *options, const char *gpu,
			enum keep_outcome outcome)
{
	char *gpus[] = { (char *)gpu };
	CLEANUP(keep) struct keep *keep = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	assert_works(verb(options, gpus, 1, &keep, &fail), &fail);
	assert_int_equal(keep->count, 1);
	assert_int_equal(keep->gpus[0].outcome, outcome);
	assert_string_equal(keep->gpus[0].address, KEEPS_FIRST);
}

static void assert_not_done(keep_verb *verb, const struct keep_options *options, const char *gpu,
			    enum fail_kind kind, const char *word)
{
	char *gpus[] = { (char *)KEEPS_FIRST, (char *)gpu };
	CLEANUP(keep) struct keep *keep = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	assert_int_equal(verb(options, gpus, 2, &keep, &fail), -1);
	assert_fails(&fail, kind, word);
	assert_null(keep);
}

static void a_hold_lasts_while_the_vm_is_off(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(launch)
	struct launch *first = start("first", "address = " KEEPS_FIRST "\nhold = yes");
	CLEANUP(launch) struct launch *second = NULL;
	CLEANUP(launch) struct launch *again = NULL;
	CLEANUP(launch) struct launch *last = NULL;

	(void)state;
	keeps_assert_records("held " KEEPS_FIRST " first");
	assert_not_done(keep_release, &keeps_mine, KEEPS_FIRST, FAIL_BUSY,
			"VM \"first\" is running");
	assert_not_done(keep_release, &keeps_mine, KEEPS_FIRST, FAIL_BUSY,
			"gpuvm stop first   and when it is off: gpuvm release " KEEPS_FIRST);
	refuse("second", "address = " KEEPS_FIRST, FAIL_BUSY, "gpuvm stop first");
	keeps_end(hv, first->uuid);
	keeps_assert_records("held " KEEPS_FIRST " first");
	/* Another VM is refused by name, or goes elsewhere. */
	refuse("second", "address = " KEEPS_FIRST, FAIL_BUSY,
	       KEEPS_FIRST " is held for VM \"first\" of ");
	refuse("second", "address = " KEEPS_FIRST, FAIL_BUSY, ", which is off");
	refuse("second", "address = " KEEPS_FIRST, FAIL_BUSY, "gpuvm release " KEEPS_FIRST);
	refuse("second", "count = 8", FAIL_BUSY, "gpuvm release " KEEPS_FIRST);
	second = start("second", "match = any");
	assert_string_not_equal(second->placement->gpus[0].gpu->device->address, KEEPS_FIRST);
	keeps_assert_records("held " KEEPS_FIRST " first");
	keeps_end(hv, second->uuid);
	/* The VM itself gets it again. */
	again = start("first", "address = " KEEPS_FIRST "\nhold = yes");
	assert_string_equal(again->uuid, first->uuid);
	keeps_end(hv, again->uuid);
	keeps_assert_records("held " KEEPS_FIRST " first");
	/* Without the key the next start ends it. */
	last = start("first", "address = " KEEPS_FIRST);
	keeps_assert_records("");
	keeps_end(hv, last->uuid);
	delete ("first");
	delete ("second");
}

static void a_held_gpu_is_preferred(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(launch)
	struct launch *named = start("first", "address = 0000:97:00.0\nhold = yes");
	CLEANUP(launch) struct launch *any = NULL;

	(void)state;
	keeps_end(hv, named->uuid);
	any = start("first", "match = any\nhold = yes");
	assert_string_equal(any->placement->gpus[0].gpu->device->address, "0000:97:00.0");
	keeps_end(hv, any->uuid);
	delete ("first");
	keeps_assert_records("");
}

static void a_start_that_fails_holds_nothing(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *before = testhv_everything(hv);
	CLEANUP(text) char *after = NULL;

	(void)state;
	refuse("unwanted", "address = " KEEPS_FIRST "\nhold = yes", FAIL_HV, NULL);
	keeps_assert_records("");
	refuse("broken", "address = " KEEPS_FIRST "\nhold = yes", FAIL_HV, NULL);
	keeps_assert_records("");
	after = testhv_everything(hv);
	assert_string_equal(before, after);
}

static void a_hold_that_cannot_be_written_stops_the_start(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *before = testhv_everything(hv);
	CLEANUP(text) char *after = NULL;

	(void)state;
	assert_int_equal(mkdir("/var/lib/gpuvm/held/" KEEPS_FIRST, 0755), 0);
	free(scratch_write("/var/lib/gpuvm/held/" KEEPS_FIRST, "file", ""));
	refuse("first", "address = " KEEPS_FIRST "\nhold = yes", FAIL_HOST, "sudo rm -r");
	assert_int_equal(unlink("/var/lib/gpuvm/held/" KEEPS_FIRST "/file"), 0);
	assert_int_equal(rmdir("/var/lib/gpuvm/held/" KEEPS_FIRST), 0);
	after = testhv_everything(hv);
	assert_string_equal(before, after);
}

static struct record hold_of(const char *uuid, unsigned uid)
{
	return (struct record){ .kind = RECORD_HELD,
				.address = KEEPS_FIRST,
				.vm = (char *)"ghost",
				.uuid = (char *)uuid,
				.user = (char *)"bob",
				.uid = uid };
}

/* As a gpuvm leaves it that is killed before libvirt knows of its VM. */
static void what_the_dead_held_is_taken_over(void **state)
{
	const struct record left = hold_of(KEEPS_GONE, 0);
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(launch) struct launch *launch = NULL;

	(void)state;
	records_write(&keeps_here, &left);
	launch = start("first", "address = " KEEPS_FIRST);
	assert_int_equal(launch->taken_over.count, 1);
	assert_string_equal(launch->taken_over.lines[0], KEEPS_FIRST
			    " is free again: VM \"ghost\", which it was held for, is gone");
	keeps_assert_records("");
	keeps_end(hv, launch->uuid);
	delete ("first");
}

static void holds_are_released(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(launch)
	struct launch *launch = start("first", "address = " KEEPS_FIRST "\nhold = yes");
	struct record others = hold_of(launch->uuid, testhv_uid() + 1);

	(void)state;
	keeps_end(hv, launch->uuid);
	assert_not_done(keep_release, &keeps_mine, "0000:fe:00.0", FAIL_USAGE, "no such GPU");
	assert_not_done(keep_release, &keeps_mine, "first", FAIL_USAGE, "not a PCI address");
	keeps_assert_records("held " KEEPS_FIRST " first");
	assert_done(keep_release, &keeps_mine, "17:00.0", KEEP_RELEASED);
	keeps_assert_records("");
	assert_done(keep_release, &keeps_mine, KEEPS_FIRST, KEEP_WAS_NOT_HELD);
	records_write(&keeps_here, &others);
	assert_not_done(keep_release, &keeps_mine, KEEPS_FIRST, FAIL_REFUSED,
			"gpuvm release --force " KEEPS_FIRST);
	keeps_assert_records("held " KEEPS_FIRST " ghost");
	assert_done(keep_release, &keeps_forced, KEEPS_FIRST, KEEP_RELEASED);
	keeps_assert_records("");
	delete ("first");
}

/* What a start has claimed it may just be about to hold. */
static void a_hold_is_not_released_from_a_start(void **state)
{
	struct record hold = hold_of(KEEPS_GONE, testhv_uid());
	const struct leases_claimer ghost = {
		LIVEHOST_LEASES, "ghost", KEEPS_GONE, { KEEPS_FIRST }
	};
	CLEANUP(text) char *by_whom = text_format("by alice (pid %d)", getpid());
	struct lease_claim *claim;
	struct fail fail = { 0 };

	(void)state;
	records_write(&keeps_here, &hold);
	claim = leases_claim(&ghost, &fail);
	assert_non_null(claim);
	assert_not_done(keep_release, &keeps_mine, KEEPS_FIRST, FAIL_BUSY,
			"VM \"ghost\" is being started");
	assert_not_done(keep_release, &keeps_mine, KEEPS_FIRST, FAIL_BUSY, by_whom);
	keeps_assert_records("held " KEEPS_FIRST " ghost");
	lease_release(claim);
	/* And if that start dies, its hold is nobody's. */
	assert_done(keep_release, &keeps_mine, KEEPS_FIRST, KEEP_WAS_NOT_HELD);
	keeps_assert_records("");
}

static void drained_gpus_take_no_new_vm(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(owner) struct owner *owner = owner_of_caller();
	CLEANUP(launch) struct launch *launch = start("first", "address = " KEEPS_FIRST);
	CLEANUP(launch) struct launch *after = NULL;
	struct keep_options why = keeps_mine;
	struct record others = { .kind = RECORD_DRAINED,
				 .address = KEEPS_FIRST,
				 .user = (char *)"bob",
				 .uid = owner->uid + 1 };
	CLEANUP(record_list) struct record_list *records = NULL;

	(void)state;
	why.reason = "fan\n\xff";
	assert_done(keep_drain, &why, KEEPS_FIRST, KEEP_DRAINED);
	records = record_scan(&keeps_here);
	assert_string_equal(records->records[0].reason, "fan\\x0a\\xff");
	assert_string_equal(records->records[0].user, owner->name);
	assert_int_equal(records->records[0].uid, owner->uid);
	assert_true(testhv_is_active(hv, launch->uuid));
	keeps_end(hv, launch->uuid);
	refuse("first", "address = " KEEPS_FIRST, FAIL_BUSY, KEEPS_FIRST " is drained by ");
	refuse("first", "address = " KEEPS_FIRST, FAIL_BUSY, "gpuvm undrain " KEEPS_FIRST);
	assert_done(keep_undrain, &keeps_mine, KEEPS_FIRST, KEEP_UNDRAINED);
	assert_done(keep_undrain, &keeps_mine, KEEPS_FIRST, KEEP_WAS_NOT_DRAINED);
	records_write(&keeps_here, &others);
	assert_not_done(keep_undrain, &keeps_mine, KEEPS_FIRST, FAIL_REFUSED,
			"gpuvm undrain --force " KEEPS_FIRST);
	assert_not_done(keep_drain, &keeps_mine, KEEPS_FIRST, FAIL_REFUSED,
			"gpuvm drain --force " KEEPS_FIRST);
	assert_done(keep_undrain, &keeps_forced, KEEPS_FIRST, KEEP_UNDRAINED);
	after = start("first", "address = " KEEPS_FIRST);
	keeps_end(hv, after->uuid);
	delete ("first");
}

static void set_vendor(const char *vendor)
{
	CLEANUP(text)
	char *path = root_path(&keeps_here, "/sys/bus/pci/devices/" KEEPS_FIRST "/config");
	CLEANUP(file) FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(vendor, 1, 4, file), 4);
}

static void quarantine_ends_when_the_gpu_answers(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	struct finish_options options = { .uri = TESTHV, .timeout_s = 1 };
	CLEANUP(finish) struct finish *finish = NULL;
	CLEANUP(launch) struct launch *launch = start("first", "address = " KEEPS_FIRST);
	CLEANUP(launch) struct launch *after = NULL;
	const struct record early = { .kind = RECORD_QUARANTINED, .address = KEEPS_FIRST };
	struct fail fail = { 0 };

	(void)state;
	records_write(&keeps_here, &early);
	assert_not_done(keep_undrain, &keeps_forced, KEEPS_FIRST, FAIL_BUSY,
			"gpuvm stop first   and when it is off: gpuvm undrain " KEEPS_FIRST);
	set_vendor("\xff\xff\xff\xff");
	assert_int_equal(finish_stop(&options, "first", &finish, &fail), 0);
	assert_int_equal(finish->quarantine->count, 1);
	keeps_assert_records("quarantined " KEEPS_FIRST " first");
	refuse("first", "address = " KEEPS_FIRST, FAIL_BUSY,
	       KEEPS_FIRST " is quarantined: " KEEPS_FIRST " does not");
	assert_not_done(keep_undrain, &keeps_forced, KEEPS_FIRST, FAIL_HOST, "stays in quarantine");
	keeps_assert_records("quarantined " KEEPS_FIRST " first");
	set_vendor("\xde\x10\x30\x23");
	assert_done(keep_undrain, &keeps_mine, KEEPS_FIRST, KEEP_UNDRAINED);
	keeps_assert_records("");
	after = start("first", "address = " KEEPS_FIRST);
	keeps_end(hv, after->uuid);
	delete ("first");
}

/* Whoever may not end the second must not have ended the first. */
static void all_are_checked_before_any_is_changed(void **state)
{
	struct record own = { .kind = RECORD_DRAINED, .address = KEEPS_FIRST, .uid = testhv_uid() };
	struct record others = { .kind = RECORD_DRAINED,
				 .address = "0000:2a:00.0",
				 .uid = testhv_uid() + 1 };

	(void)state;
	records_write(&keeps_here, &own);
	records_write(&keeps_here, &others);
	assert_not_done(keep_undrain, &keeps_mine, "0000:2a:00.0", FAIL_REFUSED, "its user");
	keeps_assert_records("drained 0000:2a:00.0 -; drained " KEEPS_FIRST " -");
	assert_int_equal(unlink("/var/lib/gpuvm/drained/" KEEPS_FIRST), 0);
	assert_int_equal(unlink("/var/lib/gpuvm/drained/0000:2a:00.0"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hold_lasts_while_the_vm_is_off),
		cmocka_unit_test(a_held_gpu_is_preferred),
		cmocka_unit_test(a_start_that_fails_holds_nothing),
		cmocka_unit_test(a_hold_that_cannot_be_written_stops_the_start),
		cmocka_unit_test(what_the_dead_held_is_taken_over),
		cmocka_unit_test(holds_are_released),
		cmocka_unit_test(a_hold_is_not_released_from_a_start),
		cmocka_unit_test(drained_gpus_take_no_new_vm),
		cmocka_unit_test(quarantine_ends_when_the_gpu_answers),
		cmocka_unit_test(all_are_checked_before_any_is_changed),
	};

	return LIVEHOST_RUN_TESTS(tests, NULL);
}
