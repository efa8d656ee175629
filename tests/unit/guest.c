// SPDX-License-Identifier: MIT
#include "vmm/guest.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/samples.h"
#include "vmm/base/text.h"
#include "vmm/domxml.h"

static struct guest *parsed(const char *xml)
{
	struct guest *guest = NULL;
	struct fail fail = { 0 };

	if (guest_parse(xml, &guest, &fail) < 0)
		fail_msg("%s: %s", fail.items[0].what, fail.items[0].cause);
	return guest;
}

static bool has_problem(const struct guest *guest, const char *text)
{
	for (size_t i = 0; i < guest->problem_count; i++)
		if (text_equal(guest->problems[i], text))
			return true;
	return false;
}

/* @text with the first @from replaced by @to. */
static char *edited(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	assert_non_null(at);
	return text_format("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void gpuvm_reads_back_what_it_wrote(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		CLEANUP(sample) struct sample *sample = samples[i]();
		const struct domain *domain = NULL;
		CLEANUP(text) char *xml = NULL;
		CLEANUP(guest) struct guest *guest = NULL;

		sample->identity.boot = i % 2 == 0 ? "a boot" : NULL;
		domain = sample_build(sample);
		xml = domxml_format(domain);
		guest = parsed(xml);
		assert_true(guest->is_ours);
		assert_int_equal(guest->agent, GUEST_AGENT_CLOSED);
		assert_true(text_equal(guest->mac, domain->has_network && *domain->mac != '\0'
							   ? domain->mac
							   : NULL));
		assert_string_equal(guest->name, sample->spec.name);
		assert_true(text_equal(guest->uuid, sample->identity.uuid));
		assert_string_equal(guest->user, sample->identity.user);
		assert_int_equal(guest->uid, sample->identity.uid);
		assert_string_equal(guest->spec_text, sample->spec.text);
		assert_string_equal(guest->spec_file, sample->spec.file);
		assert_string_equal(guest->spec_directory, sample->spec.directory);
		assert_int_equal(guest->autostart, sample->spec.autostart);
		assert_true(text_equal(guest->boot, sample->identity.boot));
		assert_int_equal(guest->vcpus, sample->spec.vcpus);
		assert_int_equal(guest->memory_bytes, sample->spec.memory_bytes);
		assert_string_equal(guest->serial_log, "/var/log/libvirt/qemu/train-serial.log");
		assert_int_equal(guest->problem_count, 0);
		assert_int_equal(guest->hostdev_count, domain->hostdev_count);
		assert_int_equal(guest->function_count, domain->hostdev_count);
		for (size_t j = 0; j < domain->hostdev_count; j++) {
			const struct device *device = domain->hostdevs[j].device;
			size_t at = 0;

			assert_string_equal(guest->hostdevs[j], device->address);
			while (!text_equal(guest->functions[at].address, device->address))
				at++;
			assert_true(text_equal(guest->functions[at].driver, device->driver));
			assert_true(text_equal(guest->functions[at].driver_override,
					       device->driver_override));
		}
		for (size_t j = 0; j < sample->placement.vcpu_count; j++)
			assert_true(hwloc_bitmap_isset(guest->vcpu_cpus, sample->vcpus[j].cpu));
		assert_int_equal(hwloc_bitmap_weight(guest->vcpu_cpus),
				 sample->placement.vcpu_count);
	}
}

static void any_spec_text_survives(void **state)
{
	static const char *const texts[] = {
		"[vm]\n",
		"\n\n [vm] \n\n",
		"a\r\nb\r\n",
		"\t<![CDATA[x]]>\t",
		"]]>",
		"&amp;&lt;&#10;\"'",
		"<!-- -->",
		"\xf0\x9f\x98\x80\xc2\x80",
		"<?xml?><a xmlns='b'/>",
		" leading",
		"trailing ",
		"<!DOCTYPE a>&a;",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		CLEANUP(sample) struct sample *sample = sample_two_sockets();
		CLEANUP(text) char *xml = NULL;
		CLEANUP(guest) struct guest *guest = NULL;

		sample->spec.text = sample->spec.file = sample->spec.directory = (char *)texts[i];
		sample->identity.user = "a\"<&'>b";
		xml = domxml_format(sample_build(sample));
		guest = parsed(xml);
		assert_string_equal(guest->spec_text, texts[i]);
		assert_string_equal(guest->spec_file, texts[i]);
		assert_string_equal(guest->spec_directory, texts[i]);
		assert_string_equal(guest->user, "a\"<&'>b");
	}
}

