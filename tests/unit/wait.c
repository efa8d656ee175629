// SPDX-License-Identifier: MIT
/* A guest that boots by a script, on a clock of the test's own. */
#include "vmm/wait.h"

#include <arpa/inet.h>
#include <libvirt/libvirt-qemu.h>

#include "tests/unit/sshport.h"
#include "tests/unit/testhv.h"
#include "vmm/base/clock.h"
#include "vmm/base/size.h"
#include "vmm/hv_address.h"
#include "vmm/hv_agent.h"

#define UUID "11111111-2222-4333-8444-555555555555"

/* When what comes, in seconds; 0: never. */
struct script {
	unsigned writes_at, quiet_at; /* the console, every second from the one to the other */
	unsigned agent_at;
	unsigned cloud_init_at; /* done */
	bool has_cloud_init, cloud_init_fails, agent_is_mute;
	bool has_network, has_vsock;
	unsigned address_at, ssh_at;
	unsigned ends_at;
};

static struct {
	struct script script;
	double now;
	char *log;
	struct hv *hv;
	unsigned told, news; /* calls of the progress function */
} world;

static bool is_past(unsigned at)
{
	return at != 0 && world.now >= at;
}

double clock_seconds(void)
{
	return world.now + 1000;
}

int nanosleep(const struct timespec *time, struct timespec *rest)
{
	struct fail fail = { 0 };

	(void)rest;
	world.now += (double)time->tv_sec + (double)time->tv_nsec / 1e9;
	if (is_past(world.script.writes_at) && !is_past(world.script.quiet_at)) {
		FILE *log = fopen(world.log, "a");

		fputs("x\n", log);
		fclose(log);
	}
	if (is_past(world.script.ends_at))
		assert_works(hv_destroy(world.hv, UUID, &fail), &fail);
	return 0;
}

char *virDomainGetXMLDesc(virDomainPtr domain, unsigned flags)
{
	(void)domain;
	(void)flags;
	return text_format(
		"<domain><name>a</name><memory>1</memory><devices><channel type='unix'>"
		"<target type='virtio' name='org.qemu.guest_agent.0' state='%s'/></channel>"
		"%s%s</devices></domain>",
		is_past(world.script.agent_at) ? "connected" : "disconnected",
		world.script.has_network ? "<interface type='network'><mac address="
					   "'52:54:00:00:00:01'/></interface>"
					 : "",
		world.script.has_vsock ? "<vsock model='virtio'><cid auto='yes' address='9'/>"
					 "</vsock>"
				       : "");
}

static char *says(const char *text)
{
	return mem_strdup(text);
}

/* guest-ping; guest-exec of one program, which ends at once. */
char *virDomainQemuAgentCommand(virDomainPtr domain, const char *command, int timeout,
				unsigned flags)
{
	const struct script *script = &world.script;

	(void)domain;
	(void)timeout;
	(void)flags;
	if (strstr(command, "guest-ping") != NULL)
		return says("{\"return\":{}}");
	if (strstr(command, "guest-info") != NULL)
		return says("{\"return\":{\"supported_commands\":[]}}");
	if (script->agent_is_mute)
		return NULL;
	if (strstr(command, "guest-exec-status") == NULL)
		return says("{\"return\":{\"pid\":1}}");
	if (!script->has_cloud_init)
		return says("{\"return\":{\"exited\":true,\"exitcode\":4}}");
	if (!is_past(script->cloud_init_at))
		return says("{\"return\":{\"exited\":true,\"exitcode\":3}}");
	/* {"v1":{"errors":[]}} and {"v1":{"errors":["x"]}} */
	return says(script->cloud_init_fails
			    ? "{\"return\":{\"exited\":true,\"exitcode\":0,\"out-data\":"
			      "\"eyJ2MSI6eyJlcnJvcnMiOlsieCJdfX0=\"}}"
			    : "{\"return\":{\"exited\":true,\"exitcode\":0,\"out-data\":"
			      "\"eyJ2MSI6eyJlcnJvcnMiOltdfX0=\"}}");
}

