// SPDX-License-Identifier: MIT
#include "vmm/base/text.h"
#include "vmm/domxml.h"
#include "vmm/domxml_internal.h"

/* Every address is explicit: what libvirt places itself may land on a GPU's port, or on a new one. */
static void add_address(xmlNodePtr device, const struct domain_address *address)
{
	xmlNodePtr node = domxml_child(device, "address");

	domxml_attribute(node, "type", "pci");
	domxml_attribute(node, "domain", "0x0000");
	domxml_attribute(node, "bus", "0x%02x", address->bus);
	domxml_attribute(node, "slot", "0x%02x", address->slot);
	domxml_attribute(node, "function", "0x%x", address->function);
	if (address->multifunction)
		domxml_attribute(node, "multifunction", "on");
}

static const char *model_name(enum domain_controller_model model)
{
	switch (model) {
	case DOMAIN_ROOT:
		return "pcie-root";
	case DOMAIN_EXPANDER:
		return "pcie-expander-bus";
	case DOMAIN_ROOT_PORT:
		return "pcie-root-port";
	}
	return NULL;
}

static void add_target(xmlNodePtr node, const struct domain_controller *controller)
{
	xmlNodePtr target;

	switch (controller->model) {
	case DOMAIN_ROOT:
		break;
	case DOMAIN_EXPANDER:
		target = domxml_child(node, "target");
		domxml_attribute(target, "busNr", "%u", controller->bus_number);
		if (controller->cell >= 0)
			domxml_leaf(target, "node", "%d", controller->cell);
		break;
	case DOMAIN_ROOT_PORT:
		domxml_attribute(domxml_child(node, "target"), "hotplug", "off");
		break;
	}
}

static void add_controllers(xmlNodePtr devices, const struct domain *domain)
{
	xmlNodePtr usb;

	for (size_t i = 0; i < domain->controller_count; i++) {
		const struct domain_controller *controller = &domain->controllers[i];
		xmlNodePtr node = domxml_child(devices, "controller");

		domxml_attribute(node, "type", "pci");
		domxml_attribute(node, "index", "%u", controller->index);
		domxml_attribute(node, "model", "%s", model_name(controller->model));
		add_target(node, controller);
		if (controller->model != DOMAIN_ROOT)
			add_address(node, &controller->address);
	}
	/* Left out, libvirt would add one, on the first free port. */
	usb = domxml_child(devices, "controller");
	domxml_attribute(usb, "type", "usb");
	domxml_attribute(usb, "model", "none");
}

/*
 * Zeroes are not looked for, which costs a look at every byte written; a guest that discards gives space back.
 */
static void add_disk(xmlNodePtr devices, const struct domain_disk *disk, bool boots)
{
	const struct disk *backing = disk->disk;
	xmlNodePtr node = domxml_child(devices, "disk");
	xmlNodePtr driver, target;

	domxml_attribute(node, "type", "%s", backing->is_block ? "block" : "file");
	domxml_attribute(node, "device", "disk");
	driver = domxml_child(node, "driver");
	domxml_attribute(driver, "name", "qemu");
	domxml_attribute(driver, "type", "%s", disk_format(backing));
	domxml_attribute(driver, "cache", "%s", backing->io.cache);
	domxml_attribute(driver, "io", "%s", backing->io.io);
	domxml_attribute(driver, "discard", "unmap");
	domxml_attribute(driver, "iothread", "%u", disk->iothread);
	domxml_attribute(domxml_child(node, "source"), backing->is_block ? "dev" : "file", "%s",
			 backing->path);
	target = domxml_child(node, "target");
	domxml_attribute(target, "dev", "%s", disk->target);
	domxml_attribute(target, "bus", "virtio");
	if (boots)
		domxml_attribute(domxml_child(node, "boot"), "order", "1");
	add_address(node, &disk->address);
}

/* It is read once and kept in step by nobody: the host's cache serves on any file system. */
static void add_seed(xmlNodePtr devices, const struct domain *domain)
{
	xmlNodePtr node = domxml_child(devices, "disk");
	xmlNodePtr driver, target;

	domxml_attribute(node, "type", "file");
	domxml_attribute(node, "device", "disk");
	driver = domxml_child(node, "driver");
	domxml_attribute(driver, "name", "qemu");
	domxml_attribute(driver, "type", "raw");
	domxml_attribute(driver, "cache", "writeback");
	domxml_attribute(domxml_child(node, "source"), "file", "%s", domain->identity.seed->path);
	target = domxml_child(node, "target");
	domxml_attribute(target, "dev", "%s", domain->seed_target);
	domxml_attribute(target, "bus", "virtio");
	domxml_child(node, "readonly");
	add_address(node, &domain->seed_address);
}

static void add_network(xmlNodePtr devices, const struct domain *domain)
{
	bool is_bridge = domain->spec->network == SPEC_NETWORK_BRIDGE;
	const char *kind = is_bridge ? "bridge" : "network";
	xmlNodePtr node = domxml_child(devices, "interface");

	domxml_attribute(node, "type", "%s", kind);
	if (domain->mac[0] != '\0')
		domxml_attribute(domxml_child(node, "mac"), "address", "%s", domain->mac);
	domxml_attribute(domxml_child(node, "source"), kind, "%s", domain->spec->network_source);
	domxml_attribute(domxml_child(node, "model"), "type", "virtio");
	domxml_attribute(domxml_child(node, "driver"), "name", "vhost");
	domxml_attribute(domxml_child(node, "rom"), "enabled", "no");
	add_address(node, &domain->network_address);
}