static void edits_are_problems(void **state)
{
	static const struct {
		const char *from, *to, *problem;
	} cases[] = {
		{ "<address domain=\"0x0000\" bus=\"0x17\" slot=\"0x00\" function=\"0x1\"/>",
		  "<address bus='0x18' slot='3'/>", "0000:17:00.1 was removed" },
		{ "<address domain=\"0x0000\" bus=\"0x17\" slot=\"0x00\" function=\"0x1\"/>",
		  "<address bus='0x18' slot='3'/>", "0000:18:03.0 was added" },
		{ "<memballoon",
		  "<interface type='hostdev'><source><address type='pci' domain='1' bus='2'/></source>"
		  "</interface><memballoon",
		  "0001:02:00.0 was added" },
		{ "<target hotplug=\"off\"/>", "", "PCI controller 1 takes hot-plugged devices" },
		{ "<target hotplug=\"off\"/>", "<target hotplug='on'/>",
		  "PCI controller 1 takes hot-plugged devices" },
		{ "<memballoon",
		  "<controller type='pci' index='9' model='pcie-to-pci-bridge'/><memballoon",
		  "PCI controller 9 takes hot-plugged devices" },
		{ "<memballoon",
		  "<hostdev mode='subsystem' type='pci'><source><address bus='0x18' slot='3'/></source>"
		  "<address type='unassigned'/></hostdev><memballoon",
		  "0000:18:03.0 was added" },
		{ "<memballoon",
		  "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='u'/></source>"
		  "</hostdev><memballoon",
		  "a host device of type mdev was added" },
		{ "<memballoon",
		  "<disk type='nvme' device='disk'><source type='pci' managed='yes' namespace='1'>"
		  "<address domain='0' bus='1' slot='0' function='0'/></source></disk><memballoon",
		  "a host device of type nvme was added" },
		{ "<memballoon",
		  "<interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface><memballoon",
		  "a host device of type vdpa was added" },
		{ "<memory ", "<maxMemory slots='4' unit='GiB'>8</maxMemory><memory ",
		  "memory can be hot-added in 4 slots" },
		{ "<vcpu ", "<vcpu current='2' ", "vCPUs can be hot-added: only 2 are on" },
		{ "<vcpupin vcpu=\"0\" cpuset=\"", "<vcpupin vcpu=\"0\" cpuset=\"1",
		  "the vCPUs' pins were changed" },
		{ "<vcpupin vcpu=\"1\"", "<vcpupin vcpu=\"2\"", "the vCPUs' pins were changed" },
		{ "<vcpupin vcpu=\"1\"", "<vcpupon vcpu='1'", "the vCPUs' pins were changed" },
		{ "uid=\"1000\"", "uid=\"-1\"", "gpuvm's record of the owner is malformed" },
		{ " name=\"alice\"", "", "gpuvm's record of the owner is malformed" },
		{ "directory=", "directori=", "gpuvm's record of the spec is malformed" },
		{ "<gpuvm:function address=\"", "<gpuvm:function address=\"../",
		  "gpuvm's record of a GPU is malformed" },
	};
	CLEANUP(sample) struct sample *sample = sample_two_sockets();
	CLEANUP(text) char *xml = domxml_format(sample_build(sample));

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CLEANUP(text) char *other = edited(xml, cases[i].from, cases[i].to);
		CLEANUP(guest) struct guest *guest = parsed(other);

		if (!has_problem(guest, cases[i].problem))
			fail_msg("not found: %s", cases[i].problem);
	}
}

