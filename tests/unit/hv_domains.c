// SPDX-License-Identifier: MIT
/* Domains that libvirt does not tell about: vanished meanwhile, unknown, or not before long. */
#include "tests/unit/failhv.h"
#include "vmm/hv_internal.h"

#define UUID "11111111-2222-3333-4444-555555555555"

/* A call fails while the domain "a" is read, of "a" and "test"; with @vanished because it is no more. */
static struct hv_domains *read_failing(struct hv *hv, bool vanished, unsigned at, struct fail *fail)
{
	virConnectPtr connection = vanished ? virConnectOpen(TESTHV) : NULL;
	struct hv_domains *domains = NULL;
	int result;

	failhv_arm(FAILHV_REFUSED, at);
	failhv.asked_for_nobody = connection;
	result = hv_domains_read(hv, &domains, fail);
	assert_int_equal(result < 0, fail->kind != FAIL_NONE);
	failhv_disarm();
	if (connection != NULL)
		virConnectClose(connection);
	return domains;
}

static struct hv *host_of_two(void)
{
	struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *xml = testhv_xml("a", UUID, "", "");

	testhv_define(hv, xml);
	return hv;
}

/* The calls that tell what a domain holds; without any of them it is as if nothing were known. */
static const char *const essential[] = { "virDomainGetState", "virDomainGetXMLDesc" };

static bool is_essential(const char *call)
{
	for (size_t i = 0; i < COUNT(essential); i++)
		if (text_equal(essential[i], call))
			return true;
	return false;
}

static void what_libvirt_does_not_tell_is_no_free_host(void **state)
{
	CLEANUP(hv) struct hv *hv = host_of_two();
	size_t failures = 0;

	(void)state;
	for (unsigned at = 2;; at++) {
		CLEANUP(fail) struct fail fail = { 0 };
		CLEANUP(hv_domains) struct hv_domains *domains = read_failing(hv, false, at, &fail);

		if (failhv.failed == NULL)
			break;
		print_message("  %s\n", failhv.failed);
		if (is_essential(failhv.failed)) {
			assert_null(domains);
			assert_fails(&fail, FAIL_HV, "does not tell about one of its domains");
			failures++;
		} else {
			assert_int_equal(domains->count, 2);
		}
	}
	assert_int_equal(failures, 2 * COUNT(essential));
}

static void what_vanished_meanwhile_is_left_out(void **state)
{
	CLEANUP(hv) struct hv *hv = host_of_two();
	size_t left_out = 0;

	(void)state;
	for (unsigned at = 2;; at++) {
		CLEANUP(fail) struct fail fail = { 0 };
		CLEANUP(hv_domains) struct hv_domains *domains = read_failing(hv, true, at, &fail);

		if (failhv.failed == NULL)
			break;
		print_message("  %s\n", failhv.failed);
		assert_int_equal(fail.kind, FAIL_NONE);
		left_out += 2 - domains->count;
		assert_int_equal(domains->count, is_essential(failhv.failed) ? 1 : 2);
	}
	assert_int_equal(left_out, 2 * COUNT(essential));
}

static void read_all(struct hv *hv)
{
	struct hv_domains *domains = NULL;
	struct fail fail = { 0 };

	(void)hv_domains_read(hv, &domains, &fail);
}

static void mark_all(struct hv *hv)
{
	struct hv_domains none = { 0 };

	hv_domains_mark(hv, &none);
}

static void ask_definition(struct hv *hv)
{
	(void)hv_definition(hv, UUID);
}

static void ask_memory(struct hv *hv)
{
	(void)hv_resident_bytes(hv, UUID);
}

static void ask_affinity(struct hv *hv)
{
	hwloc_bitmap_t *cpus = NULL;

	(void)hv_vcpu_affinity(hv, UUID, 1, &cpus);
}

static void ask_whether_active(struct hv *hv)
{
	struct fail fail = { 0 };
	bool active;

	(void)hv_is_active(hv, UUID, &active, &fail);
}

static void ask_by_name(struct hv *hv)
{
	(void)hv_may_have(hv, "a");
}

static void shut_down(struct hv *hv)
{
	struct fail fail = { 0 };

	(void)hv_shutdown(hv, UUID, &fail);
}

static void destroy(struct hv *hv)
{
	struct fail fail = { 0 };

	(void)hv_destroy(hv, UUID, &fail);
}

static void undefine(struct hv *hv)
{
	struct fail fail = { 0 };

	(void)hv_undefine(hv, UUID, false, &fail);
}

static void define(struct hv *hv)
{
	CLEANUP(text) char *xml = testhv_xml("a", UUID, "", "");
	struct fail fail = { 0 };

	(void)hv_define(hv, xml, &fail);
}

static void hang(const char *call)
{
	(void)call;
	for (;;)
		pause();
}

/* Asks a libvirt that does not answer, in a process of its own, for whose standard error it returns a descriptor. */
static int ask_in_vain(void (*ask)(struct hv *hv), pid_t *ret_child)
{
	int errors[2];

	assert_int_equal(pipe(errors), 0);
	*ret_child = fork();
	if (*ret_child == 0) {
		struct hv *hv = host_of_two();

		(void)dup2(errors[1], STDERR_FILENO);
		alarm(20);
		hv->patience_s = 1;
		hv->timeout_s = 2;
		failhv_arm(FAILHV_KILLED_BEFORE, 1);
		failhv.dies = hang;
		ask(hv);
		_exit(0);
	}
	close(errors[1]);
	return errors[0];
}

static void nobody_waits_for_good(void **state)
{
	static const struct {
		const char *name;
		void (*ask)(struct hv *hv);
	} asked[] = {
		{ "list", read_all },
		{ "marks", mark_all },
		{ "definition", ask_definition },
		{ "memory", ask_memory },
		{ "affinity", ask_affinity },
		{ "active", ask_whether_active },
		{ "name", ask_by_name },
		{ "shutdown", shut_down },
		{ "destroy", destroy },
		{ "undefine", undefine },
		{ "define", define },
	};
	int errors[COUNT(asked)];
	pid_t children[COUNT(asked)];

	(void)state;
	for (size_t i = 0; i < COUNT(asked); i++)
		errors[i] = ask_in_vain(asked[i].ask, &children[i]);
	for (size_t i = 0; i < COUNT(asked); i++) {
		char text[1000] = "";
		int status;

		print_message("  %s\n", asked[i].name);
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_true(read(errors[i], text, sizeof text - 1) >= 0);
		close(errors[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 6);
		assert_true(text_contains(text, "gpuvm: libvirt does not answer yet, as while"));
		assert_true(text_contains(text, "gpuvm: libvirt does not answer\n  cause: not "
						"within 2 s"));
		assert_true(text_contains(text, "hint: see which: sudo dmesg | grep -i vfio "));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_libvirt_does_not_tell_is_no_free_host),
		cmocka_unit_test(what_vanished_meanwhile_is_left_out),
		cmocka_unit_test(nobody_waits_for_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
