// SPDX-License-Identifier: MIT
/* What three sources say of a guest's addresses, in the place of libvirt's. */
#include "vmm/address.h"

#include "tests/unit/sshport.h"
#include "tests/unit/testhv.h"

#define UUID "11111111-2222-4333-8444-555555555555"
#define MAC  "52:54:00:aa:bb:cc"

/* A line each: MAC ADDRESS...; NULL: the source cannot be asked. */
static const char *const *told[3];
static bool asked[3];

int virDomainInterfaceAddresses(virDomainPtr domain, virDomainInterfacePtr **ret, unsigned source,
				unsigned flags)
{
	int count = 0;

	assert_non_null(domain);
	assert_int_equal(flags, 0);
	assert_in_range(source, 0, 2);
	asked[source] = true;
	if (told[source] == NULL)
		return -1;
	*ret = mem_alloc(70, sizeof **ret);
	for (; told[source][count] != NULL; count++) {
		virDomainInterfacePtr interface = mem_alloc(1, sizeof *interface);
		char *line = mem_strdup(told[source][count]);
		char *rest = NULL;
		char *mac = strtok_r(line, " ", &rest);

		interface->name = mem_strdup("eth0");
		interface->hwaddr = text_equal(mac, "-") ? NULL : mem_strdup(mac);
		interface->addrs = mem_alloc(8, sizeof *interface->addrs);
		for (char *word; (word = strtok_r(NULL, " ", &rest)) != NULL;)
			interface->addrs[interface->naddrs++].addr = mem_strdup(word);
		free(line);
		(*ret)[count] = interface;
	}
	return count;
}

struct found {
	struct address address;
	bool is;
};

static struct found find(const char *const *lease, const char *const *agent, const char *const *arp,
			 const char *mac, bool asks_agent)
{
	CLEANUP(text) char *defined = testhv_xml("a", UUID, "", "");
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	struct found found = { 0 };

	testhv_define(hv, defined);
	told[0] = lease;
	told[1] = agent;
	told[2] = arp;
	memset(asked, 0, sizeof asked);
	found.is = address_find(hv, UUID, mac, asks_agent, &found.address);
	return found;
}

