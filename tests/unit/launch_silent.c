// SPDX-License-Identifier: MIT
/* GPUs that do not answer, before a start and behind one that failed. */
#include "vmm/launch.h"

#include "tests/unit/failhv.h"
#include "tests/unit/records.h"

#define FIRST           "0000:17:00.0"
#define CONFIG(address) "/sys/bus/pci/devices/" address "/config"
#define ONES            "\377\377\377\377"
#define SEEN            " does not answer: its configuration space reads as all ones"

static char *records_of_host(void)
{
	CLEANUP(root) struct root *root = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	assert_works(root_open(NULL, &root, &fail), &fail);
	return records_text(root);
}

/* It answers again, and nothing is kept of it. */
static void mend(const char *address)
{
	CLEANUP(text) char *config = text_format("/sys/bus/pci/devices/%s/config", address);
	CLEANUP(text) char *record = text_format(RECORD_DIRECTORY "/quarantined/%s", address);

	(void)unlink(config);
	(void)unlink(record);
}

/* Whoever asks by words gets another one. */
static void a_start_goes_around_it(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *spec = livehost_spec("vm");
	CLEANUP(text) char *records = NULL;
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	scratch_fill(CONFIG(FIRST), ONES);
	launch = livehost_start(spec);
	assert_string_not_equal(launch->placement->gpus[0].gpu->device->address, FIRST);
	assert_int_equal(launch->silent->count, 1);
	assert_string_equal(launch->silent->gpus[0].address, FIRST);
	assert_string_equal(launch->silent->gpus[0].seen, FIRST SEEN);
	assert_int_equal(launch->silent->gpus[0].fail.kind, FAIL_NONE);
	records = records_of_host();
	assert_true(text_contains(records, "quarantined " FIRST));
	mend(FIRST);
	assert_works(hv_destroy(hv, launch->uuid, &fail), &fail);
}

static void a_plan_goes_around_it_and_records_nothing(void **state)
{
	const struct launch_options options = livehost_options();
	CLEANUP(text) char *spec = livehost_spec("vm");
	CLEANUP(text) char *records = NULL;
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	scratch_fill(CONFIG(FIRST), ONES);
	assert_works(launch_plan(&options, spec, &launch, &fail), &fail);
	assert_string_not_equal(launch->placement->gpus[0].gpu->device->address, FIRST);
	assert_null(launch->silent);
	records = records_of_host();
	assert_string_equal(records, "");
	mend(FIRST);
}

/* Who insists on it is refused. */
static void by_address_it_is_refused(void **state)
{
	const struct launch_options options = livehost_options();
	CLEANUP(text) char *spec = livehost_spec_with("vm", "address = " FIRST);
	CLEANUP(text) char *records = NULL;
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	scratch_fill(CONFIG(FIRST), ONES);
	assert_int_equal(launch_start(&options, spec, &launch, &fail), -1);
	assert_fails(&fail, FAIL_HOST, FIRST SEEN);
	records = records_of_host();
	assert_true(text_contains(records, "quarantined " FIRST));
	mend(FIRST);
}

static void fall_off_the_bus(void *data, const char *step, const char *says)
{
	(void)data;
	(void)says;
	if (!text_equal(step, "start"))
		return;
	scratch_fill(CONFIG(FIRST), ONES);
	failhv_arm(FAILHV_REFUSED, 1);
}

static void what_a_failed_start_lost_is_quarantined(void **state)
{
	struct launch_options options = livehost_options();
	CLEANUP(text) char *spec = livehost_spec_with("vm", "address = " FIRST);
	CLEANUP(text) char *records = NULL;
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	options.progress = fall_off_the_bus;
	assert_int_equal(launch_start(&options, spec, &launch, &fail), -1);
	failhv_disarm();
	assert_fails(&fail, FAIL_HV, "could not start");
	assert_int_equal(launch->lost->count, 1);
	assert_string_equal(launch->lost->gpus[0].seen, FIRST SEEN);
	records = records_of_host();
	assert_true(text_contains(records, "quarantined " FIRST " vm"));
	mend(FIRST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_goes_around_it_and_records_nothing),
		cmocka_unit_test(a_start_goes_around_it),
		cmocka_unit_test(by_address_it_is_refused),
		cmocka_unit_test(what_a_failed_start_lost_is_quarantined),
	};

	return LIVEHOST_RUN_TESTS(tests, failhv_remember);
}
