// SPDX-License-Identifier: MIT
#include "vmm/finish.h"

#include <string.h>

#include "tests/unit/testhv.h"
#include "vmm/base/clock.h"
#include "vmm/domxml.h"

#define UUID "11111111-2222-3333-4444-555555555555"

enum start {
	OFF,
	RUNNING,
	PAUSED
};

/* One VM, and what becomes of it. The driver's names say how its guest behaves: see testhv.h. */
struct vm {
	const char *about, *name;
	bool is_ours, is_mine;
	enum start start;
	bool force;
	enum finish_outcome outcome;
	enum fail_kind kind; /* FAIL_NONE: it succeeds */
	const char *word;
	bool is_active_after;
};

static void suspend(const char *name)
{
	virConnectPtr connection = virConnectOpen(TESTHV);
	virDomainPtr domain = virDomainLookupByName(connection, name);

	assert_int_equal(virDomainSuspend(domain), 0);
	virDomainFree(domain);
	virConnectClose(connection);
}

static struct hv *host_with(const struct vm *vm)
{
	struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *metadata = testhv_metadata(testhv_uid() + !vm->is_mine, "");
	CLEANUP(text) char *xml = testhv_xml(vm->name, UUID, vm->is_ours ? metadata : "", "");

	testhv_define(hv, xml);
	if (vm->start != OFF)
		testhv_start(hv, UUID);
	if (vm->start == PAUSED)
		suspend(vm->name);
	return hv;
}

static void assert_end(const struct vm *vm, struct hv *hv, const struct finish *finish)
{
	assert_int_equal(finish == NULL, vm->kind != FAIL_NONE);
	if (finish != NULL) {
		assert_int_equal(finish->outcome, vm->outcome);
		assert_string_equal(finish->name, vm->name);
		assert_string_equal(finish->guest->name, vm->name);
	}
	assert_int_equal(testhv_is_active(hv, UUID), vm->is_active_after);
}

static const struct vm stopped[] = {
	{ "a guest that obeys", "vm", true, true, RUNNING, false, FINISH_STOPPED, FAIL_NONE, NULL,
	  false },
	{ "with force, a guest that obeys", "vm", true, true, RUNNING, true, FINISH_STOPPED,
	  FAIL_NONE, NULL, false },
	{ "off already", "vm", true, true, OFF, false, FINISH_WAS_OFF, FAIL_NONE, NULL, false },
	{ "a guest that does not hear", "deaf", true, true, RUNNING, false, FINISH_STOPPED,
	  FAIL_BUSY, "did not shut down within 1 s", true },
	{ "the way out", "deaf", true, true, RUNNING, false, FINISH_STOPPED, FAIL_BUSY,
	  "gpuvm stop --timeout 2 deaf   or cut its power: gpuvm stop --force deaf", true },
	{ "force", "deaf", true, true, RUNNING, true, FINISH_FORCED, FAIL_NONE, NULL, false },
	{ "paused", "deaf-paused", true, true, PAUSED, false, FINISH_STOPPED, FAIL_BUSY,
	  "it is paused by a user", true },
	{ "paused, by force", "deaf-paused", true, true, PAUSED, true, FINISH_FORCED, FAIL_NONE,
	  NULL, false },
	{ "a guest that cannot be asked", "mute", true, true, RUNNING, false, FINISH_STOPPED,
	  FAIL_HV, "already running", true },
	{ "a guest that cannot be asked, by force", "mute", true, true, RUNNING, true,
	  FINISH_FORCED, FAIL_NONE, NULL, false },
	{ "another's", "vm", true, false, RUNNING, false, FINISH_STOPPED, FAIL_REFUSED,
	  "gpuvm stop --force vm", true },
	{ "another's, by force", "vm", true, false, RUNNING, true, FINISH_STOPPED, FAIL_NONE, NULL,
	  false },
	{ "another tool's", "vm", false, true, RUNNING, true, FINISH_STOPPED, FAIL_REFUSED,
	  "is not gpuvm's", true },
};

static void vms_are_stopped(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(stopped); i++) {
		CLEANUP(hv) struct hv *hv = host_with(&stopped[i]);
		struct finish_options options = { .uri = TESTHV,
						  .force = stopped[i].force,
						  .timeout_s = 1 };
		CLEANUP(finish) struct finish *finish = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", stopped[i].about);
		assert_result(finish_stop(&options, stopped[i].name, &finish, &fail), &fail,
			      stopped[i].kind, stopped[i].word);
		assert_end(&stopped[i], hv, finish);
		/* Drivers are looked at exactly if it ran until now. */
		if (finish != NULL)
			assert_int_equal(finish->giveback == NULL,
					 stopped[i].outcome == FINISH_WAS_OFF);
	}
}

