// SPDX-License-Identifier: MIT
#include "vmm/domain.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

/* Where things sit on pcie.0. Slot 1 is left alone: libvirt keeps it for a primary video device. */
enum {
	PORT_SLOT = 0x02,     /* root ports of the emulated devices, 8 to a slot */
	EXPANDER_SLOT = 0x10, /* expanders, one to a slot; 0x1f is the chipset's own */
	VSOCK_SLOT = 0x1e,
	EXPANDER_BUS = 0x20, /* bus number of the first expander, above those of pcie.0's ports */
	BUS_NUMBERS = 0x100,
	FUNCTIONS = 8,
};

static struct domain_controller *add_controller(struct domain *domain,
						enum domain_controller_model model)
{
	struct domain_controller *controller = MEM_APPEND(domain->controllers,
							  domain->controller_count);

	controller->model = model;
	controller->index = (unsigned)domain->controller_count - 1;
	controller->cell = -1;
	return controller;
}

/* A root port on pcie.0 and the address of the one device behind it. */
static struct domain_address add_emulated_port(struct domain *domain, unsigned position)
{
	struct domain_controller *port = add_controller(domain, DOMAIN_ROOT_PORT);

	port->address.slot = PORT_SLOT + position / FUNCTIONS;
	port->address.function = position % FUNCTIONS;
	/* The slot is probed for more functions only if its first one says that there are some. */
	if (port->address.function == 1)
		domain->controllers[port->index - 1].address.multifunction = true;
	return (struct domain_address){ .bus = port->index };
}

static void name_target(char target[8], size_t position)
{
	if (position < 26)
		snprintf(target, 8, "vd%c", (char)('a' + position));
	else
		snprintf(target, 8, "vd%c%c", (char)('a' + (position / 26 - 1) % 26),
			 (char)('a' + position % 26));
}

/* Returns how many emulated devices there are. */
static unsigned add_emulated(struct domain *domain, const struct disks *disks)
{
	const struct spec *spec = domain->spec;
	unsigned count = 0;

	for (size_t i = 0; i < disks->count; i++) {
		struct domain_disk *disk = MEM_APPEND(domain->disks, domain->disk_count);

		disk->disk = &disks->disks[i];
		disk->iothread = (unsigned)i + 1;
		name_target(disk->target, i);
		disk->address = add_emulated_port(domain, count++);
	}
	domain->has_network = spec->network != SPEC_NETWORK_NONE;
	if (domain->has_network)
		domain->network_address = add_emulated_port(domain, count++);
	for (size_t i = 0; i < spec->share_count; i++) {
		struct domain_share *share = MEM_APPEND(domain->shares, domain->share_count);

		share->share = &spec->shares[i];
		share->address = add_emulated_port(domain, count++);
	}
	domain->agent_address = add_emulated_port(domain, count++);
	if (domain->identity.seed != NULL && domain->identity.seed->is_attached) {
		name_target(domain->seed_target, domain->disk_count);
		domain->seed_address = add_emulated_port(domain, count++);
	}
	return count;
}

static bool has_hostdev(const struct domain *domain, const struct device *device)
{
	for (size_t i = 0; i < domain->hostdev_count; i++)
		if (text_equal(domain->hostdevs[i].device->address, device->address))
			return true;
	return false;
}

static struct domain_hostdev *add_hostdev(struct domain *domain, const struct device *device,
					  size_t gpu)
{
	struct domain_hostdev *hostdev = MEM_APPEND(domain->hostdevs, domain->hostdev_count);

	hostdev->device = device;
	hostdev->gpu = gpu;
	return hostdev;
}

/* All functions of GPU number @gpu in one slot, behind the port with index @bus. */
static void add_gpu(struct domain *domain, size_t gpu, unsigned bus)
{
	const struct gpu *found = domain->placement->gpus[gpu].gpu;
	size_t first = domain->hostdev_count;
	unsigned lowest = FUNCTIONS;

	for (size_t i = 0; i < found->member_count; i++)
		if (found->members[i].role == GPU_MEMBER_FUNCTION &&
		    found->members[i].device->function < lowest)
			lowest = found->members[i].device->function;
	for (size_t i = 0; i < found->member_count; i++) {
		const struct device *device = found->members[i].device;
		struct domain_hostdev *hostdev;

		if (found->members[i].role != GPU_MEMBER_FUNCTION)
			continue;
		hostdev = add_hostdev(domain, device, gpu);
		hostdev->seen_by_guest = true;
		/* A slot without a function 0 is not enumerated (PCIe base specification, 7.5.1.1.9). */
		hostdev->address = (struct domain_address){
			.bus = bus,
			.function = device->function - lowest,
		};
	}
	if (domain->hostdev_count - first > 1)
		for (size_t i = first; i < domain->hostdev_count; i++)
			if (domain->hostdevs[i].address.function == 0)
				domain->hostdevs[i].address.multifunction = true;
}

/* After all GPUs: what is left of their groups. Two GPUs of one group hold the same members. */
static void add_held(struct domain *domain)
{
	const struct placement *placement = domain->placement;

	for (size_t i = 0; i < placement->gpu_count; i++) {
		const struct gpu *gpu = placement->gpus[i].gpu;

		for (size_t j = 0; j < gpu->member_count; j++)
			if (gpu->members[j].role == GPU_MEMBER_HELD &&
			    !has_hostdev(domain, gpu->members[j].device))
				add_hostdev(domain, gpu->members[j].device, i);
	}
}

