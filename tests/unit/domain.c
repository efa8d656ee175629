// SPDX-License-Identifier: MIT
#include "vmm/domain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/samples.h"
#include "vmm/base/text.h"

static const struct domain_hostdev *hostdev_of(const struct domain *domain, const char *address)
{
	for (size_t i = 0; i < domain->hostdev_count; i++)
		if (text_equal(domain->hostdevs[i].device->address, address))
			return &domain->hostdevs[i];
	fail_msg("%s is not there", address);
	return NULL;
}

static void hold_at_all_times(const struct domain *domain)
{
	unsigned next_bus = 0;

	assert_int_equal(domain->controllers[0].model, DOMAIN_ROOT);
	assert_int_equal(domain->sockets * domain->dies * domain->cores * domain->threads,
			 domain->placement->vcpu_count);
	for (size_t i = 1; i < domain->controller_count; i++) {
		const struct domain_controller *controller = &domain->controllers[i];

		assert_int_equal(controller->index, i);
		assert_true(controller->address.bus < i);
		assert_true(controller->address.slot < 0x1f && controller->address.function < 8);
		assert_memory_not_equal(&controller->address, &domain->vsock_address,
					offsetof(struct domain_address, multifunction));
		for (size_t j = 1; j < i; j++)
			assert_memory_not_equal(&controller->address,
						&domain->controllers[j].address,
						offsetof(struct domain_address, multifunction));
		if (controller->model == DOMAIN_EXPANDER) {
			assert_int_equal(controller->address.bus, 0);
			assert_true(controller->bus_number >= next_bus);
			next_bus = controller->bus_number + 1;
		}
		for (size_t j = 0;
		     controller->model == DOMAIN_EXPANDER && j < domain->controller_count; j++)
			next_bus += domain->controllers[j].model == DOMAIN_ROOT_PORT &&
				    domain->controllers[j].address.bus == i;
		assert_true(next_bus <= 256);
	}
	for (size_t i = 0; i < domain->hostdev_count; i++) {
		const struct domain_hostdev *hostdev = &domain->hostdevs[i];

		if (!hostdev->seen_by_guest)
			continue;
		assert_int_equal(domain->controllers[hostdev->address.bus].model, DOMAIN_ROOT_PORT);
		assert_int_equal(hostdev->address.slot, 0);
		for (size_t j = 0; j < domain->hostdev_count; j++)
			if (j != i && domain->hostdevs[j].seen_by_guest &&
			    domain->hostdevs[j].address.bus == hostdev->address.bus)
				assert_int_equal(domain->hostdevs[j].gpu, hostdev->gpu);
	}
}

static void samples_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		CLEANUP(sample) struct sample *sample = samples[i]();

		hold_at_all_times(sample_build(sample));
	}
}

static void each_gpu_is_on_the_expander_of_its_cell(void **state)
{
	CLEANUP(sample) struct sample *sample = sample_sub_numa();
	const struct domain *domain = sample_build(sample);

	(void)state;
	for (size_t i = 0; i < domain->hostdev_count; i++) {
		const struct domain_hostdev *hostdev = &domain->hostdevs[i];
		const struct domain_controller *port, *expander;

		if (!hostdev->seen_by_guest)
			continue;
		port = &domain->controllers[hostdev->address.bus];
		expander = &domain->controllers[port->address.bus];
		assert_int_equal(expander->model, DOMAIN_EXPANDER);
		assert_int_equal(expander->cell, domain->placement->gpus[hostdev->gpu].cell);
	}
	assert_int_equal(domain->hostdev_count, 4);
	/* One group, two GPUs, each in a slot of its own; its other member is held once. */
	assert_int_not_equal(hostdev_of(domain, "0000:83:00.0")->address.bus,
			     hostdev_of(domain, "0000:84:00.0")->address.bus);
	assert_false(hostdev_of(domain, "0000:85:00.0")->seen_by_guest);
	assert_int_equal(domain->sockets, 2);
	assert_int_equal(domain->threads, 2);
}

static void functions_share_a_slot(void **state)
{
	CLEANUP(sample) struct sample *sample = sample_workstation();
	CLEANUP(sample) struct sample *shifted = sample_unknown_node();
	const struct domain *domain = sample_build(sample);
	const struct domain_hostdev *first = hostdev_of(domain, "0000:01:00.0");
	const struct domain_hostdev *last = hostdev_of(domain, "0000:01:00.3");

	(void)state;
	assert_int_equal(domain->hostdev_count, 5); /* the bridge stays */
	assert_int_equal(first->address.bus, last->address.bus);
	assert_int_equal(last->address.function, 3);
	assert_true(first->address.multifunction);
	assert_false(last->address.multifunction);
	assert_false(hostdev_of(domain, "0000:02:00.0")->seen_by_guest);

	domain = sample_build(shifted);
	first = hostdev_of(domain, "0001:c4:1f.1");
	last = hostdev_of(domain, "0001:c4:1f.2");
	assert_int_equal(first->address.function, 0);
	assert_true(first->address.multifunction);
	assert_int_equal(last->address.function, 1);
}