static void foreign_domains_are_read_too(void **state)
{
	static const char xml[] =
		"<domain type='qemu' id='3'><name>other</name><uuid>u</uuid>"
		"<metadata><x:vm xmlns:x='urn:gpuvm:vm:2'><x:owner uid='0' name='root'/></x:vm></metadata>"
		"<memory unit='KiB'>1024</memory><vcpu cpuset='0-3,^2, 8'>4</vcpu>"
		"<cputune><vcpupin vcpu='0' cpuset='16'/></cputune><devices>"
		"<controller type='pci' index='1' model='pcie-root-port'/>"
		"<hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source></hostdev>"
		"<hostdev mode='subsystem' type='pci'><source>"
		"<address domain='0x10000' bus='23' slot='0x1f' function='7'/></source>"
		"<address type='pci' domain='0' bus='9' slot='9' function='0'/></hostdev>"
		"<interface type='network'><source network='a'/></interface>"
		"</devices></domain>";
	CLEANUP(guest) struct guest *guest = parsed(xml);

	(void)state;
	assert_false(guest->is_ours);
	assert_null(guest->user);
	assert_null(guest->spec_text);
	assert_null(guest->serial_log);
	assert_int_equal(guest->memory_bytes, 1 << 20);
	assert_int_equal(guest->vcpus, 4);
	assert_int_equal(guest->hostdev_count, 1);
	assert_string_equal(guest->hostdevs[0], "10000:17:1f.7");
	assert_int_equal(guest->problem_count, 0); /* not gpuvm's business */
	assert_int_equal(hwloc_bitmap_weight(guest->vcpu_cpus), 5);
	assert_false(hwloc_bitmap_isset(guest->vcpu_cpus, 2));
	assert_true(hwloc_bitmap_isset(guest->vcpu_cpus, 16));
}

/* The address is there while it runs; what no guest can have is none. */
static void the_vsock_address_is_libvirts(void **state)
{
	static const struct {
		const char *cid;
		unsigned want;
	} cases[] = {
		{ "<cid auto='yes' address='3'/>", 3 },
		{ "<cid auto='no' address='4294967294'/>", 4294967294 },
		{ "<cid auto='yes'/>", 0 },
		{ "", 0 },
		{ "<cid address='2'/>", 0 },
		{ "<cid address='-3'/>", 0 },
		{ "<cid address='4294967296'/>", 0 },
		{ "<cid address='3; reboot'/>", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CLEANUP(text)
		char *xml = text_format("<domain><name>a</name><memory>1</memory><devices>"
					"<vsock model='virtio'>%s</vsock></devices></domain>",
					cases[i].cid);
		CLEANUP(guest) struct guest *guest = parsed(xml);

		assert_int_equal(guest->vsock_cid, cases[i].want);
	}
}

static void a_domain_without_pins_floats(void **state)
{
	CLEANUP(guest)
	struct guest *guest = parsed(
		"<domain><name>a</name><memory>1</memory><vcpu>2</vcpu></domain>");

	(void)state;
	assert_true(hwloc_bitmap_iszero(guest->vcpu_cpus));
	assert_null(guest->uuid);
}

/* With a pin for each vCPU, the domain's cpuset holds for none of them. */
static void pins_win_over_the_cpuset(void **state)
{
	CLEANUP(guest)
	struct guest *guest = parsed(
		"<domain><name>a</name><memory>1</memory><vcpu cpuset='0-7'>1</vcpu>"
		"<cputune><vcpupin vcpu='0' cpuset='9'/></cputune></domain>");

	(void)state;
	assert_int_equal(hwloc_bitmap_weight(guest->vcpu_cpus), 1);
}

static void what_is_no_domain_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"nonsense",
		"<domain>",
		"<domain/>",
		"<network><name>a</name></network>",
		"<domain><name></name><memory>1</memory></domain>",
		"<domain><name>a</name></domain>",
		"<domain><name>a</name><memory>18446744073709551615</memory></domain>",
		"<domain><name>a</name><memory unit='furlong'>1</memory></domain>",
		"<domain><name>a</name><memory>1</memory><vcpu>-1</vcpu></domain>",
		"<domain><name>a</name><memory>1</memory><vcpu cpuset='0-99999999'>1</vcpu></domain>",
		"<domain><name>a</name><memory>1</memory><vcpu cpuset='3-1'>1</vcpu></domain>",
		"<domain><name>a</name><memory>1</memory><vcpu cpuset='x'>1</vcpu></domain>",
		"<domain><name>a</name><memory>1</memory><devices><hostdev type='pci'><source>"
		"<address bus='0x100'/></source></hostdev></devices></domain>",
		"<domain><name>a</name><memory>1</memory><devices><hostdev type='pci'><source>"
		"<address bus='-1'/></source></hostdev></devices></domain>",
		"<domain><name>a</name><memory>1</memory><devices><hostdev type='pci'><source>"
		"<address bus=''/></source></hostdev></devices></domain>",
		"<!DOCTYPE d [<!ENTITY a 'b'>]><domain><name>a</name><memory>1</memory></domain>",
		"<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/hostname'>]><domain><name>&a;</name>"
		"<memory>1</memory></domain>",
		"<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>"
		"<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;'>]>"
		"<domain><name>&d;&d;</name><memory>1</memory></domain>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct guest *guest = NULL;
		struct fail fail = { 0 };

		if (guest_parse(texts[i], &guest, &fail) == 0)
			fail_msg("accepted: %s", texts[i]);
		assert_null(guest);
		assert_int_equal(fail.kind, FAIL_HV);
		assert_non_null(fail.items[0].cause);
		fail_done(&fail);
	}
}