static unsigned gpus_of_cell(const struct placement *placement, int cell)
{
	unsigned count = 0;

	for (size_t i = 0; i < placement->gpu_count; i++)
		if (placement->gpus[i].cell == cell)
			count++;
	return count;
}

static unsigned round_up(unsigned number, unsigned step)
{
	return (number + step - 1) / step * step;
}

/* Bus numbers that an expander with @ports needs: its own, one per port, and slack to the next. */
static unsigned bus_numbers(unsigned ports, unsigned step)
{
	return round_up(1 + ports, step);
}

/* Expanders start at round numbers as long as all fit below 256. */
static unsigned bus_step(const struct placement *placement, unsigned first)
{
	for (unsigned step = 16; step > 1; step /= 2) {
		unsigned next = first;

		for (int cell = -1; cell < (int)placement->cell_count; cell++) {
			unsigned ports = gpus_of_cell(placement, cell);

			next += ports == 0 ? 0 : bus_numbers(ports, step);
		}
		if (next <= BUS_NUMBERS)
			return step;
	}
	return 1;
}

/*
 * GPUs without a cell get an expander too, one without a node: the guest sees numa_node -1, as the
 * host does. It comes last.
 */
static void add_gpus(struct domain *domain, unsigned emulated)
{
	const struct placement *placement = domain->placement;
	int cells = (int)placement->cell_count;
	/* pcie.0's own ports take the bus numbers from 1 on. */
	unsigned next = round_up(1 + emulated, EXPANDER_BUS);
	unsigned step = bus_step(placement, next);
	unsigned slot = EXPANDER_SLOT;

	for (int i = 0; i <= cells; i++) {
		int cell = i < cells ? i : -1;
		unsigned ports = gpus_of_cell(placement, cell);
		unsigned port_slot = 0;
		struct domain_controller *expander;
		unsigned index;

		if (ports == 0)
			continue;
		expander = add_controller(domain, DOMAIN_EXPANDER);
		expander->address.slot = slot++;
		expander->bus_number = next;
		expander->cell = cell;
		index = expander->index;
		next += bus_numbers(ports, step);
		for (size_t gpu = 0; gpu < placement->gpu_count; gpu++) {
			struct domain_controller *port;

			if (placement->gpus[gpu].cell != cell)
				continue;
			port = add_controller(domain, DOMAIN_ROOT_PORT);
			port->address.bus = index;
			port->address.slot = port_slot++;
			add_gpu(domain, gpu, port->index);
		}
	}
	add_held(domain);
}

static int by_gpu_and_function(const void *a, const void *b)
{
	const struct domain_hostdev *one = a;
	const struct domain_hostdev *other = b;

	if (one->seen_by_guest != other->seen_by_guest)
		return one->seen_by_guest ? -1 : 1;
	if (one->gpu != other->gpu)
		return one->gpu < other->gpu ? -1 : 1;
	return strcmp(one->device->address, other->device->address);
}

static void make_mac(char mac[18], const char *uuid)
{
	const char *digits = uuid == NULL ? NULL : strrchr(uuid, '-');
	char low[7];

	if (digits == NULL || strlen(digits) != 13)
		return;
	for (size_t i = 0; i < 6; i++)
		low[i] = (char)tolower((unsigned char)digits[7 + i]);
	snprintf(mac, 18, "52:54:00:%.2s:%.2s:%.2s", low, low + 2, low + 4);
}

struct domain *domain_build(const struct spec *spec, const struct host *host,
			    const struct placement *placement, const struct descriptor *firmware,
			    const struct domain_identity *identity, const struct disks *disks,
			    const struct guest_volumes *kept)
{
	struct domain *domain = mem_alloc(1, sizeof *domain);

	domain->spec = spec;
	domain->host = host;
	domain->placement = placement;
	domain->firmware = firmware;
	domain->kept = kept;
	domain->identity = *identity;
	make_mac(domain->mac, identity->uuid);
	add_controller(domain, DOMAIN_ROOT);
	add_gpus(domain, add_emulated(domain, disks));
	/* Behind no port: systemd's first steps look for it no deeper, and its ssh server listens only if they load its
	 * driver (systemd 257, src/core/kmod-setup.c). Nothing can be hot-plugged there (QEMU 7.2, docs/pcie.txt). */
	domain->vsock_address = (struct domain_address){ .slot = VSOCK_SLOT };
	if (domain->hostdev_count > 1)
		qsort(domain->hostdevs, domain->hostdev_count, sizeof *domain->hostdevs,
		      by_gpu_and_function);
	domain->sockets = placement->topology.sockets;
	domain->dies = placement->topology.dies;
	domain->cores = placement->topology.cores;
	domain->threads = placement->topology.threads;
	return domain;
}

void domain_free(struct domain *domain)
{
	if (domain == NULL)
		return;
	free(domain->controllers);
	free(domain->hostdevs);
	free(domain->disks);
	free(domain->shares);
	free(domain);
}
