// SPDX-License-Identifier: MIT
#include "vmm/guest_plan.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cpulist.h"
#include "vmm/guest_internal.h"

enum {
	MOST_VCPUS = 4096,
};

/* What is on a bus of the guest: a PCI controller. */
struct controller {
	unsigned index;
	bool is_root, is_expander, is_port;
	unsigned bus, slot, function; /* where it is itself */
	unsigned bus_number;          /* of an expander */
	int cell;
};

struct controllers {
	struct controller *items;
	size_t count;
};

/* New bitmap; empty if @list is NULL or malformed. */
static hwloc_bitmap_t read_list(const char *list)
{
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();

	if (list != NULL)
		(void)cpulist_parse(list, cpus);
	return cpus;
}

/* Takes @cpus; the first of a number counts. */
static void set_vcpu(struct guest_plan *plan, unsigned number, hwloc_bitmap_t cpus)
{
	while (number < MOST_VCPUS && plan->vcpu_count <= number)
		*MEM_APPEND(plan->vcpus, plan->vcpu_count) = NULL;
	if (number < MOST_VCPUS && plan->vcpus[number] == NULL && !hwloc_bitmap_iszero(cpus))
		plan->vcpus[number] = cpus;
	else
		hwloc_bitmap_free(cpus);
}

/* What gpuvm recorded: "2,3,34,35", by vCPU. virsh vcpupin changes the XML's own pins, not these. */
static void read_recorded_pins(struct guest_plan *plan, xmlXPathContext *context)
{
	CLEANUP(text) char *pins = guest_text_at(context, "/domain/metadata/g:vm[1]/g:start/@pins");
	char *rest = pins;
	char *word;

	for (unsigned i = 0; i < MOST_VCPUS && (word = strsep(&rest, ",")) != NULL; i++)
		set_vcpu(plan, i, read_list(word));
}

static void read_pins(struct guest_plan *plan, xmlXPathContext *context)
{
	CLEANUP(found) xmlXPathObject *found = guest_find(context, "/domain/cputune/vcpupin");

	read_recorded_pins(plan, context);
	for (size_t i = 0; i < guest_found_count(found); i++) {
		xmlNode *node = found->nodesetval->nodeTab[i];
		CLEANUP(text) char *vcpu = guest_attribute(node, "vcpu");
		CLEANUP(text) char *cpus = guest_attribute(node, "cpuset");
		unsigned number;

		if (vcpu != NULL && guest_read_unsigned(vcpu, &number) == 0)
			set_vcpu(plan, number, read_list(cpus));
	}
}

static void read_own_threads(struct guest_plan *plan, xmlXPathContext *context)
{
	CLEANUP(text)
	char *emulator = guest_text_at(context, "/domain/cputune/emulatorpin/@cpuset");
	CLEANUP(found) xmlXPathObject *found = guest_find(context, "/domain/cputune/iothreadpin");

	plan->emulator = read_list(emulator);
	plan->iothreads = hwloc_bitmap_alloc();
	for (size_t i = 0; i < guest_found_count(found); i++) {
		CLEANUP(text)
		char *cpus = guest_attribute(found->nodesetval->nodeTab[i], "cpuset");

		if (cpus != NULL)
			(void)cpulist_parse(cpus, plan->iothreads);
	}
}

/* The first child of @node named @name, or NULL. */
static xmlNode *child_of(xmlNode *node, const char *name)
{
	for (xmlNode *child = node->children; child != NULL; child = child->next)
		if (child->type == XML_ELEMENT_NODE && text_equal((const char *)child->name, name))
			return child;
	return NULL;
}

/* Bus, slot and function of the guest. False if @address is NULL or malformed, or not PCI. */
static bool read_address(xmlNode *address, unsigned *ret_bus, unsigned *ret_slot,
			 unsigned *ret_function)
{
	CLEANUP(text) char *type = address == NULL ? NULL : guest_attribute(address, "type");

	return text_equal(type, "pci") && guest_read_part(address, "bus", 0xff, ret_bus) == 0 &&
	       guest_read_part(address, "slot", 0x1f, ret_slot) == 0 &&
	       guest_read_part(address, "function", 7, ret_function) == 0;
}

static void read_target(xmlNode *target, struct controller *controller)
{
	CLEANUP(text) char *number = target == NULL ? NULL : guest_attribute(target, "busNr");
	xmlNode *node = target == NULL ? NULL : child_of(target, "node");
	unsigned cell;

	controller->cell = -1;
	if (number == NULL || guest_read_unsigned(number, &controller->bus_number) < 0 ||
	    controller->bus_number > 0xff)
		controller->is_expander = false;
	if (node != NULL) {
		xmlChar *content = xmlNodeGetContent(node);

		if (guest_read_unsigned((const char *)content, &cell) == 0 && cell < MOST_VCPUS)
			controller->cell = (int)cell;
		xmlFree(content);
	}
}

