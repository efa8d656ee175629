// SPDX-License-Identifier: MIT
#include "topo/pcie.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define DEVICES            "/sys/bus/pci/devices"
#define VENDOR_NVIDIA      0x10de
#define CLASS_OTHER_BRIDGE 0x0680

/* "16.0 GT/s PCIe", before Linux 5.8 "16 GT/s"; "Unknown" if there is no link. */
static unsigned read_speed(const struct root *root, const char *address, const char *file)
{
	CLEANUP(text) char *text = root_text(root, DEVICES "/%s/%s", address, file);
	unsigned whole, tenth = 0;

	if (text == NULL || sscanf(text, "%4u.%1u GT/s", &whole, &tenth) < 1)
		return 0;
	return whole * 1000 + tenth * 100;
}

static unsigned read_width(const struct root *root, const char *address, const char *file)
{
	int64_t width = root_number(root, 0, DEVICES "/%s/%s", address, file);

	/* x32 is the widest there is; 255 stands for an unknown one. */
	return width < 0 || width > 32 ? 0 : (unsigned)width;
}

static struct pcie_link read_link(const struct root *root, const struct device *device)
{
	struct pcie_link link = { 0 };

	if (!device->is_pcie)
		return link;
	link.speed_mts = read_speed(root, device->address, "current_link_speed");
	link.width = read_width(root, device->address, "current_link_width");
	link.max_speed_mts = read_speed(root, device->address, "max_link_speed");
	link.max_width = read_width(root, device->address, "max_link_width");
	/* A port without a card has a speed but no lane. */
	if (link.width == 0)
		link.speed_mts = 0;
	return link;
}

bool pcie_is_nvswitch(const struct device *device)
{
	return device->vendor_id == VENDOR_NVIDIA && device->class_id == CLASS_OTHER_BRIDGE &&
	       !device->is_bridge;
}

/* What the tree is made of: an end, or a bridge above one. */
struct part {
	const struct device *device;
	const struct gpu *gpu;
};

struct parts {
	struct part *parts;
	size_t count;
};

static bool is_listed(const struct parts *parts, const struct device *device)
{
	for (size_t i = parts->count; i-- > 0;)
		if (parts->parts[i].device == device)
			return true;
	return false;
}

static void add_with_bridges(struct parts *parts, const struct device_list *devices,
			     const struct device *end, const struct gpu *gpu)
{
	*MEM_APPEND(parts->parts, parts->count) = (struct part){ .device = end, .gpu = gpu };
	for (const struct device *up = device_find(devices, end->parent);
	     up != NULL && !is_listed(parts, up); up = device_find(devices, up->parent))
		*MEM_APPEND(parts->parts, parts->count) = (struct part){ .device = up };
}

static int by_path(const void *a, const void *b)
{
	const struct device *left = ((const struct part *)a)->device;
	const struct device *right = ((const struct part *)b)->device;

	if (left->domain != right->domain)
		return left->domain < right->domain ? -1 : 1;
	return strcmp(left->path, right->path);
}

static enum pcie_role role_of(const struct part *part, const struct pcie_node *parent)
{
	if (part->gpu != NULL)
		return PCIE_GPU;
	if (!part->device->is_bridge)
		return PCIE_NVSWITCH;
	if (!part->device->is_pcie)
		return PCIE_BRIDGE;
	switch (parent->role) {
	case PCIE_ROOT_BUS:
		return PCIE_ROOT_PORT;
	case PCIE_SWITCH:
		return PCIE_DOWN_PORT;
	case PCIE_ROOT_PORT:
	case PCIE_DOWN_PORT:
		return PCIE_SWITCH;
	case PCIE_BRIDGE:
	case PCIE_GPU:
	case PCIE_NVSWITCH:
		break;
	}
	return PCIE_BRIDGE;
}

/* The root bus that @device is below; the newest node's if it is the same, as the parts are sorted. */
static size_t root_bus(struct pcie *pcie, const struct device *device)
{
	struct pcie_node root = { .role = PCIE_ROOT_BUS, .parent = pcie->count };
	size_t last = pcie->count;

	snprintf(root.name, sizeof root.name, "pci%04x:%.2s", device->domain, device->path);
	while (last > 0 && pcie->nodes[last - 1].role != PCIE_ROOT_BUS)
		last--;
	if (last > 0 && text_equal(pcie->nodes[last - 1].name, root.name))
		return last - 1;
	*MEM_APPEND(pcie->nodes, pcie->count) = root;
	return root.parent;
}