static void a_hostile_owner_is_made_printable(void **state)
{
	CLEANUP(guest)
	struct guest *guest = parsed(
		"<domain><name>a</name><memory>1</memory><metadata><g:vm xmlns:g='" DOMXML_NAMESPACE
		"'>"
		"<g:owner uid='0' name='a&#10;&#x9b;b'/></g:vm></metadata></domain>");

	(void)state;
	assert_string_equal(guest->user, "a\\x0a\\xc2\\x9bb");
	assert_null(guest->spec_text);
	assert_int_equal(guest->function_count, 0);
}

/* By this record a volume is deleted: only the one that gpuvm makes for a VM of this name. */
static void a_seed_is_believed_by_its_name(void **state)
{
	static const struct {
		const char *record;
		bool is_one, is_problem;
	} cases[] = {
		{ "<g:seed pool='p' volume='a-seed.iso'/>", true, false },
		{ "", false, false },
		{ "<g:seed pool='p' volume='b-seed.iso'/>", false, true },
		{ "<g:seed pool='p' volume='a.qcow2'/>", false, true },
		{ "<g:seed pool='' volume='a-seed.iso'/>", false, true },
		{ "<g:seed volume='a-seed.iso'/>", false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CLEANUP(text)
		char *xml = text_format(
			"<domain><name>a</name><memory>1</memory><metadata><g:vm xmlns:g='%s'>"
			"<g:owner uid='0' name='a'/><g:spec file='a' directory='/'>x</g:spec>%s"
			"</g:vm></metadata></domain>",
			DOMXML_NAMESPACE, cases[i].record);
		CLEANUP(guest) struct guest *guest = parsed(xml);

		assert_int_equal(guest->seed_volume != NULL, cases[i].is_one);
		assert_int_equal(guest->seed_pool != NULL, cases[i].is_one);
		assert_int_equal(guest->problem_count, cases[i].is_problem ? 1 : 0);
	}
}

/* Thousands of small damages, always the same ones: whatever comes out, the sanitizers see no harm. */
static void damaged_xml_does_no_harm(void **state)
{
	CLEANUP(sample) struct sample *sample = sample_workstation();
	CLEANUP(text) char *xml = domxml_format(sample_build(sample));
	size_t length = strlen(xml);
	unsigned random = 1;
	unsigned accepted = 0;

	(void)state;
	for (unsigned round = 0; round < 4000; round++) {
		CLEANUP(text) char *other = mem_strdup(xml);
		CLEANUP(guest) struct guest *guest = NULL;
		struct fail fail = { 0 };

		for (unsigned i = 0; i <= round % 3; i++) {
			random = random * 1103515245 + 12345;
			size_t at = (random >> 8) % length;
			size_t from = (random >> 4) % length;
			size_t span = (random >> 3) % 40;

			if (round % 4 == 0 && at + span < length)
				memmove(other + at, other + at + span, length - at - span + 1);
			else if (round % 4 == 1 && at + span < length && from + span < length)
				memcpy(other + at, xml + from, span);
			else if (round % 4 == 2)
				other[at] = "0123456789abcdef<>&;\"'-^, "[(random >> 16) % 26];
			else
				other[at] = (char)(random >> 16);
		}
		if (guest_parse(other, &guest, &fail) == 0)
			accepted++;
		fail_done(&fail);
	}
	/* Else every damage would have ended in the XML parser, and nothing behind it was tried. */
	assert_in_range(accepted, 400, 3600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gpuvm_reads_back_what_it_wrote),
		cmocka_unit_test(any_spec_text_survives),
		cmocka_unit_test(edits_are_problems),
		cmocka_unit_test(foreign_domains_are_read_too),
		cmocka_unit_test(the_vsock_address_is_libvirts),
		cmocka_unit_test(a_domain_without_pins_floats),
		cmocka_unit_test(pins_win_over_the_cpuset),
		cmocka_unit_test(what_is_no_domain_is_refused),
		cmocka_unit_test(a_hostile_owner_is_made_printable),
		cmocka_unit_test(a_seed_is_believed_by_its_name),
		cmocka_unit_test(damaged_xml_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
