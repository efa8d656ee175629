// SPDX-License-Identifier: MIT
/* Domains that libvirt does not tell about: vanished meanwhile, or unknown. */
#include "tests/unit/failhv.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_libvirt_does_not_tell_is_no_free_host),
		cmocka_unit_test(what_vanished_meanwhile_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
