// SPDX-License-Identifier: MIT
#include "vmm/link.h"

#include "topo/health.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

static unsigned lesser(unsigned a, unsigned b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* "16 GT/s", "2.5 GT/s". */
static char *speed_format(unsigned mts)
{
	return mts % 1000 == 0 ? text_format("%u GT/s", mts / 1000)
			       : text_format("%u.%u GT/s", mts / 1000, mts % 1000 / 100);
}

static char *width_format(unsigned lanes)
{
	return text_format("x%u", lanes);
}

/* One of the two that a link is measured by. */
struct measure {
	const char *file;
	char *(*format)(unsigned value);
	size_t now, most;           /* offsets in struct pcie_link */
	enum finding_state if_less; /* than both ends are capable of */
	const char *hint;
};

/*
 * Speed falls while a GPU is idle and comes back with work: drivers do that to save power, and the GPU of a VM that
 * has just booted is idle. Lanes, once trained, stay: fewer than both ends have are a bad contact.
 */
static const struct measure measures[] = {
	[LINK_WIDTH] = {
	.file = "current_link_width",
	.format = width_format,
	.now = offsetof(struct pcie_link, width),
	.most = offsetof(struct pcie_link, max_width),
	.if_less = FINDING_FAILED,
	.hint = "lanes were lost when the link was trained: look again while the GPU works; if it "
		"stays, reseat the card or its riser",
	},
	[LINK_SPEED] = {
	.file = "current_link_speed",
	.format = speed_format,
	.now = offsetof(struct pcie_link, speed_mts),
	.most = offsetof(struct pcie_link, max_speed_mts),
	.if_less = FINDING_WARNING,
	.hint = "idle GPUs slow their link down: look again while the GPU works",
	},
};

static unsigned value_at(const struct pcie_link *link, size_t offset)
{
	return *(const unsigned *)((const char *)link + offset);
}

/* Why there is nothing to measure; NULL: there is. */
static const char *without_link(const struct gpu *gpu, const struct pcie_node *node)
{
	if (gpu->device->is_virtual_function || node == NULL)
		return "a virtual function: the link is its physical function's";
	if (gpu->device->on_root_bus)
		return "on the root bus: it has no link";
	if (!gpu->device->is_pcie)
		return "conventional PCI: it has no link";
	return NULL;
}

static char *most_of_both(const struct measure *measure, unsigned card, unsigned port)
{
	CLEANUP(text) char *most = measure->format(lesser(card, port));
	CLEANUP(text) char *own = measure->format(card);
	CLEANUP(text) char *ports = measure->format(port);

	if (card == 0 || port == 0 || card == port)
		return text_format("%s", most);
	return text_format("%s (the card has up to %s, its port %s)", most, own, ports);
}

void link_judge(const struct pcie *pcie, const struct gpu *gpu, enum link_measure which,
		struct findings *findings)
{
	const struct measure *measure = &measures[which];
	const struct pcie_node *node = pcie_node(pcie, gpu);
	const char *nothing = without_link(gpu, node);
	struct finding *row = findings_add(findings, FINDING_OK, gpu->device->address);
	unsigned now, card, port;

	row->source = health_path(gpu->device->address, measure->file);
	if (nothing != NULL) {
		row->state = FINDING_NOTE;
		row->found = mem_strdup(nothing);
		return;
	}
	now = value_at(&node->link, measure->now);
	card = value_at(&node->link, measure->most);
	port = value_at(&pcie->nodes[node->parent].link, measure->most);
	row->found = now == 0 ? mem_strdup("no link") : measure->format(now);
	if (lesser(card, port) != 0)
		row->expected = most_of_both(measure, card, port);
	if (now == 0) {
		row->state = measure->if_less;
		row->hint = mem_strdup("the card does not answer: sudo dmesg | grep -i pci");
	} else if (now < lesser(card, port)) {
		row->state = measure->if_less;
		row->hint = mem_strdup(measure->hint);
	}
}
