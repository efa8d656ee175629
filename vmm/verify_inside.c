// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/verify_internal.h"

#define CLASS_PORT  0x0604 /* PCI-to-PCI bridge */
#define PORT_FORMAT "0000:%02x:%02x.%x"

char *verify_inside_path(const char *address, const char *file)
{
	CLEANUP(text) char *path = health_path(address, file);

	return text_format("%s in the guest", path);
}

static char *port_of(const struct guest_place *place)
{
	return text_format(PORT_FORMAT, place->root_bus, place->port_slot, place->port_function);
}

const struct verify_device *verify_device_at(const struct verify_guest *inside,
					     const struct guest_hostdev *hostdev)
{
	CLEANUP(text) char *port = NULL;
	CLEANUP(text) char *bus = NULL;
	CLEANUP(text) char *function = NULL;

	if (!hostdev->has_place)
		return NULL;
	port = port_of(&hostdev->place);
	bus = text_format("pci0000:%02x", hostdev->place.root_bus);
	function = text_format(":00.%x", hostdev->place.function);
	for (size_t i = 0; i < inside->count; i++) {
		const struct verify_device *device = &inside->devices[i];

		if (device->depth == 1 && text_equal(device->root_bus, bus) &&
		    text_equal(device->parent, port) && text_starts(device->address + 7, function))
			return device;
	}
	return NULL;
}

static const struct verify_device *device_named(const struct verify_guest *inside,
						const char *address)
{
	for (size_t i = 0; i < inside->count; i++)
		if (text_equal(inside->devices[i].address, address))
			return &inside->devices[i];
	return NULL;
}

static bool is_display(uint16_t class_id)
{
	return class_id >> 8 == DEVICE_CLASS_DISPLAY || class_id >> 8 == DEVICE_CLASS_ACCELERATOR;
}

/* A function that the guest is to see. */
static bool is_for_guest(const struct verify_function *function)
{
	return !function->is_port && function->device != NULL &&
	       (function->hostdev == NULL || function->hostdev->is_seen);
}

/* The guest's device, or a row that says that there is none. */
static const struct verify_device *seen(const struct verify_evidence *evidence,
					const struct verify_function *function,
					struct findings *findings)
{
	const struct verify_device *device = function->hostdev == NULL
						     ? NULL
						     : verify_device_at(evidence->inside,
									function->hostdev);
	struct finding *row;

	if (device != NULL)
		return device;
	row = findings_add(findings, FINDING_FAILED, function->address);
	row->source = verify_inside_path("*", "");
	if (function->hostdev == NULL) {
		row->found = mem_strdup("the running domain does not have it any more");
	} else if (!function->hostdev->has_place) {
		row->found = mem_strdup("the domain's XML puts it behind no root port");
	} else {
		CLEANUP(text) char *port = port_of(&function->hostdev->place);

		row->found = text_format("the guest has nothing behind root port %s", port);
	}
	row->hint = text_format("in the guest: dmesg | grep -i pci; then gpuvm stop %s, gpuvm "
				"start %s",
				evidence->name, evidence->name);
	return NULL;
}

void verify_check_agent(const struct verify_evidence *evidence, struct findings *findings)
{
	struct finding *row = findings_add(findings, FINDING_OK, NULL);

	row->source = mem_strdup("qemu-guest-agent");
	if (evidence->inside != NULL && evidence->drivers != NULL) {
		row->found = mem_strdup("it answers");
		return;
	}
	row->state = FINDING_NOT_CHECKED;
	row->found = mem_strdup(evidence->inside == NULL ? evidence->inside_problem
							 : evidence->drivers_problem);
	if (row->found == NULL)
		row->found = mem_strdup("it was not asked");
	row->hint = mem_strdup(evidence->inside == NULL ? evidence->inside_hint
							: evidence->drivers_hint);
}

void verify_check_count(const struct verify_evidence *evidence, struct findings *findings)
{
	struct finding *row = findings_add(findings, FINDING_OK, NULL);
	size_t want = 0;
	size_t have = 0;

	for (size_t i = 0; i < evidence->function_count; i++)
		if (is_for_guest(&evidence->functions[i]) &&
		    is_display(evidence->functions[i].device->class_id))
			want++;
	for (size_t i = 0; i < evidence->inside->count; i++)
		if (is_display(evidence->inside->devices[i].class_id))
			have++;
	row->source = verify_inside_path("*", "");
	row->found = text_format("%zu", have);
	row->expected = text_format("%zu", want);
	if (have == want)
		return;
	row->state = FINDING_FAILED;
	row->hint = have < want ? mem_strdup("in the guest: dmesg | grep -i pci")
				: text_format("somebody gave it another: gpuvm show %s",
					      evidence->name);
}