static void add_controller(struct controllers *controllers, xmlNode *node)
{
	CLEANUP(text) char *index = guest_attribute(node, "index");
	CLEANUP(text) char *model = guest_attribute(node, "model");
	struct controller controller = { .is_root = text_equal(model, "pcie-root"),
					 .is_expander = text_equal(model, "pcie-expander-bus"),
					 .is_port = text_equal(model, "pcie-root-port") };

	if (index == NULL || guest_read_unsigned(index, &controller.index) < 0)
		return;
	if (!controller.is_root && !read_address(child_of(node, "address"), &controller.bus,
						 &controller.slot, &controller.function))
		return;
	read_target(child_of(node, "target"), &controller);
	*MEM_APPEND(controllers->items, controllers->count) = controller;
}

static const struct controller *controller_of(const struct controllers *controllers, unsigned index)
{
	for (size_t i = 0; i < controllers->count; i++)
		if (controllers->items[i].index == index)
			return &controllers->items[i];
	return NULL;
}

/* False if that is not slot 0 behind a root port on a root bus. */
static bool place_of(const struct controllers *controllers, xmlNode *address,
		     struct guest_place *ret_place)
{
	const struct controller *port, *above;
	unsigned bus, slot, function;

	if (!read_address(address, &bus, &slot, &function))
		return false;
	port = controller_of(controllers, bus);
	above = port == NULL || !port->is_port ? NULL : controller_of(controllers, port->bus);
	if (above == NULL || slot != 0 || (!above->is_root && !above->is_expander))
		return false;
	*ret_place = (struct guest_place){ .root_bus = above->is_root ? 0 : above->bus_number,
					   .port_slot = port->slot,
					   .port_function = port->function,
					   .function = function,
					   .cell = above->cell };
	return true;
}

static void add_hostdev(struct guest_plan *plan, const struct controllers *controllers,
			xmlNode *node)
{
	xmlNode *source = child_of(node, "source");
	xmlNode *from = source == NULL ? NULL : child_of(source, "address");
	xmlNode *to = child_of(node, "address");
	CLEANUP(text) char *type = to == NULL ? NULL : guest_attribute(to, "type");
	struct guest_hostdev hostdev = { .is_seen = !text_equal(type, "unassigned") };
	unsigned domain, bus, slot, function;

	if (from == NULL || guest_read_part(from, "domain", 0xfffff, &domain) < 0 ||
	    guest_read_part(from, "bus", 0xff, &bus) < 0 ||
	    guest_read_part(from, "slot", 0x1f, &slot) < 0 ||
	    guest_read_part(from, "function", 7, &function) < 0)
		return;
	snprintf(hostdev.address, sizeof hostdev.address, "%04x:%02x:%02x.%x", domain, bus, slot,
		 function);
	hostdev.has_place = hostdev.is_seen && place_of(controllers, to, &hostdev.place);
	*MEM_APPEND(plan->hostdevs, plan->hostdev_count) = hostdev;
}

static void read_devices(struct guest_plan *plan, xmlXPathContext *context)
{
	CLEANUP(found)
	xmlXPathObject *buses = guest_find(context, "/domain/devices/controller[@type='pci']");
	CLEANUP(found)
	xmlXPathObject *hostdevs = guest_find(context, "/domain/devices/hostdev[@type='pci']");
	struct controllers controllers = { 0 };

	for (size_t i = 0; i < guest_found_count(buses) && i < GUEST_MOST_DEVICES; i++)
		add_controller(&controllers, buses->nodesetval->nodeTab[i]);
	for (size_t i = 0; i < guest_found_count(hostdevs) && i < GUEST_MOST_DEVICES; i++)
		add_hostdev(plan, &controllers, hostdevs->nodesetval->nodeTab[i]);
	free(controllers.items);
}

struct guest_plan *guest_plan_read(const char *xml)
{
	const char *problem;
	CLEANUP(document) xmlDoc *document = guest_document(xml, &problem);
	CLEANUP(context) xmlXPathContext *context = NULL;
	struct guest_plan *plan;

	if (document == NULL)
		return NULL;
	context = guest_context(document);
	plan = mem_alloc(1, sizeof *plan);
	read_pins(plan, context);
	read_own_threads(plan, context);
	read_devices(plan, context);
	return plan;
}

void guest_plan_free(struct guest_plan *plan)
{
	if (plan == NULL)
		return;
	for (size_t i = 0; i < plan->vcpu_count; i++)
		if (plan->vcpus[i] != NULL)
			hwloc_bitmap_free(plan->vcpus[i]);
	free(plan->vcpus);
	hwloc_bitmap_free(plan->emulator);
	hwloc_bitmap_free(plan->iothreads);
	free(plan->hostdevs);
	free(plan);
}

const struct guest_hostdev *guest_plan_hostdev(const struct guest_plan *plan, const char *address)
{
	for (size_t i = 0; i < plan->hostdev_count; i++)
		if (text_equal(plan->hostdevs[i].address, address))
			return &plan->hostdevs[i];
	return NULL;
}
