// SPDX-License-Identifier: MIT
/* What a start planned, read back from what gpuvm wrote, and from what others did to it. */
#include "vmm/guest_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/samples.h"
#include "vmm/base/text.h"
#include "vmm/domxml.h"

/* Every sample's XML tells the same as the domain that it was written from. */
static void gpuvm_reads_back_where_it_put_things(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		CLEANUP(sample) struct sample *sample = samples[i]();
		const struct domain *domain = sample_build(sample);
		CLEANUP(text) char *xml = domxml_format(domain);
		CLEANUP(guest_plan) struct guest_plan *plan = guest_plan_read(xml);

		assert_non_null(plan);
		assert_int_equal(plan->vcpu_count, sample->placement.vcpu_count);
		for (size_t j = 0; j < plan->vcpu_count; j++) {
			assert_int_equal(hwloc_bitmap_weight(plan->vcpus[j]), 1);
			assert_int_equal(hwloc_bitmap_first(plan->vcpus[j]), sample->vcpus[j].cpu);
		}
		assert_true(
			hwloc_bitmap_isincluded(sample->placement.emulator_cpus, plan->emulator));
		assert_int_equal(plan->hostdev_count, domain->hostdev_count);
		for (size_t j = 0; j < domain->hostdev_count; j++) {
			const struct domain_hostdev *want = &domain->hostdevs[j];
			const struct guest_hostdev *have = guest_plan_hostdev(
				plan, want->device->address);
			const struct domain_controller *port, *above;

			assert_non_null(have);
			assert_int_equal(have->is_seen, want->seen_by_guest);
			assert_int_equal(have->has_place, want->seen_by_guest);
			if (!want->seen_by_guest)
				continue;
			port = &domain->controllers[want->address.bus];
			above = &domain->controllers[port->address.bus];
			assert_int_equal(have->place.root_bus, above->bus_number);
			assert_int_equal(have->place.cell, above->cell);
			assert_int_equal(have->place.port_slot, port->address.slot);
			assert_int_equal(have->place.port_function, port->address.function);
			assert_int_equal(have->place.function, want->address.function);
		}
	}
}

#define DOMAIN(metadata, tune, devices)                                                            \
	"<domain><metadata><g:vm xmlns:g='urn:gpuvm:vm:1'>" metadata                               \
	"</g:vm></metadata><cputune>" tune "</cputune><devices>" devices "</devices></domain>"
#define HOSTDEV(address)                                                                                   \
	"<hostdev type='pci'><source><address domain='0' bus='1' slot='0' function='0'/></source>" address \
	"</hostdev>"

static const struct {
	const char *what, *xml;
	int cpu;        /* of vCPU 0; -1: it floats */
	bool has_place; /* of 0000:01:00.0 */
} others[] = {
	{ "the record counts", DOMAIN("<g:start pins='4'/>", "<vcpupin vcpu='0' cpuset='5'/>", ""),
	  4, false },
	{ "without a record the XML's", DOMAIN("", "<vcpupin vcpu='0' cpuset='5'/>", ""), 5,
	  false },
	{ "a record that is none",
	  DOMAIN("<g:start pins='x'/>", "<vcpupin vcpu='0' cpuset='5'/>", ""), 5, false },
	{ "no pin", DOMAIN("", "", ""), -1, false },
	{ "a vCPU of a number that nobody has",
	  DOMAIN("", "<vcpupin vcpu='4294967295' cpuset='5'/>", ""), -1, false },
	{ "on the root bus",
	  DOMAIN("", "",
		 "<controller type='pci' index='0' model='pcie-root'/>" HOSTDEV(
			 "<address type='pci' bus='0' slot='3'/>")),
	  -1, false },
	{ "behind a port of the root bus",
	  DOMAIN("", "",
		 "<controller type='pci' index='0' model='pcie-root'/><controller type='pci' "
		 "index='1' model='pcie-root-port'><address type='pci' bus='0' slot='2'/>"
		 "</controller>" HOSTDEV("<address type='pci' bus='1' slot='0'/>")),
	  -1, true },
	{ "a port that is above itself",
	  DOMAIN("", "",
		 "<controller type='pci' index='1' model='pcie-root-port'><address type='pci' "
		 "bus='1' slot='0'/></controller>" HOSTDEV(
			 "<address type='pci' bus='1' slot='0'/>")),
	  -1, false },
	{ "no such bus", DOMAIN("", "", HOSTDEV("<address type='pci' bus='7' slot='0'/>")), -1,
	  false },
	{ "a malformed address", DOMAIN("", "", HOSTDEV("<address type='pci' bus='x'/>")), -1,
	  false },
};

static void what_others_wrote_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		CLEANUP(guest_plan) struct guest_plan *plan = guest_plan_read(others[i].xml);
		const struct guest_hostdev *hostdev;

		assert_non_null(plan);
		if (others[i].cpu < 0)
			assert_true(plan->vcpu_count == 0 || plan->vcpus[0] == NULL);
		else
			assert_int_equal(hwloc_bitmap_first(plan->vcpus[0]), others[i].cpu);
		hostdev = guest_plan_hostdev(plan, "0000:01:00.0");
		if ((hostdev != NULL && hostdev->has_place) != others[i].has_place)
			fail_msg("%s", others[i].what);
	}
	assert_null(guest_plan_read("<domain"));
	assert_null(guest_plan_read("<!DOCTYPE a [<!ENTITY b 'c'>]><domain/>"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gpuvm_reads_back_where_it_put_things),
		cmocka_unit_test(what_others_wrote_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