static void add_share(xmlNodePtr devices, const struct domain_share *share)
{
	xmlNodePtr node = domxml_child(devices, "filesystem");

	domxml_attribute(node, "type", "mount");
	domxml_attribute(node, "accessmode", "passthrough");
	domxml_attribute(domxml_child(node, "driver"), "type", "virtiofs");
	domxml_attribute(domxml_child(node, "source"), "dir", "%s", share->share->source);
	domxml_attribute(domxml_child(node, "target"), "dir", "%s", share->share->target);
	if (share->share->readonly)
		domxml_child(node, "readonly");
	add_address(node, &share->address);
}

/* With a GPU for its only display a guest is blind until its driver runs: the console and its log. */
static void add_console(xmlNodePtr devices, const struct domain *domain)
{
	xmlNodePtr serial = domxml_child(devices, "serial");
	xmlNodePtr console = domxml_child(devices, "console");
	xmlNodePtr log, target;

	domxml_attribute(serial, "type", "pty");
	log = domxml_child(serial, "log");
	domxml_attribute(log, "file", DOMXML_LOG_DIRECTORY "/%s-serial.log", domain->spec->name);
	domxml_attribute(log, "append", "on");
	domxml_attribute(domxml_child(serial, "target"), "port", "0");
	domxml_attribute(console, "type", "pty");
	target = domxml_child(console, "target");
	domxml_attribute(target, "type", "serial");
	domxml_attribute(target, "port", "0");
}

/*
 * The channel of qemu-guest-agent, in every VM: what a guest without the agent has is a port that nobody opens.
 * Its socket's place is libvirt's choice (formatdomain, "Channel").
 */
static void add_agent(xmlNodePtr devices, const struct domain *domain)
{
	xmlNodePtr controller = domxml_child(devices, "controller");
	xmlNodePtr channel = domxml_child(devices, "channel");
	xmlNodePtr target, address;

	domxml_attribute(controller, "type", "virtio-serial");
	domxml_attribute(controller, "index", "0");
	add_address(controller, &domain->agent_address);
	domxml_attribute(channel, "type", "unix");
	target = domxml_child(channel, "target");
	domxml_attribute(target, "type", "virtio");
	domxml_attribute(target, "name", "org.qemu.guest_agent.0");
	address = domxml_child(channel, "address");
	domxml_attribute(address, "type", "virtio-serial");
	domxml_attribute(address, "controller", "0");
	domxml_attribute(address, "bus", "0");
	domxml_attribute(address, "port", "1");
}

static void add_vsock(xmlNodePtr devices, const struct domain *domain)
{
	xmlNodePtr node = domxml_child(devices, "vsock");

	domxml_attribute(node, "model", "virtio");
	domxml_attribute(domxml_child(node, "cid"), "auto", "yes");
	add_address(node, &domain->vsock_address);
}

static void add_source(xmlNodePtr hostdev, const struct device *device)
{
	xmlNodePtr address = domxml_child(domxml_child(hostdev, "source"), "address");

	domxml_attribute(address, "domain", "0x%04x", device->domain);
	domxml_attribute(address, "bus", "0x%02x", device->bus);
	domxml_attribute(address, "slot", "0x%02x", device->slot);
	domxml_attribute(address, "function", "0x%x", device->function);
}

void domxml_devices_add_alias(xmlNodePtr node, const char *attribute,
			      const struct domain_hostdev *hostdev)
{
	const struct device *device = hostdev->device;

	if (hostdev->seen_by_guest)
		domxml_attribute(node, attribute, "ua-gpu%zu-f%u", hostdev->gpu,
				 hostdev->address.function);
	else
		domxml_attribute(node, attribute, "ua-held-%04x-%02x-%02x-%x", device->domain,
				 device->bus, device->slot, device->function);
}

static void add_hostdev(xmlNodePtr devices, const struct domain_hostdev *hostdev)
{
	xmlNodePtr node = domxml_child(devices, "hostdev");

	domxml_attribute(node, "mode", "subsystem");
	domxml_attribute(node, "type", "pci");
	domxml_attribute(node, "managed", "yes");
	domxml_attribute(domxml_child(node, "driver"), "name", "vfio");
	add_source(node, hostdev->device);
	domxml_devices_add_alias(domxml_child(node, "alias"), "name", hostdev);
	if (!hostdev->seen_by_guest) {
		domxml_attribute(domxml_child(node, "address"), "type", "unassigned");
		return;
	}
	/* The card's own firmware has run on the host; OVMF would only be slowed down by it. */
	domxml_attribute(domxml_child(node, "rom"), "bar", "off");
	add_address(node, &hostdev->address);
}

void domxml_devices_add(xmlNodePtr root, const struct domain *domain)
{
	xmlNodePtr devices = domxml_child(root, "devices");

	add_controllers(devices, domain);
	for (size_t i = 0; i < domain->disk_count; i++)
		add_disk(devices, &domain->disks[i], i == 0);
	if (domain->seed_target[0] != '\0')
		add_seed(devices, domain);
	for (size_t i = 0; i < domain->share_count; i++)
		add_share(devices, &domain->shares[i]);
	if (domain->has_network)
		add_network(devices, domain);
	add_console(devices, domain);
	add_agent(devices, domain);
	if (domain->identity.has_vsock)
		add_vsock(devices, domain);
	for (size_t i = 0; i < domain->hostdev_count; i++)
		add_hostdev(devices, &domain->hostdevs[i]);
	domxml_attribute(domxml_child(devices, "memballoon"), "model", "none");
}