static size_t parent_of(struct pcie *pcie, const struct device *device)
{
	size_t root = root_bus(pcie, device);

	for (size_t i = pcie->count; i-- > root + 1;)
		if (text_equal(pcie->nodes[i].name, device->parent))
			return i;
	return root;
}

static void add_node(struct pcie *pcie, const struct root *root, const struct part *part)
{
	size_t parent = parent_of(pcie, part->device);
	struct pcie_node *node = MEM_APPEND(pcie->nodes, pcie->count);

	node->role = role_of(part, &pcie->nodes[parent]);
	node->device = part->device;
	node->gpu = part->gpu;
	memcpy(node->name, part->device->address, sizeof node->name);
	node->parent = parent;
	node->depth = pcie->nodes[parent].depth + 1;
	node->link = read_link(root, part->device);
}

/* A bridge to conventional PCI looks like a switch's upper port, but has no ports below. */
static void tell_bridges(struct pcie *pcie)
{
	for (size_t i = 0; i < pcie->count; i++) {
		bool has_port = false;

		for (size_t j = i + 1;
		     j < pcie->count && pcie->nodes[j].depth > pcie->nodes[i].depth; j++)
			has_port = has_port || pcie->nodes[j].role == PCIE_DOWN_PORT;
		if (pcie->nodes[i].role == PCIE_SWITCH && !has_port)
			pcie->nodes[i].role = PCIE_BRIDGE;
	}
}

static void count_virtual(struct pcie *pcie, const struct root *root, const struct gpu_list *gpus)
{
	for (size_t i = 0; i < gpus->count; i++) {
		const struct device *device = gpus->gpus[i].device;
		CLEANUP(text) char *physical = NULL;

		if (!device->is_virtual_function)
			continue;
		physical = root_link_name(root, DEVICES "/%s/physfn", device->address);
		for (size_t j = 0; j < pcie->count; j++)
			if (text_equal(pcie->nodes[j].name, physical))
				pcie->nodes[j].virtual_function_count++;
	}
}

struct pcie *pcie_read(const struct root *root, const struct device_list *devices,
		       const struct gpu_list *gpus)
{
	struct pcie *pcie = mem_alloc(1, sizeof *pcie);
	struct parts parts = { 0 };

	for (size_t i = 0; i < gpus->count; i++)
		if (!gpus->gpus[i].device->is_virtual_function)
			add_with_bridges(&parts, devices, gpus->gpus[i].device, &gpus->gpus[i]);
	for (size_t i = 0; i < devices->count; i++)
		if (pcie_is_nvswitch(&devices->devices[i]))
			add_with_bridges(&parts, devices, &devices->devices[i], NULL);
	if (parts.count > 1)
		qsort(parts.parts, parts.count, sizeof *parts.parts, by_path);
	for (size_t i = 0; i < parts.count; i++)
		add_node(pcie, root, &parts.parts[i]);
	tell_bridges(pcie);
	count_virtual(pcie, root, gpus);
	free(parts.parts);
	return pcie;
}

void pcie_free(struct pcie *pcie)
{
	if (pcie == NULL)
		return;
	free(pcie->nodes);
	free(pcie);
}

const char *pcie_role_name(enum pcie_role role)
{
	static const char *const names[] = {
		[PCIE_ROOT_BUS] = "root_bus", [PCIE_ROOT_PORT] = "root_port",
		[PCIE_SWITCH] = "switch",     [PCIE_DOWN_PORT] = "down_port",
		[PCIE_BRIDGE] = "bridge",     [PCIE_GPU] = "gpu",
		[PCIE_NVSWITCH] = "nvswitch",
	};

	return names[role];
}

const struct pcie_node *pcie_node(const struct pcie *pcie, const struct gpu *gpu)
{
	for (size_t i = 0; i < pcie->count; i++)
		if (pcie->nodes[i].gpu == gpu)
			return &pcie->nodes[i];
	return NULL;
}

const struct pcie_node *pcie_above(const struct pcie *pcie, const struct pcie_node *node,
				   enum pcie_role role)
{
	while (node->role != PCIE_ROOT_BUS) {
		node = &pcie->nodes[node->parent];
		if (node->role == role)
			return node;
	}
	return NULL;
}