static const struct vm deleted[] = {
	{ "off", "vm", true, true, OFF, false, FINISH_DELETED, FAIL_NONE, NULL, false },
	{ "running", "vm", true, true, RUNNING, false, FINISH_DELETED, FAIL_BUSY, "gpuvm stop vm",
	  true },
	{ "running, by force", "vm", true, true, RUNNING, true, FINISH_DELETED, FAIL_BUSY,
	  "is running", true },
	{ "another's", "vm", true, false, OFF, false, FINISH_DELETED, FAIL_REFUSED,
	  "gpuvm delete --force vm", false },
	{ "another's, by force", "vm", true, false, OFF, true, FINISH_DELETED, FAIL_NONE, NULL,
	  false },
	{ "another tool's", "vm", false, true, OFF, true, FINISH_DELETED, FAIL_REFUSED,
	  "is not gpuvm's", false },
};

static void vms_are_deleted(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(deleted); i++) {
		CLEANUP(hv) struct hv *hv = host_with(&deleted[i]);
		CLEANUP(text) char *everything = NULL;
		struct finish_options options = { .uri = TESTHV,
						  .force = deleted[i].force,
						  .timeout_s = 1 };
		CLEANUP(finish) struct finish *finish = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", deleted[i].about);
		assert_result(finish_delete(&options, deleted[i].name, &finish, &fail), &fail,
			      deleted[i].kind, deleted[i].word);
		assert_end(&deleted[i], hv, finish);
		everything = testhv_everything(hv);
		assert_int_equal(text_contains(everything, UUID), deleted[i].kind != FAIL_NONE);
	}
}

static void a_vm_that_is_not_there_is_a_usage_error(void **state)
{
	int (*const ends[])(const struct finish_options *options, const char *name,
			    struct finish **ret_finish,
			    struct fail *fail) = { finish_stop, finish_delete };
	static const struct {
		const char *uri, *name;
		enum fail_kind kind;
		const char *word;
	} cases[] = {
		{ TESTHV, "nosuch", FAIL_USAGE, "there is no VM named \"nosuch\"" },
		{ TESTHV, "", FAIL_USAGE, "gpuvm list" },
		{ TESTHV, "TEST", FAIL_USAGE, "gpuvm list" },
		{ "test:////nonexistent/node.xml", "vm", FAIL_HV, "no connection" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases) * COUNT(ends); i++) {
		struct finish_options options = { .uri = cases[i / 2].uri, .timeout_s = 1 };
		CLEANUP(fail) struct fail fail = { 0 };
		struct finish *finish = NULL;

		assert_int_equal(ends[i % 2](&options, cases[i / 2].name, &finish, &fail), -1);
		assert_null(finish);
		assert_fails(&fail, cases[i / 2].kind, cases[i / 2].word);
	}
}

static void count(void *data, const char *names, const char *doing, unsigned left_s)
{
	unsigned *seen = data;

	assert_string_equal(names, "deaf");
	assert_string_equal(doing, "shutting down");
	assert_int_equal(left_s, 3 - *seen);
	(*seen)++;
}

static void the_wait_is_counted_down(void **state)
{
	const struct vm vm = { .name = "deaf", .is_ours = true, .is_mine = true, .start = RUNNING };
	CLEANUP(hv) struct hv *hv = host_with(&vm);
	unsigned seen = 0;
	struct finish_options options = {
		.uri = TESTHV, .timeout_s = 3, .countdown = count, .countdown_data = &seen
	};
	CLEANUP(fail) struct fail fail = { 0 };
	struct finish *finish = NULL;
	double before_seconds;

	(void)state;
	before_seconds = clock_seconds();
	assert_int_equal(finish_stop(&options, "deaf", &finish, &fail), -1);
	assert_int_equal(seen, 3);
	assert_fails(&fail, FAIL_BUSY, "was pressed 1 time, and the guest still runs");
	assert_true(clock_seconds() - before_seconds >= 2);
}

/* Its guest boots when it is asked first. */
static void who_did_not_hear_is_asked_again(void **state)
{
	const struct vm vm = {
		.name = "sleepy", .is_ours = true, .is_mine = true, .start = RUNNING
	};
	CLEANUP(hv) struct hv *hv = host_with(&vm);
	struct finish_options options = { .uri = TESTHV, .timeout_s = 20, .ask_again_s = 1 };
	CLEANUP(finish) struct finish *finish = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	testhv_asked[0] = '\0';
	assert_works(finish_stop(&options, "sleepy", &finish, &fail), &fail);
	assert_int_equal(finish->outcome, FINISH_STOPPED);
	assert_string_equal(testhv_asked, "sleepy sleepy sleepy ");
}