void verify_check_ids(const struct verify_evidence *evidence, struct findings *findings)
{
	for (size_t i = 0; i < evidence->function_count; i++) {
		const struct verify_function *function = &evidence->functions[i];
		const struct verify_device *device;
		struct finding *row;

		if (!is_for_guest(function) ||
		    (device = seen(evidence, function, findings)) == NULL)
			continue;
		row = findings_add(findings, FINDING_OK, function->address);
		row->source = verify_inside_path(device->address, "device");
		row->found = text_format("%04x:%04x at %s", device->vendor_id, device->device_id,
					 device->address);
		row->expected = text_format("%04x:%04x", function->device->vendor_id,
					    function->device->device_id);
		if (device->vendor_id == function->device->vendor_id &&
		    device->device_id == function->device->device_id)
			continue;
		row->state = FINDING_FAILED;
		row->hint = text_format("gpuvm show %s", evidence->name);
	}
}

/* What is wrong with BAR @number in the guest, to be joined; NULL: nothing. */
static char *wrong_bar(const struct device *host, const struct verify_device *guest, size_t number)
{
	const struct device_bar *want = &host->bars[number];
	const struct verify_bar *have = &guest->bars[number];
	CLEANUP(text) char *want_size = size_format(want->size_bytes);
	CLEANUP(text) char *have_size = size_format(have->size_bytes);

	if (want->size_bytes == 0)
		return NULL;
	if (number >= guest->bar_count || have->size_bytes == 0 || !have->is_assigned)
		return text_format("BAR %zu of %s is not assigned", number, want_size);
	if (have->size_bytes != want->size_bytes)
		return text_format("BAR %zu has %s of %s", number, have_size, want_size);
	return NULL;
}

static void check_bars(const struct verify_function *function, const struct verify_device *guest,
		       struct findings *findings)
{
	struct finding *row = findings_add(findings, FINDING_OK, function->address);
	CLEANUP(text) char *sizes = NULL;
	CLEANUP(text) char *wrong = NULL;
	bool is_memory = false;

	for (size_t i = 0; i < DEVICE_BARS; i++) {
		const struct device_bar *bar = &function->device->bars[i];
		CLEANUP(text) char *size = size_format(bar->size_bytes);
		CLEANUP(text) char *text = wrong_bar(function->device, guest, i);

		if (bar->size_bytes != 0)
			text_join(&sizes, ", ", size);
		if (text != NULL)
			text_join(&wrong, "; ", text);
		is_memory = is_memory || (text != NULL && bar->is_memory);
	}
	row->source = verify_inside_path(guest->address, "resource");
	row->expected = sizes == NULL ? mem_strdup("no BARs")
				      : text_format("all as on the host: %s", sizes);
	row->found = wrong == NULL ? mem_strdup("as on the host") : mem_strdup(wrong);
	if (wrong == NULL)
		return;
	/* Ports of a GPU are a relic that no driver of today needs, and there are few to give out. */
	row->state = is_memory ? FINDING_FAILED : FINDING_NOTE;
	row->hint = mem_strdup(is_memory
				       ? "the guest's firmware had no room for it: in the guest "
					 "dmesg | grep -e BAR -e 'no space'; on the host gpuvm plan"
				       : "I/O ports, which no driver needs");
}

void verify_check_bars(const struct verify_evidence *evidence, struct findings *findings)
{
	for (size_t i = 0; i < evidence->function_count; i++) {
		const struct verify_function *function = &evidence->functions[i];
		const struct verify_device *device;

		if (!is_for_guest(function))
			continue;
		device = seen(evidence, function, findings);
		if (device != NULL)
			check_bars(function, device, findings);
	}
}

void verify_check_node(const struct verify_evidence *evidence, struct findings *findings)
{
	for (size_t i = 0; i < evidence->function_count; i++) {
		const struct verify_function *function = &evidence->functions[i];
		const struct verify_device *device;
		struct finding *row;
		int want;

		if (function->gpu == NULL || !is_for_guest(function) ||
		    (device = seen(evidence, function, findings)) == NULL)
			continue;
		want = function->hostdev->place.cell;
		row = findings_add(findings, FINDING_OK, function->address);
		row->source = verify_inside_path(device->address, "numa_node");
		row->found = device->has_node ? text_format("%d", device->node)
					      : mem_strdup("its kernel knows no nodes");
		row->expected = text_format("%d", want);
		if (!device->has_node) {
			row->state = FINDING_NOTE;
		} else if (device->node != want) {
			row->state = FINDING_FAILED;
			row->hint = mem_strdup("its programs choose CPUs and memory by it: in the "
					       "guest dmesg | grep -i -e srat -e numa");
		}
	}
}

void verify_check_port(const struct verify_evidence *evidence, struct findings *findings)
{
	for (size_t i = 0; i < evidence->function_count; i++) {
		const struct verify_function *function = &evidence->functions[i];
		const struct verify_device *device, *port;
		struct finding *row;

		if (function->gpu == NULL || !is_for_guest(function) ||
		    (device = seen(evidence, function, findings)) == NULL)
			continue;
		port = device_named(evidence->inside, device->parent);
		row = findings_add(findings, FINDING_OK, function->address);
		row->source = verify_inside_path("*", "");
		row->expected = text_format("a root port on %s", device->root_bus);
		if (port != NULL && port->class_id == CLASS_PORT && port->depth == 0) {
			row->found = text_format("%s", port->address);
			continue;
		}
		row->state = FINDING_FAILED;
		row->found = text_format("%s, which is no port", device->parent);
		row->hint = text_format("gpuvm show %s", evidence->name);
	}
}