static void a_single_function_is_no_multifunction(void **state)
{
	CLEANUP(sample) struct sample *sample = sample_own_images();
	const struct domain *domain = sample_build(sample);

	(void)state;
	assert_false(domain->hostdevs[0].address.multifunction);
	assert_string_equal(domain->mac, ""); /* not defined yet */
}

static void an_unknown_node_gives_an_expander_without_one(void **state)
{
	CLEANUP(sample) struct sample *sample = sample_unknown_node();
	const struct domain *domain = sample_build(sample);
	const struct domain_controller *port =
		&domain->controllers[hostdev_of(domain, "0001:c4:1f.1")->address.bus];

	(void)state;
	assert_int_equal(domain->controllers[port->address.bus].model, DOMAIN_EXPANDER);
	assert_int_equal(domain->controllers[port->address.bus].cell, -1);
}

static void many_disks_and_gpus_fit(void **state)
{
	CLEANUP(sample) struct sample *sample = sample_new("many", "");
	const struct domain *domain;

	(void)state;
	sample_machine(sample, 8, 1, 8);
	for (unsigned i = 0; i < 8; i++) {
		char address[14];

		sample_cell(sample, i, i * 8 + 2, 2, SIZE_GIB, 0);
		snprintf(address, sizeof address, "0000:%02x:00.0", 0x10 + i);
		sample_gpu(sample, address, (int)i);
	}
	for (size_t i = 0; i < 40; i++)
		sample_disk(sample, "/x.img", false);
	domain = sample_build(sample);
	hold_at_all_times(domain);
	/* 42 root ports, the agent's last, take the bus numbers up to 42; the expanders begin above. */
	for (size_t i = 0; i < domain->controller_count; i++)
		if (domain->controllers[i].model == DOMAIN_EXPANDER)
			assert_true(domain->controllers[i].bus_number > 42);
	assert_string_equal(domain->disks[25].target, "vdz");
	assert_string_equal(domain->disks[26].target, "vdaa");
	assert_string_equal(domain->disks[39].target, "vdan");
	assert_int_equal(domain->disks[39].address.bus, 40);
	assert_int_equal(domain->controllers[40].address.slot, 6);
	assert_int_equal(domain->controllers[40].address.function, 7);
	assert_true(domain->controllers[1].address.multifunction);
	assert_false(domain->controllers[2].address.multifunction);
	assert_true(domain->controllers[41]
			    .address.multifunction); /* it and the agent's share a slot */
	assert_int_equal(domain->agent_address.bus, 42);
	assert_int_equal(domain->controllers[42].address.function, 1);
	assert_false(domain->controllers[42].address.multifunction);
}

static void topology_is_the_placements(void **state)
{
	CLEANUP(sample) struct sample *sample = sample_two_sockets();
	const struct domain *domain;

	(void)state;
	sample->placement.topology = (struct place_topology){ 1, 2, 8, 1, false };
	domain = sample_build(sample);
	assert_int_equal(domain->sockets, 1);
	assert_int_equal(domain->dies, 2);
	assert_int_equal(domain->cores, 8);
	assert_int_equal(domain->threads, 1);
}

static void formats_and_mac(void **state)
{
	static const struct {
		enum spec_disk_format format;
		const char *image;
		bool is_qcow2;
	} cases[] = {
		{ SPEC_DISK_AUTO, "/a.qcow2", true },      { SPEC_DISK_AUTO, "/qcow2", false },
		{ SPEC_DISK_AUTO, "/a.qcow2.img", false }, { SPEC_DISK_RAW, "/a.qcow2", false },
		{ SPEC_DISK_QCOW2, "/a.img", true },       { SPEC_DISK_AUTO, "/", false },
	};
	CLEANUP(sample) struct sample *sample = sample_two_sockets();
	const struct domain *domain;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		sample_disk(sample, cases[i].image, false);
		sample->disks[i].format = cases[i].format;
	}
	sample->identity.uuid = "8D0C4FD1-2E43-4D1A-9A55-6F0E1B2C3D4E";
	domain = sample_build(sample);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(domain->disks[i].disk->is_qcow2, cases[i].is_qcow2);
	assert_string_equal(domain->mac, "52:54:00:2c:3d:4e");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_hold),
		cmocka_unit_test(each_gpu_is_on_the_expander_of_its_cell),
		cmocka_unit_test(functions_share_a_slot),
		cmocka_unit_test(a_single_function_is_no_multifunction),
		cmocka_unit_test(an_unknown_node_gives_an_expander_without_one),
		cmocka_unit_test(many_disks_and_gpus_fit),
		cmocka_unit_test(topology_is_the_placements),
		cmocka_unit_test(formats_and_mac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