int virDomainInterfaceAddresses(virDomainPtr domain, virDomainInterfacePtr **ret, unsigned source,
				unsigned flags)
{
	virDomainInterfacePtr interface;

	(void)domain;
	(void)flags;
	if (source != VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE || !is_past(world.script.address_at))
		return 0;
	interface = mem_alloc(1, sizeof *interface);
	interface->hwaddr = mem_strdup("52:54:00:00:00:01");
	interface->addrs = mem_alloc(1, sizeof *interface->addrs);
	interface->addrs[0].addr = mem_strdup("192.0.2.7");
	interface->naddrs = 1;
	*ret = mem_alloc(1, sizeof **ret);
	(*ret)[0] = interface;
	return 1;
}

/* The guest's port 22. */
static const char *sshport_speaks(const struct sockaddr *name, socklen_t length)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)name;

	if (name->sa_family == AF_VSOCK) {
		assert_true(world.script.has_vsock);
		sshport_is_vsock(name, length, 9);
	} else {
		assert_int_equal(length, sizeof *four);
		assert_int_equal(four->sin_addr.s_addr, inet_addr("192.0.2.7"));
		assert_int_equal(ntohs(four->sin_port), 22);
	}
	return is_past(world.script.ssh_at) ? "SSH-2.0-x\r\n" : NULL;
}

static void progress(void *data, const struct wait *wait, unsigned timeout_s, bool is_new)
{
	assert_null(data);
	assert_true(wait->seconds <= timeout_s);
	world.told++;
	world.news += is_new;
}

/* Waits for a guest of @script; what wait_for_guest() returns. */
static int run(const struct script *script, const char *log_before, unsigned timeout_s,
	       struct wait *ret_wait, struct fail *fail)
{
	CLEANUP(scratch) char *directory = scratch_new();
	CLEANUP(text) char *xml = testhv_xml("a", UUID, "", "");
	struct wait_options options = { .directory = directory,
					.timeout_s = timeout_s,
					.progress = progress };
	int result;

	world.script = *script;
	world.now = 0;
	world.told = world.news = 0;
	world.log = scratch_write(directory, "a-serial.log", log_before);
	world.hv = testhv_open(TESTHV);
	testhv_define(world.hv, xml);
	testhv_start(world.hv, UUID);
	result = wait_for_guest(world.hv, UUID, "a", &options, ret_wait, fail);
	hv_close(world.hv);
	free(world.log);
	return result;
}

