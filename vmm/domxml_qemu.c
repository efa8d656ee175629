// SPDX-License-Identifier: MIT
/* What libvirt has no words for, and is said to QEMU past it. Either taints the domain. */
#include "vmm/base/text.h"
#include "vmm/domxml_internal.h"
#include "vmm/mmio.h"

#define QEMU_NAMESPACE "http://libvirt.org/schemas/domain/qemu/1.0"

/* The namespace on @root, declared when it is first needed. */
static xmlNsPtr declared(xmlNodePtr root, xmlNsPtr *space)
{
	if (*space == NULL)
		*space = domxml_namespace(root, QEMU_NAMESPACE, "qemu");
	return *space;
}

static void add_argument(xmlNodePtr commandline, xmlNsPtr space, const char *text)
{
	domxml_attribute(domxml_child_of(commandline, "arg", space), "value", "%s", text);
}

/* <sysinfo type='fwcfg'> would be the way, but libvirt keeps names that begin with opt/ovmf/ for itself (9.0 and 11.3,
 * qemuValidateDomainDefSysinfo, "reserved"). */
static void add_knob(xmlNodePtr root, xmlNsPtr *space, const struct mmio *mmio)
{
	CLEANUP(text) char *file = NULL;
	xmlNodePtr commandline;

	if (mmio == NULL || mmio->knob_mib == 0)
		return;
	file = text_format("name=" WINDOW_KNOB ",string=%u", mmio->knob_mib);
	commandline = domxml_child_of(root, "commandline", declared(root, space));
	add_argument(commandline, *space, "-fw_cfg");
	add_argument(commandline, *space, file);
}

/* The clique of @hostdev, if it is a GPU itself and not what comes along with one; else -1. */
static int clique_of(const struct domain *domain, const struct domain_hostdev *hostdev)
{
	const struct place_gpu *gpu = &domain->placement->gpus[hostdev->gpu];

	return hostdev->seen_by_guest && hostdev->device == gpu->gpu->device ? gpu->clique : -1;
}

/*
 * QEMU then shows NVIDIA's driver a capability by which it knows its peers (QEMU 7.2, hw/vfio/pci-quirks.c,
 * "NVIDIA GPUDirect P2P"). libvirt has no word for it, so the property is written past it; that taints the
 * domain (libvirt 8.2, drvqemu, "Overriding properties of QEMU devices").
 */
static void add_cliques(xmlNodePtr root, xmlNsPtr *space, const struct domain *domain)
{
	xmlNodePtr override = NULL;

	for (size_t i = 0; i < domain->hostdev_count; i++) {
		int clique = clique_of(domain, &domain->hostdevs[i]);
		xmlNodePtr device, property;

		if (clique < 0)
			continue;
		if (override == NULL)
			override = domxml_child_of(root, "override", declared(root, space));
		device = domxml_child_of(override, "device", *space);
		domxml_devices_add_alias(device, "alias", &domain->hostdevs[i]);
		property = domxml_child_of(domxml_child_of(device, "frontend", *space), "property",
					   *space);
		domxml_attribute(property, "name", "x-nv-gpudirect-clique");
		domxml_attribute(property, "type", "unsigned");
		domxml_attribute(property, "value", "%d", clique);
	}
}

void domxml_qemu_add(xmlNodePtr root, const struct domain *domain)
{
	xmlNsPtr space = NULL;

	add_knob(root, &space, domain->mmio);
	add_cliques(root, &space, domain);
}