static void the_first_that_can_be_reached(void **state)
{
	static const char *const v4[] = { MAC " 192.168.122.7", NULL };
	static const char *const v6[] = { MAC " fd00::7", NULL };
	static const char *const both[] = { MAC " fe80::1 fd00:0:0::9 10.0.0.9", NULL };
	static const char *const none[] = { NULL };
	static const struct {
		const char *const *lease, *const *agent, *const *arp;
		bool asks_agent;
		const char *address, *source;
	} cases[] = {
		{ v4, both, both, true, "192.168.122.7", "lease" },
		{ none, both, v4, true, "10.0.0.9", "agent" },
		{ none, both, v4, false, "192.168.122.7", "arp" },
		{ NULL, NULL, v4, true, "192.168.122.7", "arp" },
		{ v6, none, v4, true, "192.168.122.7", "arp" },
		{ v6, both, none, true, "10.0.0.9", "agent" },
		{ v6, none, none, true, "fd00::7", "lease" },
		{ none, v6, v6, true, "fd00::7", "agent" },
		{ none, none, none, true, NULL, NULL },
		{ NULL, NULL, NULL, true, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct found found = find(cases[i].lease, cases[i].agent, cases[i].arp, MAC,
					  cases[i].asks_agent);

		assert_int_equal(found.is, cases[i].address != NULL);
		assert_int_equal(asked[1] && !cases[i].asks_agent, false);
		if (!found.is)
			continue;
		assert_string_equal(found.address.text, cases[i].address);
		assert_string_equal(found.address.source, cases[i].source);
		assert_int_equal(found.address.is_ipv6, strchr(cases[i].address, ':') != NULL);
	}
}

/* A lease is enough: nobody waits for the agent then. */
static void who_is_not_needed_is_not_asked(void **state)
{
	static const char *const v4[] = { MAC " 192.168.122.7", NULL };

	(void)state;
	assert_true(find(v4, v4, v4, MAC, true).is);
	assert_true(asked[0]);
	assert_false(asked[1] || asked[2]);
}

static void what_does_not_count(void **state)
{
	static const char *const cases[] = {
		MAC " 127.0.0.1",
		MAC " 127.255.0.1",
		MAC " 0.0.0.0",
		MAC " 169.254.7.7",
		MAC " 224.0.0.1",
		MAC " 255.255.255.255",
		MAC " ::",
		MAC " ::1",
		MAC " fe80::1",
		MAC " febf::1",
		MAC " ff02::1",
		MAC " ::ffff:10.0.0.1",
		"52:54:00:aa:bb:cd 10.0.0.1",
		MAC " -oProxyCommand=touch",
		MAC " 10.0.0.1;reboot",
		MAC " 10.0.0",
		MAC " 010.0.0.1",
		MAC " 10.0.0.1/24",
		MAC " fd00::7%eth0",
		MAC " \x1b[2J",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *const lines[] = { cases[i], NULL };

		assert_false(find(lines, lines, lines, MAC, true).is);
	}
}

static void its_mac_however_written(void **state)
{
	static const char *const upper[] = { "52:54:00:AA:BB:CC 10.0.0.1", NULL };
	static const char *const unknown[] = { "- 10.0.0.1", NULL };
	static const char *const another[] = { "00:11:22:33:44:55 10.0.0.1", NULL };

	(void)state;
	assert_true(find(upper, NULL, NULL, MAC, false).is);
	assert_true(find(unknown, NULL, NULL, MAC, false).is);
	assert_false(find(another, NULL, NULL, MAC, false).is);
	assert_true(find(another, NULL, NULL, NULL, false).is);
}

static void a_guest_with_a_thousand_interfaces(void **state)
{
	const char *lines[71] = { 0 };

	(void)state;
	for (size_t i = 0; i < 64; i++)
		lines[i] = "00:11:22:33:44:55 10.0.0.1";
	lines[64] = MAC " 10.0.0.2"; /* beyond what is read */
	assert_false(find(NULL, lines, NULL, MAC, true).is);
	lines[63] = MAC " 10.0.0.3";
	assert_string_equal(find(NULL, lines, NULL, MAC, true).address.text, "10.0.0.3");
}

static const char *spoken;

static const char *sshport_speaks(const struct sockaddr *name, socklen_t length)
{
	sshport_is_vsock(name, length, 7);
	return spoken;
}

static void vsock_counts_if_ssh_answers_there(void **state)
{
	static const struct {
		unsigned cid;
		bool has_vsock;
		const char *spoken;
		bool is;
		unsigned late_ms;
	} cases[] = {
		{ 7, true, "SSH-2.0-OpenSSH_10.0\r\n", true, 0 },
		{ 7, true, "SSH-2.0-OpenSSH_10.0\r\n", true, 2500 },
		{ 7, true, "HTTP/1.1 400\r\n", false, 0 },
		{ 7, true, "SS", false, 0 },
		{ 7, true, NULL, false, 0 },
		{ 7, false, "SSH-2.0-OpenSSH_10.0\r\n", false, 0 },
		{ 0, true, "SSH-2.0-OpenSSH_10.0\r\n", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct guest guest = { .vsock_cid = cases[i].cid };
		struct address address = { .text = "untouched" };

		spoken = cases[i].spoken;
		sshport_has_vsock = cases[i].has_vsock;
		sshport_late_ms = cases[i].late_ms;
		assert_int_equal(address_of_vsock(&guest, &address), cases[i].is);
		assert_string_equal(address.text, cases[i].is ? "vsock/7" : "untouched");
		if (!cases[i].is)
			continue;
		assert_int_equal(address.vsock_cid, 7);
		assert_string_equal(address.source, "vsock");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_that_can_be_reached),
		cmocka_unit_test(who_is_not_needed_is_not_asked),
		cmocka_unit_test(what_does_not_count),
		cmocka_unit_test(its_mac_however_written),
		cmocka_unit_test(a_guest_with_a_thousand_interfaces),
		cmocka_unit_test(vsock_counts_if_ssh_answers_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