#define ENDED "22222222-2222-3333-4444-555555555555"

/* A record of this boot: of a function that this machine does not have, on @driver. Of what GPU it is a part is left
 * out, or this machine would get a record that it is lost. The caller frees. */
static char *record_of(const char *driver)
{
	CLEANUP(root) struct root *root = NULL;
	CLEANUP(text) char *boot = NULL;
	struct fail fail = { 0 };

	assert_int_equal(root_open(NULL, &root, &fail), 0);
	boot = giveback_boot(root);
	assert_non_null(boot);
	return text_format("<g:start boot='%s'/><g:gpu>"
			   "<g:function address='0000:fe:1f.7' %s/></g:gpu>",
			   boot, driver);
}

static char *recorded(const char *name, const char *uuid, const char *driver)
{
	CLEANUP(text) char *record = record_of(driver);
	CLEANUP(text) char *metadata = testhv_metadata(testhv_uid(), record);

	return testhv_xml(name, uuid, metadata, TESTHV_HOSTDEV("0xfe", "0x1f", "7"));
}

/* The driver of a VM that ended before is told by the end of any other, whatever end that is. */
static void vms_that_ended_before_are_looked_at(void **state)
{
	(void)state;
	for (int deletes = 0; deletes <= 1; deletes++) {
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		CLEANUP(text) char *ended = recorded("ended", ENDED, "driver='nosuch'");
		CLEANUP(text) char *other = recorded("vm", UUID, "");
		const struct finish_options options = { .uri = TESTHV, .timeout_s = 1 };
		CLEANUP(finish) struct finish *finish = NULL;
		struct fail fail = { 0 };

		testhv_define(hv, ended);
		testhv_define(hv, other);
		assert_int_equal(
			(deletes ? finish_delete : finish_stop)(&options, "vm", &finish, &fail), 0);
		assert_int_equal(finish->aftermath->count, 1);
		assert_string_equal(finish->aftermath->vms[0].guest->name, "ended");
		assert_int_equal(finish->aftermath->vms[0].giveback->functions[0].state,
				 GIVEBACK_ELSEWHERE);
	}
}

static void a_stop_notes_that_all_came_back(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *xml = recorded("vm", UUID, "");
	CLEANUP(text) char *before = NULL;
	CLEANUP(text) char *after = NULL;
	const struct finish_options options = { .uri = TESTHV, .timeout_s = 1 };
	CLEANUP(finish) struct finish *finish = NULL;
	struct fail fail = { 0 };

	(void)state;
	testhv_define(hv, xml);
	testhv_start(hv, UUID);
	before = testhv_everything(hv);
	assert_null(strstr(before, DOMXML_RETURNED));
	assert_int_equal(finish_stop(&options, "vm", &finish, &fail), 0);
	assert_int_equal(finish->giveback->count, 1);
	after = testhv_everything(hv);
	assert_non_null(strstr(after, DOMXML_RETURNED));
}

static void a_paused_guest_is_not_waited_for(void **state)
{
	const struct vm vm = { .name = "deaf", .is_ours = true, .is_mine = true, .start = PAUSED };
	CLEANUP(hv) struct hv *hv = host_with(&vm);
	struct finish_options options = { .uri = TESTHV, .force = true, .timeout_s = 20 };
	CLEANUP(finish) struct finish *finish = NULL;
	struct fail fail = { 0 };
	double before_seconds;

	(void)state;
	before_seconds = clock_seconds();
	assert_int_equal(finish_stop(&options, "deaf", &finish, &fail), 0);
	assert_int_equal(finish->outcome, FINISH_FORCED);
	assert_true(clock_seconds() - before_seconds < 15);
	assert_false(testhv_is_active(hv, UUID));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vms_are_stopped),
		cmocka_unit_test(vms_are_deleted),
		cmocka_unit_test(a_vm_that_is_not_there_is_a_usage_error),
		cmocka_unit_test(the_wait_is_counted_down),
		cmocka_unit_test(who_did_not_hear_is_asked_again),
		cmocka_unit_test(vms_that_ended_before_are_looked_at),
		cmocka_unit_test(a_stop_notes_that_all_came_back),
		cmocka_unit_test(a_paused_guest_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
