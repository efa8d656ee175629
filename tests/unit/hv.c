// SPDX-License-Identifier: MIT
#include "vmm/hv.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/testhv.h"

#define UUID  "11111111-2222-3333-4444-555555555555"
#define OTHER "11111111-2222-3333-4444-666666666666"

static void first_contact_says_who_acts(void **state)
{
	CLEANUP(scratch) char *scratch = scratch_new();
	CLEANUP(text) char *file = scratch_write(scratch, "socket", "");
	CLEANUP(text) char *refused = text_format("qemu+unix:///system?socket=%s", file);
	const struct {
		const char *about, *uri;
		enum fail_kind kind;
		const char *word;
	} cases[] = {
		{ "no socket", "qemu+unix:///system?socket=/nonexistent/socket", FAIL_HOST,
		  "libvirt-daemon-system" },
		{ "a socket of nobody", refused, FAIL_HOST, "systemctl status" },
		{ "a host that is not described", "test:////nonexistent/node.xml", FAIL_HV,
		  "libvirt: " },
		{ "an escape in the URI", "test:////nonexistent/\x1b[2J", FAIL_HV,
		  "no connection" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(fail) struct fail fail = { 0 };
		struct hv *hv = NULL;

		print_message("  %s\n", cases[i].about);
		assert_int_equal(hv_open(cases[i].uri, HV_READ, &hv, &fail), -1);
		assert_null(hv);
		assert_fails(&fail, cases[i].kind, cases[i].word);
		assert_null(strchr(fail.items[0].cause, '\x1b'));
	}
}

static void only_this_machines_system_daemon_is_asked(void **state)
{
	static const struct {
		const char *uri;
		bool is_elsewhere;
	} cases[] = {
		{ "qemu+ssh://gpu2/system", true },
		{ "qemu://gpu2/system", true },
		{ "qemu+ssh:///system", true },
		{ "qemu+tls:///system", true },
		{ "qemu:///session", true },
		{ "qemu+unix:///session", true },
		{ "qemu:///session?socket=/run/user/1000/libvirt-sock", true },
		{ "qemu+unix://localhost/system", true },
		{ "qemu+unix:///system?socket=/nonexistent/a+b", false },
		{ "test:///default", false },
		{ "nonsense", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(fail) struct fail fail = { 0 };
		CLEANUP(hv) struct hv *hv = NULL;

		print_message("  %s\n", cases[i].uri);
		(void)hv_open(cases[i].uri, HV_WRITE, &hv, &fail);
		assert_int_equal(fail.kind == FAIL_USAGE, cases[i].is_elsewhere);
		if (cases[i].is_elsewhere)
			assert_fails(&fail, FAIL_USAGE, "leave --connect out");
	}
}

static int open_is_not_permitted(const void *uri)
{
	CLEANUP(fail) struct fail fail = { 0 };
	struct hv *hv = NULL;

	return !(hv_open(uri, HV_READ, &hv, &fail) == -1 && fail.kind == FAIL_HOST &&
		 text_contains(fail.items[0].what, "you may not manage VMs") &&
		 text_contains(fail.items[0].hint, "adduser $USER libvirt"));
}

static void strangers_are_told_the_group(void **state)
{
	CLEANUP(scratch) char *scratch = scratch_new();
	CLEANUP(text) char *uri = text_format("qemu+unix:///system?socket=%s/socket", scratch);
	CLEANUP(fd) int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)state;
	if (!scratch_is_root())
		skip();
	snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", scratch);
	assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(chmod(address.sun_path, 0600), 0);
	assert_int_equal(scratch_as(SCRATCH_NOBODY, open_is_not_permitted, uri), 0);
}

static const struct {
	const char *name, *inside;
	enum hv_state state;
	bool is_active, has_managed_save;
	const char *paused_reason;
} found[] = {
	/* in the order that hv_domains_read() promises */
	{ "blocked", "<test:runstate>2</test:runstate>", HV_RUNNING, true, false, NULL },
	{ "crashed", "<test:runstate>6</test:runstate>", HV_CRASHED, true, false, NULL },
	{ "halting", "<test:runstate>4</test:runstate>", HV_STOPPING, true, false, NULL },
	{ "off", "<test:runstate>5</test:runstate>", HV_OFF, false, false, NULL },
	{ "paused", "<test:runstate>3</test:runstate>", HV_PAUSED, true, false,
	  "for an unknown reason" },
	{ "saved", "<test:hasmanagedsave/><test:runstate>5</test:runstate>", HV_OFF, false, true,
	  NULL },
	{ "sleeping", "<test:runstate>7</test:runstate>", HV_PAUSED, true, false,
	  "for an unknown reason" },
	{ "vm2", "<test:runstate>1</test:runstate>", HV_RUNNING, true, false, NULL },
	{ "vm10", "<test:transient/>", HV_RUNNING, true, false, NULL },
};

static char *found_xml(void)
{
	char *text = NULL;

	for (size_t i = COUNT(found); i-- > 0;) {
		CLEANUP(text)
		char *uuid = text_format("11111111-2222-3333-4444-0000000000%02zu", i);
		CLEANUP(text)
		char *xml = testhv_xml(found[i].name, uuid, found[i].inside, "");

		text_add(&text, "%s", xml);
	}
	return text;
}

static void domains_are_read(void **state)
{
	CLEANUP(scratch) char *scratch = scratch_new();
	CLEANUP(text) char *xml = found_xml();
	CLEANUP(text) char *uri = testhv_node(scratch, xml);
	CLEANUP(hv) struct hv *hv = testhv_open(uri);
	CLEANUP(hv_domains) struct hv_domains *domains = NULL;
	struct fail fail = { 0 };

	(void)state;
	assert_int_equal(hv_domains_read(hv, &domains, &fail), 0);
	assert_int_equal(domains->count, COUNT(found));
	hv_domains_mark(hv, domains);
	for (size_t i = 0; i < COUNT(found); i++) {
		const struct hv_domain *domain = &domains->domains[i];

		print_message("  %s\n", domain->name);
		assert_string_equal(domain->name, found[i].name);
		assert_int_equal(domain->state, found[i].state);
		assert_int_equal(domain->is_active, found[i].is_active);
		assert_int_equal(domain->is_transient, text_equal(found[i].name, "vm10"));
		assert_int_equal(domain->has_managed_save, found[i].has_managed_save);
		assert_true(text_equal(domain->paused_reason, found[i].paused_reason));
		assert_true(text_starts(domain->xml, "<domain"));
		assert_ptr_equal(hv_domains_find(domains, found[i].name), domain);
	}
	assert_null(hv_domains_find(domains, "vm1"));
}

/* An edit while it runs shows in the definition only. */
static void a_definition_is_not_what_runs(void **state)
{
	CLEANUP(scratch) char *scratch = scratch_new();
	CLEANUP(text) char *before = testhv_xml("vm", UUID, "", "");
	CLEANUP(text)
	char *after = testhv_xml("vm", UUID, "<description>edited</description>", "");
	CLEANUP(text)
	char *transient = testhv_xml("gone", "11111111-2222-3333-4444-000000000077",
				     "<test:transient/>", "");
	CLEANUP(text) char *uri = testhv_node(scratch, transient);
	CLEANUP(hv) struct hv *hv = testhv_open(uri);
	CLEANUP(hv_domains) struct hv_domains *domains = NULL;
	CLEANUP(text) char *definition = NULL;
	struct fail fail = { 0 };

	(void)state;
	testhv_define(hv, before);
	testhv_start(hv, UUID);
	testhv_define(hv, after);
	definition = hv_definition(hv, UUID);
	assert_non_null(definition);
	assert_true(text_contains(definition, "edited"));
	assert_int_equal(hv_domains_read(hv, &domains, &fail), 0);
	assert_false(text_contains(hv_domains_find(domains, "vm")->xml, "edited"));
	assert_null(hv_definition(hv, "11111111-2222-3333-4444-000000000077"));
	assert_null(hv_definition(hv, "11111111-2222-3333-4444-000000000099"));
}

static void a_pause_says_by_whom(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(hv_domains) struct hv_domains *domains = NULL;
	struct fail fail = { 0 };
	virConnectPtr connection = virConnectOpen(TESTHV);
	virDomainPtr domain = virDomainLookupByName(connection, "test");

	(void)state;
	assert_int_equal(virDomainSuspend(domain), 0);
	assert_int_equal(hv_domains_read(hv, &domains, &fail), 0);
	assert_int_equal(domains->count, 1);
	assert_string_equal(domains->domains[0].paused_reason, "by a user");
	virDomainFree(domain);
	virConnectClose(connection);
}

static void states_have_names(void **state)
{
	static const char *const names[] = { "off", "running", "paused", "stopping", "crashed" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		assert_string_equal(hv_state_name((enum hv_state)i), names[i]);
}

static void a_vm_lives_and_ends(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *xml = testhv_xml("vm", UUID, "<title>first</title>", "");
	CLEANUP(text) char *again = testhv_xml("vm", UUID, "<title>second</title>", "");
	CLEANUP(text) char *before = testhv_everything(hv);
	CLEANUP(text) char *defined = NULL;
	CLEANUP(text) char *after = NULL;
	struct fail fail = { 0 };
	double seconds = -1;

	(void)state;
	assert_false(testhv_is_active(hv, UUID));
	testhv_define(hv, xml);
	testhv_define(hv, again);
	defined = testhv_everything(hv);
	assert_non_null(strstr(defined, "second"));
	assert_null(strstr(defined, "first"));
	assert_int_equal(hv_start(hv, UUID, &seconds, &fail), 0);
	assert_true(seconds >= 0 && seconds < 60);
	assert_true(testhv_is_active(hv, UUID));
	assert_int_equal(hv_shutdown(hv, UUID, &fail), 0);
	assert_false(testhv_is_active(hv, UUID));
	assert_int_equal(hv_shutdown(hv, UUID, &fail), 0);
	testhv_start(hv, UUID);
	assert_int_equal(hv_destroy(hv, UUID, &fail), 0);
	assert_false(testhv_is_active(hv, UUID));
	assert_int_equal(hv_destroy(hv, UUID, &fail), 0);
	assert_int_equal(hv_undefine(hv, UUID, false, &fail), 0);
	after = testhv_everything(hv);
	assert_string_equal(before, after);
}

static int start(struct hv *hv, struct fail *fail)
{
	return hv_start(hv, OTHER, NULL, fail);
}

static int shut_down(struct hv *hv, struct fail *fail)
{
	return hv_shutdown(hv, OTHER, fail);
}

static int destroy(struct hv *hv, struct fail *fail)
{
	return hv_destroy(hv, OTHER, fail);
}

static int undefine(struct hv *hv, struct fail *fail)
{
	return hv_undefine(hv, OTHER, false, fail);
}

static int start_running(struct hv *hv, struct fail *fail)
{
	return hv_start(hv, UUID, NULL, fail);
}

static int shut_down_mute(struct hv *hv, struct fail *fail)
{
	return hv_shutdown(hv, UUID, fail);
}

static int define_nothing(struct hv *hv, struct fail *fail)
{
	return hv_define(hv, "", fail);
}

static int reattach(struct hv *hv, struct fail *fail)
{
	return hv_reattach(hv, "0000:17:00.0", fail);
}

static void refusals_carry_libvirts_words(void **state)
{
	static const struct {
		const char *about;
		int (*run)(struct hv *hv, struct fail *fail);
		const char *what, *cause;
	} cases[] = {
		{ "start what is gone", start, "is gone", "Domain not found" },
		{ "shut down what is gone", shut_down, "is gone", "Domain not found" },
		{ "destroy what is gone", destroy, "is gone", "Domain not found" },
		{ "undefine what is gone", undefine, "is gone", "Domain not found" },
		{ "start what runs", start_running, "could not start", "already running" },
		{ "shut down what cannot be asked", shut_down_mute, "cannot be asked",
		  "already running" },
		{ "no XML", define_nothing, "does not accept", "" },
		{ "give back what is not there", reattach, "0000:17:00.0", "pci_0000_17_00_0" },
	};
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *xml = testhv_xml("mute", UUID, "", "");

	(void)state;
	testhv_define(hv, xml);
	testhv_start(hv, UUID);
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", cases[i].about);
		assert_int_equal(cases[i].run(hv, &fail), -1);
		assert_fails(&fail, FAIL_HV, cases[i].what);
		assert_non_null(fail.items[0].cause);
		assert_true(text_starts(fail.items[0].cause, "libvirt: "));
		assert_true(text_contains(fail.items[0].cause, cases[i].cause));
	}
}

static void readers_may_not_write(void **state)
{
	CLEANUP(hv) struct hv *hv = NULL;
	CLEANUP(text) char *xml = testhv_xml("vm", UUID, "", "");
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	assert_int_equal(hv_open(TESTHV, HV_READ, &hv, &fail), 0);
	assert_int_equal(hv_define(hv, xml, &fail), -1);
	assert_fails(&fail, FAIL_HV, "read only");
}

static void networks_are_asked_for(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	virConnectPtr connection = virConnectOpen(TESTHV);
	virNetworkPtr network = virNetworkLookupByName(connection, "default");
	enum hv_network found_state = HV_NETWORK_ABSENT;
	struct fail fail = { 0 };

	(void)state;
	assert_int_equal(hv_network_state(hv, "default", &found_state, &fail), 0);
	assert_int_equal(found_state, HV_NETWORK_ACTIVE);
	assert_int_equal(virNetworkDestroy(network), 0);
	assert_int_equal(hv_network_state(hv, "default", &found_state, &fail), 0);
	assert_int_equal(found_state, HV_NETWORK_INACTIVE);
	assert_int_equal(hv_network_state(hv, "nosuch", &found_state, &fail), 0);
	assert_int_equal(found_state, HV_NETWORK_ABSENT);
	virNetworkFree(network);
	virConnectClose(connection);
}

static void versions_are_known(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);

	(void)state;
	assert_true(hv_libvirt_version(hv) >= 9000000);
	assert_true(hv_qemu_version(hv) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_contact_says_who_acts),
		cmocka_unit_test(only_this_machines_system_daemon_is_asked),
		cmocka_unit_test(strangers_are_told_the_group),
		cmocka_unit_test(domains_are_read),
		cmocka_unit_test(a_definition_is_not_what_runs),
		cmocka_unit_test(a_pause_says_by_whom),
		cmocka_unit_test(states_have_names),
		cmocka_unit_test(a_vm_lives_and_ends),
		cmocka_unit_test(refusals_carry_libvirts_words),
		cmocka_unit_test(readers_may_not_write),
		cmocka_unit_test(networks_are_asked_for),
		cmocka_unit_test(versions_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
