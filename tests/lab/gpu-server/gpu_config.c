// SPDX-License-Identifier: MIT
#include "tests/lab/gpu-server/gpu.h"

#include <linux/pci_regs.h>
#include <string.h>

/* No half of its MSI-X table is in the way of the other: vectors in the third quarter, pending bits in the last. */
#define MSIX_BAR 0

static void put(struct gpu *gpu, size_t offset, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		gpu->initial[offset + i] = (uint8_t)(value >> (8 * i));
}

static void allow(struct gpu *gpu, size_t offset, uint64_t bits, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		gpu->writable[offset + i] = (uint8_t)(bits >> (8 * i));
}

static void put_header(struct gpu *gpu)
{
	const struct gpu_shape *shape = &gpu->shape;

	put(gpu, PCI_VENDOR_ID, shape->vendor, 2);
	put(gpu, PCI_DEVICE_ID, shape->device, 2);
	put(gpu, PCI_SUBSYSTEM_VENDOR_ID, shape->subvendor, 2);
	put(gpu, PCI_SUBSYSTEM_ID, shape->subdevice, 2);
	put(gpu, PCI_REVISION_ID, shape->revision, 1);
	put(gpu, PCI_CLASS_PROG, shape->class_code, 3);
	put(gpu, PCI_STATUS, PCI_STATUS_CAP_LIST, 2);
	put(gpu, PCI_INTERRUPT_PIN, shape->interrupt_pin, 1);
	allow(gpu, PCI_COMMAND,
	      PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
		      PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE,
	      2);
	allow(gpu, PCI_CACHE_LINE_SIZE, 0xff, 1);
	allow(gpu, PCI_INTERRUPT_LINE, 0xff, 1);
}

/* The bits below its size do not change, which is how a BAR says how large it is. */
static void put_bar(struct gpu *gpu, unsigned index)
{
	const struct gpu_bar *bar = &gpu->shape.bars[index];
	size_t offset = PCI_BASE_ADDRESS_0 + 4 * (size_t)index;
	uint64_t type = 0;

	if (bar->length == 0)
		return;
	if (bar->is_io)
		type = PCI_BASE_ADDRESS_SPACE_IO;
	if (bar->is_64bit)
		type |= PCI_BASE_ADDRESS_MEM_TYPE_64;
	if (bar->is_prefetchable)
		type |= PCI_BASE_ADDRESS_MEM_PREFETCH;
	put(gpu, offset, type, 4);
	allow(gpu, offset, ~(bar->length - 1), bar->is_64bit ? 8 : 4);
}

static void put_pm(struct gpu *gpu)
{
	put(gpu, GPU_PM, PCI_CAP_ID_PM, 1);
	put(gpu, GPU_PM + PCI_PM_PMC, 3, 2);
	put(gpu, GPU_PM + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET, 2);
	allow(gpu, GPU_PM + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK, 2);
}

static void put_msi(struct gpu *gpu)
{
	unsigned exponent = 0;

	while (1u << exponent < gpu->shape.msi_vectors)
		exponent++;
	put(gpu, GPU_MSI, PCI_CAP_ID_MSI, 1);
	put(gpu, GPU_MSI + PCI_MSI_FLAGS, PCI_MSI_FLAGS_64BIT | exponent << 1, 2);
	allow(gpu, GPU_MSI + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE, 2);
	allow(gpu, GPU_MSI + PCI_MSI_ADDRESS_LO, UINT64_MAX << 2, 8);
	allow(gpu, GPU_MSI + PCI_MSI_DATA_64, 0xffff, 2);
}

static void put_express(struct gpu *gpu)
{
	const struct gpu_shape *shape = &gpu->shape;
	unsigned type = PCI_EXP_TYPE_ENDPOINT;

	for (unsigned i = 0; i < GPU_BARS; i++)
		if (shape->bars[i].is_io)
			type = PCI_EXP_TYPE_LEG_END;
	put(gpu, GPU_EXPRESS, PCI_CAP_ID_EXP, 1);
	put(gpu, GPU_EXPRESS + PCI_EXP_FLAGS, 2 | type << 4, 2);
	put(gpu, GPU_EXPRESS + PCI_EXP_DEVCAP,
	    1 | PCI_EXP_DEVCAP_EXT_TAG | PCI_EXP_DEVCAP_RBER |
		    (shape->has_flr ? PCI_EXP_DEVCAP_FLR : 0),
	    4);
	put(gpu, GPU_EXPRESS + PCI_EXP_LNKCAP,
	    shape->max_link_generation | shape->max_link_lanes << 4, 4);
	put(gpu, GPU_EXPRESS + PCI_EXP_LNKSTA, shape->link_generation | shape->link_lanes << 4, 2);
	put(gpu, GPU_EXPRESS + PCI_EXP_LNKCAP2, (2u << shape->max_link_generation) - 2, 4);
	put(gpu, GPU_EXPRESS + PCI_EXP_LNKCTL2, shape->max_link_generation, 2);
	/* Its uppermost bit starts a reset, and reads as zero. */
	allow(gpu, GPU_EXPRESS + PCI_EXP_DEVCTL, 0x7fff, 2);
	allow(gpu, GPU_EXPRESS + PCI_EXP_LNKCTL,
	      PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_RCB | PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES,
	      2);
	allow(gpu, GPU_EXPRESS + PCI_EXP_DEVCTL2, PCI_EXP_DEVCTL2_COMP_TIMEOUT, 2);
	allow(gpu, GPU_EXPRESS + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS, 2);
}

static void put_msix(struct gpu *gpu)
{
	uint64_t quarter = gpu->shape.bars[MSIX_BAR].length / 4;

	put(gpu, GPU_MSIX, PCI_CAP_ID_MSIX, 1);
	put(gpu, GPU_MSIX + PCI_MSIX_FLAGS, gpu->shape.msix_vectors - 1, 2);
	put(gpu, GPU_MSIX + PCI_MSIX_TABLE, 2 * quarter | MSIX_BAR, 4);
	put(gpu, GPU_MSIX + PCI_MSIX_PBA, 3 * quarter | MSIX_BAR, 4);
	allow(gpu, GPU_MSIX + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL, 2);
}

static void put_serial(struct gpu *gpu)
{
	put(gpu, GPU_SERIAL, PCI_EXT_CAP_ID_DSN | 1 << 16, 4);
	put(gpu, GPU_SERIAL + 4, gpu->shape.serial, 8);
}

/* Each byte that points to a capability gets the next one that there is. */
static void link_capabilities(struct gpu *gpu)
{
	const size_t order[] = { GPU_PM, GPU_MSI, GPU_EXPRESS, GPU_MSIX };
	size_t pointer = PCI_CAPABILITY_LIST;

	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		if (gpu->initial[order[i]] == 0)
			continue;
		put(gpu, pointer, order[i], 1);
		pointer = order[i] + PCI_CAP_LIST_NEXT;
	}
}

void gpu_config_init(struct gpu *gpu)
{
	put_header(gpu);
	for (unsigned i = 0; i < GPU_BARS; i++)
		put_bar(gpu, i);
	put_pm(gpu);
	if (gpu->shape.msi_vectors > 0)
		put_msi(gpu);
	put_express(gpu);
	if (gpu->shape.msix_vectors > 0)
		put_msix(gpu);
	if (gpu->shape.serial != 0)
		put_serial(gpu);
	link_capabilities(gpu);
	memcpy(gpu->config, gpu->initial, sizeof gpu->config);
}
