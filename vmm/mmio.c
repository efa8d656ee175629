// SPDX-License-Identifier: MIT
#include "vmm/mmio.h"

#include <stdlib.h>

#include "topo/iommu.h"
#include "vmm/base/mem.h"
#include "vmm/base/package.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"

/* The first libvirt with <maxphysaddr limit=>. */
#define LIMIT_LIBVIRT 9003000

/* What /proc/cpuinfo may say; anything else is no address width of x86_64. */
enum {
	LEAST_BITS = 32,
	MOST_BITS = 57,
};

/* A virtio device's structures (QEMU 7.2, hw/virtio/virtio-pci.c, modern BAR). */
#define VIRTIO_BYTES (16 * SIZE_KIB)

struct bars {
	struct window_bar *bars;
	size_t count;
};

static void add_bar(struct bars *list, const struct domain_controller *port, unsigned bus,
		    const struct device_bar *bar)
{
	*MEM_APPEND(list->bars, list->count) = (struct window_bar){
		.bus = bus,
		.port = port->address.slot << 3 | port->address.function,
		.size_bytes = bar->size_bytes,
		.is_64bit = bar->is_64bit,
		.is_prefetchable = bar->is_prefetchable,
	};
}

/* What is behind the port: a GPU's functions in their order, or one virtio device. */
static void add_port(struct bars *list, const struct domain *domain,
		     const struct domain_controller *port, unsigned bus)
{
	static const struct device_bar virtio = { .size_bytes = VIRTIO_BYTES,
						  .is_64bit = true,
						  .is_prefetchable = true };
	bool has_hostdev = false;

	for (unsigned function = 0; function < 8; function++) {
		for (size_t i = 0; i < domain->hostdev_count; i++) {
			const struct domain_hostdev *hostdev = &domain->hostdevs[i];

			if (!hostdev->seen_by_guest || hostdev->address.bus != port->index ||
			    hostdev->address.function != function)
				continue;
			has_hostdev = true;
			for (size_t j = 0; j < DEVICE_BARS; j++)
				if (hostdev->device->bars[j].is_memory)
					add_bar(list, port, bus, &hostdev->device->bars[j]);
		}
	}
	if (!has_hostdev)
		add_bar(list, port, bus, &virtio);
}

/* Ports of the bus with @index in the order of their slots, as the domain has them. */
static void add_bus(struct bars *list, const struct domain *domain, unsigned index, unsigned bus)
{
	for (size_t i = 0; i < domain->controller_count; i++)
		if (domain->controllers[i].model == DOMAIN_ROOT_PORT &&
		    domain->controllers[i].address.bus == index)
			add_port(list, domain, &domain->controllers[i], bus);
}

/* Root buses by number: pcie.0 first, and expanders as the domain has them. */
static struct bars bars_of(const struct domain *domain)
{
	struct bars list = { 0 };

	for (size_t i = 0; i < domain->controller_count; i++)
		if (domain->controllers[i].model != DOMAIN_ROOT_PORT)
			add_bus(&list, domain, domain->controllers[i].index,
				domain->controllers[i].bus_number);
	return list;
}

static uint64_t end_of(const struct window *window)
{
	return window->base + window->size_bytes;
}

static bool is_beyond(uint64_t end, unsigned bits)
{
	return bits != 0 && bits < 64 && end > UINT64_C(1) << bits;
}

/* Fills the window, and the knob if it is needed. */
static void settle_window(struct mmio *mmio, const struct window_guest *guest)
{
	mmio->knob_mib = 0;
	mmio->window = window_predict(guest, mmio->version, 0, NULL);
	if (!mmio->window.fits) {
		mmio->knob_mib = window_knob(guest, mmio->version);
		if (mmio->knob_mib != 0)
			mmio->window = window_predict(guest, mmio->version, mmio->knob_mib, NULL);
	}
	mmio->is_beyond_iommu = mmio->need.bytes > 0 &&
				is_beyond(end_of(&mmio->window), mmio->iommu_bits);
}

/*
 * With the guest's address bits limited to the IOMMU's, if that leaves room for everything; else @mmio as it was. A
 * lone GPU has nobody that would reach it, and for it no knob is turned that would not be without.
 */
static void try_limit(struct mmio *mmio, const struct window_guest *guest, bool has_peers)
{
	struct window_guest limited = *guest;
	struct mmio with_limit = *mmio;

	limited.address_bits = with_limit.limit_bits = mmio->iommu_bits;
	settle_window(&with_limit, &limited);
	if (with_limit.window.fits && window_memory_fits(&limited) &&
	    (has_peers || mmio->knob_mib != 0 || with_limit.knob_mib == 0))
		*mmio = with_limit;
}

static void settle(struct mmio *mmio, const struct window_guest *guest, bool has_peers)
{
	mmio->need = window_need(guest);
	mmio->window = mmio->without = window_predict(guest, mmio->version, 0, NULL);
	if (!window_memory_fits(guest) || is_beyond(window_memory_end(guest), mmio->iommu_bits)) {
		mmio->verdict = MMIO_MEMORY_HIGH;
		return;
	}
	settle_window(mmio, guest);
	if (mmio->is_beyond_iommu && mmio->is_limit_known)
		try_limit(mmio, guest, has_peers);
	mmio->verdict = mmio->window.fits ? MMIO_FITS : MMIO_TOO_SMALL;
}