static void each_guest_answers_in_its_way(void **state)
{
	static const struct {
		const char *about;
		struct script script;
		unsigned least, most; /* seconds */
		const char *words;
	} cases[] = {
		{ "agent alone",
		  { .writes_at = 2, .quiet_at = 9, .agent_at = 20 },
		  20,
		  22,
		  "agent answers, no cloud-init, no network" },
		{ "agent, cloud-init, ssh",
		  { .agent_at = 20,
		    .has_cloud_init = true,
		    .cloud_init_at = 50,
		    .has_network = true,
		    .address_at = 15,
		    .ssh_at = 30 },
		  50,
		  52,
		  "agent answers, cloud-init is done, ssh answers at 192.0.2.7" },
		{ "cloud-init with errors",
		  { .agent_at = 5,
		    .has_cloud_init = true,
		    .cloud_init_fails = true,
		    .cloud_init_at = 9 },
		  9,
		  11,
		  "agent answers, cloud-init is done, with errors, no network" },
		{ "ssh after the rest",
		  { .agent_at = 5, .has_network = true, .address_at = 6, .ssh_at = 20 },
		  20,
		  22,
		  "agent answers, no cloud-init, ssh answers at 192.0.2.7" },
		{ "no sshd in it",
		  { .agent_at = 5, .has_network = true, .address_at = 6 },
		  5 + WAIT_SSH_S,
		  7 + WAIT_SSH_S,
		  "agent answers, no cloud-init, no ssh at 192.0.2.7" },
		{ "no agent in it",
		  { .has_network = true, .address_at = 6, .ssh_at = 20 },
		  20 + WAIT_AGENT_S,
		  22 + WAIT_AGENT_S,
		  "no agent, ssh answers at 192.0.2.7" },
		{ "ssh without a network",
		  { .has_vsock = true, .ssh_at = 20 },
		  20 + WAIT_AGENT_S,
		  22 + WAIT_AGENT_S,
		  "no agent, ssh answers at vsock/9" },
		{ "ssh on vsock after the rest",
		  { .has_vsock = true, .agent_at = 5, .ssh_at = 20 },
		  20,
		  22,
		  "agent answers, no cloud-init, ssh answers at vsock/9" },
		{ "nothing on vsock",
		  { .has_vsock = true, .agent_at = 5 },
		  5 + WAIT_SSH_S,
		  7 + WAIT_SSH_S,
		  "agent answers, no cloud-init, no network" },
		{ "a network, but its address is not known",
		  { .has_network = true, .has_vsock = true, .agent_at = 5, .ssh_at = 9 },
		  9,
		  11,
		  "agent answers, no cloud-init, ssh answers at vsock/9" },
		{ "an agent that runs nothing",
		  { .agent_at = 5, .agent_is_mute = true },
		  5,
		  7,
		  "agent answers, cloud-init cannot be asked, no network" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *words = NULL;
		struct fail fail = { 0 };
		struct wait wait;

		print_message("  %s\n", cases[i].about);
		assert_works(run(&cases[i].script, "", 300, &wait, &fail), &fail);
		words = wait_words(&wait);
		assert_string_equal(words, cases[i].words);
		assert_true(wait.seconds >= cases[i].least && wait.seconds <= cases[i].most);
		assert_false(wait.is_guess);
		assert_true(world.told >= world.news && world.news <= 5);
	}
}

/* Its console is all there is of it: up once it is quiet, and that is said to be a guess. */
static void a_guest_with_a_console_alone(void **state)
{
	static const struct script script = { .writes_at = 3, .quiet_at = 100 };
	struct fail fail = { 0 };
	struct wait wait;

	(void)state;
	assert_works(run(&script, "of the last start\n", 300, &wait, &fail), &fail);
	assert_true(wait.is_guess);
	assert_true(wait.seconds >= 99 + WAIT_QUIET_S && wait.seconds <= 103 + WAIT_QUIET_S);
}

static void the_deadline(void **state)
{
	static const struct {
		struct script script;
		const char *cause;
	} cases[] = {
		{ { 0 }, "seen: no console output, no agent, no network" },
		{ { .writes_at = 1 }, "seen: console output, no agent, no network" },
		{ { .writes_at = 1, .has_network = true },
		  "seen: console output, no agent, no address" },
		{ { .agent_at = 3, .has_cloud_init = true },
		  "seen: agent answers, cloud-init runs, no network" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(fail) struct fail fail = { 0 };
		struct wait wait;

		/* What an earlier start wrote is none of this one's. */
		assert_int_equal(run(&cases[i].script, "old\n", 200, &wait, &fail), -1);
		assert_int_equal(fail.kind, FAIL_FAIL);
		assert_non_null(strstr(fail.items[0].what, "within 200 s; the VM goes on"));
		assert_string_equal(fail.items[0].cause, cases[i].cause);
		assert_non_null(strstr(fail.items[0].hint, "--timeout 400 a"));
		assert_true(wait.seconds >= 200 && wait.seconds <= 203);
	}
}

static void a_guest_that_ends(void **state)
{
	static const struct script script = { .writes_at = 1, .ends_at = 7 };
	CLEANUP(fail) struct fail fail = { 0 };
	struct wait wait;

	(void)state;
	assert_int_equal(run(&script, "", 200, &wait, &fail), -1);
	assert_int_equal(fail.kind, FAIL_FAIL);
	assert_string_equal(fail.items[0].what, "VM \"a\" ended 7 s after its start");
	assert_non_null(strstr(fail.items[0].hint, "gpuvm log a"));
}

static void the_deadline_grows(void **state)
{
	static const struct {
		struct wait_size size;
		unsigned seconds;
	} cases[] = {
		{ { 0, 0, 0 }, 300 },
		{ { 2 * SIZE_GIB, 4 * SIZE_GIB, 1 }, 332 },
		{ { 128 * SIZE_GIB, 128 * SIZE_GIB, 1 }, 426 },
		{ { 2 * SIZE_TIB, 8 * 128 * SIZE_GIB, 8 }, 1820 },
		{ { UINT64_MAX, UINT64_MAX, 8 }, 86400 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(wait_timeout_s(&cases[i].size), cases[i].seconds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_guest_answers_in_its_way),
		cmocka_unit_test(a_guest_with_a_console_alone),
		cmocka_unit_test(the_deadline),
		cmocka_unit_test(a_guest_that_ends),
		cmocka_unit_test(the_deadline_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
