// SPDX-License-Identifier: MIT
/* A QEMU that was killed and does not end, as the kernel is still resetting its GPU. */
#include "vmm/finish.h"

#include <errno.h>

#include "tests/unit/testhv.h"

#define UUID "11111111-2222-3333-4444-555555555555"

static struct {
	bool is_killed;
	unsigned questions_left; /* until it is off; 0: never */
	unsigned told;           /* seconds that were counted down behind the kill */
} qemu;

/* As libvirt has it of a process that SIGKILL does not end (virProcessKillPainfullyDelay). */
virErrorPtr virGetLastError(void)
{
	static virError error = { .code = VIR_ERR_SYSTEM_ERROR, .int1 = EBUSY };

	return &error;
}

int virDomainDestroy(virDomainPtr domain)
{
	(void)domain;
	qemu.is_killed = true;
	return -1;
}

int virDomainIsActive(virDomainPtr domain)
{
	virDomainInfo info;

	if (qemu.is_killed && qemu.questions_left > 0 && --qemu.questions_left == 0)
		assert_int_equal(virDomainShutdown(domain), 0);
	assert_int_equal(virDomainGetInfo(domain, &info), 0);
	return info.state != VIR_DOMAIN_SHUTOFF;
}

static void count(void *data, const char *names, const char *state, unsigned left_s)
{
	(void)data;
	(void)left_s;
	assert_string_equal(names, "deaf");
	if (qemu.is_killed) {
		assert_string_equal(state, "killed; the kernel takes back its GPUs");
		qemu.told++;
	}
}

/* Stops it by force; it is off after so many questions. */
static int stop(unsigned questions, struct finish **ret_finish, struct fail *fail)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *metadata = testhv_metadata(testhv_uid(), "");
	CLEANUP(text)
	char *xml = testhv_xml("deaf", UUID, metadata, TESTHV_HOSTDEV("0xfe", "0x1f", "7"));
	const struct finish_options options = { .uri = TESTHV,
						.force = true,
						.timeout_s = 1,
						.kill_timeout_s = 2,
						.countdown = count };

	testhv_define(hv, xml);
	testhv_start(hv, UUID);
	memset(&qemu, 0, sizeof qemu);
	qemu.questions_left = questions;
	return finish_stop(&options, "deaf", ret_finish, fail);
}

static void its_end_is_waited_for(void **state)
{
	CLEANUP(finish) struct finish *finish = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	assert_works(stop(4, &finish, &fail), &fail);
	assert_true(qemu.is_killed);
	assert_int_equal(finish->outcome, FINISH_FORCED);
	assert_non_null(finish->giveback);
	assert_int_equal(qemu.told, 1);
}

static void but_not_for_ever(void **state)
{
	CLEANUP(fail) struct fail fail = { 0 };
	struct finish *finish = NULL;

	(void)state;
	assert_int_equal(stop(0, &finish, &fail), -1);
	assert_null(finish);
	assert_fails(&fail, FAIL_HOST, "the QEMU of VM \"deaf\" was killed and does not end");
	assert_string_equal(fail.items[0].cause,
			    "not within 2 s: the kernel has not taken back 0000:fe:1f.7, as when a "
			    "reset hangs");
	assert_int_equal(qemu.told, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_end_is_waited_for),
		cmocka_unit_test(but_not_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