static bool has_limit(const struct root *root, unsigned long libvirt_version)
{
	CLEANUP(text) char *packaged = NULL;

	if (libvirt_version == 0) {
		packaged = package_version(root, "libvirt-daemon-driver-qemu");
		libvirt_version = package_number(packaged);
	}
	return libvirt_version >= LIMIT_LIBVIRT;
}

struct mmio *mmio_judge(const struct domain *domain, const struct root *root,
			unsigned long libvirt_version)
{
	struct mmio *mmio = mem_alloc(1, sizeof *mmio);
	const struct machine *machine = domain->host->machine;
	struct bars bars = bars_of(domain);
	const struct window_guest guest = { .address_bits = machine->phys_bits,
					    .cpu_vendor = machine->cpu_vendor,
					    .has_1gib_pages = machine->has_1gib_pages,
					    .memory_bytes = domain->spec->memory_bytes,
					    .bars = bars.bars,
					    .bar_count = bars.count };

	mmio->version = version_read(root, domain->firmware == NULL ? domain->spec->firmware_code
								    : domain->firmware->executable);
	mmio->is_own_image = domain->firmware == NULL;
	mmio->iommu_bits = iommu_address_bits(root, NULL);
	mmio->memory_bytes = domain->spec->memory_bytes;
	mmio->is_limit_known = has_limit(root, libvirt_version);
	if (machine->phys_bits >= LEAST_BITS && machine->phys_bits <= MOST_BITS) {
		mmio->host_bits = machine->phys_bits;
		settle(mmio, &guest, domain->placement->gpu_count > 1);
	} else {
		mmio->need = window_need(&guest);
		mmio->verdict = MMIO_UNKNOWN;
	}
	free(bars.bars);
	return mmio;
}

void mmio_free(struct mmio *mmio)
{
	if (mmio == NULL)
		return;
	version_free(mmio->version);
	free(mmio);
}

char *mmio_firmware(const struct mmio *mmio)
{
	const struct version *version = mmio->version;

	if (version->release == 0)
		return mem_strdup("an OVMF of unknown version");
	return text_format("OVMF %u.%02u (%s)", version->release / 100, version->release % 100,
			   version->package);
}

static int refuse_memory(const struct mmio *mmio, struct fail *fail)
{
	CLEANUP(text) char *memory = size_format(mmio->memory_bytes);
	bool is_iommu = mmio->iommu_bits != 0 && mmio->iommu_bits < mmio->host_bits;

	fail_add(fail, FAIL_HOST, "[vm] memory = %s: more than a guest can address on this host",
		 memory);
	fail_cause(fail,
		   is_iommu
			   ? "the IOMMU maps %u address bits (/sys/class/iommu/*/intel-iommu/cap)"
			   : "the CPU has %u address bits (/proc/cpuinfo, address sizes), of which "
			     "QEMU leaves 32 GiB free above the memory",
		   is_iommu ? mmio->iommu_bits : mmio->host_bits);
	return fail_hint(fail, "ask for less: [vm] memory");
}

/* GiB, as the window is a whole number of them. */
static char *format_need(const struct mmio *mmio)
{
	return size_format((mmio->need.bytes + SIZE_GIB - 1) / SIZE_GIB * SIZE_GIB);
}

static int refuse_window(const struct mmio *mmio, struct fail *fail)
{
	CLEANUP(text) char *need = format_need(mmio);
	CLEANUP(text) char *given = size_format(mmio->without.size_bytes);
	CLEANUP(text) char *memory = size_format(mmio->memory_bytes);
	CLEANUP(text) char *firmware = mmio_firmware(mmio);

	fail_add(fail, FAIL_HOST,
		 "the GPUs' BARs need %s of addresses, which this firmware cannot give them: the "
		 "guest would miss a GPU, or not start",
		 need);
	fail_cause(fail,
		   "%s gives %s with the CPU's %u address bits and %s of memory, and no value of "
		   "X-PciMmio64Mb makes room",
		   firmware, given, mmio->host_bits, memory);
	if (mmio->version->release == 0 && mmio->is_own_image)
		return fail_hint(fail,
				 "take the distribution's OVMF, whose version is known: [firmware] "
				 "uefi = auto   or fewer GPUs: [gpu] count");
	return fail_hint(fail, "ask for fewer GPUs: [gpu] count   or less memory: [vm] memory");
}

int mmio_check(const struct mmio *mmio, struct fail *fail)
{
	switch (mmio->verdict) {
	case MMIO_TOO_SMALL:
		return refuse_window(mmio, fail);
	case MMIO_MEMORY_HIGH:
		return refuse_memory(mmio, fail);
	case MMIO_FITS:
	case MMIO_UNKNOWN:
		return 0;
	}
	return 0;
}
