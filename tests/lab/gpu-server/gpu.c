// SPDX-License-Identifier: MIT
#include "tests/lab/gpu-server/gpu.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define D3    3
#define NEVER UINT64_MAX

static const char *const fault_names[GPU_FAULTS] = {
	[GPU_FAULT_NONE] = "none",
	[GPU_FAULT_RESET_FAILS] = "reset-fails",
	[GPU_FAULT_RESET_HANGS] = "reset-hangs",
	[GPU_FAULT_LOST] = "lost",
	[GPU_FAULT_D3HOT_STUCK] = "d3hot-stuck",
	[GPU_FAULT_D3COLD_STUCK] = "d3cold-stuck",
	[GPU_FAULT_GONE] = "gone",
};

static bool is_power_of_2(uint64_t number)
{
	return number != 0 && (number & (number - 1)) == 0;
}

static const char *bar_problem(const struct gpu_shape *shape, unsigned index)
{
	const struct gpu_bar *bar = &shape->bars[index];

	if (bar->length == 0)
		return NULL;
	if (!is_power_of_2(bar->length))
		return "the size of a BAR is a power of two";
	if (bar->length < (bar->is_io ? 4 : 16) || bar->length > (bar->is_io ? 256u : 1ull << 46))
		return "a BAR has 16 bytes to 64 TiB, one of I/O ports 4 to 256 bytes";
	if (!bar->is_64bit && bar->length > 1u << 31)
		return "a BAR of 32 bits has no more than 2 GiB";
	if (bar->is_64bit && (index == GPU_BARS - 1 || shape->bars[index + 1].length != 0))
		return "a BAR of 64 bits takes the place of the next one too";
	return NULL;
}

static bool is_link(unsigned generation, unsigned lanes)
{
	return generation >= 1 && generation <= 6 && is_power_of_2(lanes) && lanes <= 16;
}

const char *gpu_shape_problem(const struct gpu_shape *shape)
{
	const struct gpu_bar *first = &shape->bars[0];

	for (unsigned i = 0; i < GPU_BARS; i++) {
		const char *problem = bar_problem(shape, i);

		if (problem != NULL)
			return problem;
	}
	if (shape->vendor == 0xffff || shape->class_code > 0xffffff)
		return "no such ids or class";
	if (!is_link(shape->link_generation, shape->link_lanes) ||
	    !is_link(shape->max_link_generation, shape->max_link_lanes))
		return "a link has generation 1 to 6 and 1, 2, 4, 8 or 16 lanes";
	if (shape->interrupt_pin > 4)
		return "interrupt pins are 1 to 4";
	if (shape->msi_vectors > 32 || (shape->msi_vectors & (shape->msi_vectors - 1)) != 0)
		return "MSI has 1, 2, 4, 8, 16 or 32 vectors";
	if (shape->msix_vectors > 2048)
		return "MSI-X has no more than 2048 vectors";
	if (shape->msix_vectors > 0 &&
	    (first->is_io || first->length < 1 << 18 || first->length > 1u << 31))
		return "MSI-X needs a BAR 0 of memory, of 256 KiB to 2 GiB";
	return NULL;
}

static bool is_mapped(const struct gpu_bar *bar)
{
	return bar->length >= 4096 && !bar->is_io && !bar->is_trapped;
}

int gpu_init(struct gpu *gpu, const struct gpu_shape *shape)
{
	memset(gpu, 0, sizeof *gpu);
	gpu->shape = *shape;
	for (unsigned i = 0; i < GPU_BARS; i++)
		gpu->memory[i] = -1;
	for (unsigned i = 0; i < GPU_BARS; i++) {
		if (!is_mapped(&shape->bars[i]))
			continue;
		gpu->memory[i] = memfd_create("bar", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		/* Sealed, or a client could shrink it under another one's feet. */
		if (gpu->memory[i] < 0 ||
		    ftruncate(gpu->memory[i], (off_t)shape->bars[i].length) < 0 ||
		    fcntl(gpu->memory[i], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) <
			    0) {
			int error = errno;

			gpu_done(gpu);
			errno = error;
			return -1;
		}
	}
	gpu_config_init(gpu);
	return 0;
}

void gpu_done(struct gpu *gpu)
{
	for (unsigned i = 0; i < GPU_BARS; i++) {
		if (gpu->memory[i] >= 0)
			close(gpu->memory[i]);
		gpu->memory[i] = -1;
	}
}

bool gpu_answers(const struct gpu *gpu)
{
	return gpu->fault != GPU_FAULT_LOST && gpu->fault != GPU_FAULT_GONE &&
	       gpu->now_ms >= gpu->ready_at_ms;
}

unsigned gpu_power(const struct gpu *gpu)
{
	return gpu->config[GPU_PM + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK;
}

static void set_power(struct gpu *gpu, unsigned power)
{
	uint8_t *control = &gpu->config[GPU_PM + PCI_PM_CTRL];

	*control = (uint8_t)((*control & ~3u) | power);
}

static void forget_registers(struct gpu *gpu)
{
	memcpy(gpu->config, gpu->initial, sizeof gpu->config);
}

static void lose_power(struct gpu *gpu)
{
	forget_registers(gpu);
	gpu->ready_at_ms = NEVER;
}

int gpu_reset(struct gpu *gpu, enum gpu_reset how)
{
	unsigned power = gpu_power(gpu);

	if (gpu->fault == GPU_FAULT_RESET_FAILS)
		gpu->ready_at_ms = NEVER;
	if (gpu->fault == GPU_FAULT_LOST || gpu->ready_at_ms == NEVER) {
		gpu->resets_failed++;
		return EIO;
	}
	gpu->resets[how]++;
	forget_registers(gpu);
	if (gpu->fault == GPU_FAULT_D3HOT_STUCK)
		set_power(gpu, power);
	if (gpu->fault == GPU_FAULT_RESET_HANGS)
		gpu->ready_at_ms = gpu->now_ms + gpu->fault_ms;
	return 0;
}

void gpu_config_read(const struct gpu *gpu, size_t offset, void *data, size_t count)
{
	if (gpu_answers(gpu))
		memcpy(data, gpu->config + offset, count);
	else
		memset(data, 0xff, count);
}

/* After a write: a function has D0 and D3 only, and other states change nothing. */
static void change_power(struct gpu *gpu, unsigned before)
{
	unsigned after = gpu_power(gpu);

	if (after == 1 || after == 2 || (before == D3 && gpu->fault == GPU_FAULT_D3HOT_STUCK))
		set_power(gpu, before);
	else if (after == D3 && gpu->fault == GPU_FAULT_D3COLD_STUCK)
		lose_power(gpu);
}

void gpu_config_write(struct gpu *gpu, size_t offset, const void *data, size_t count)
{
	const size_t flr = GPU_EXPRESS + PCI_EXP_DEVCTL + 1;
	const uint8_t *bytes = data;
	unsigned power = gpu_power(gpu);

	if (!gpu_answers(gpu))
		return;
	for (size_t i = 0; i < count; i++) {
		uint8_t mask = gpu->writable[offset + i];
		uint8_t *byte = &gpu->config[offset + i];

		*byte = (uint8_t)((*byte & ~mask) | (bytes[i] & mask));
	}
	change_power(gpu, power);
	if (gpu->shape.has_flr && offset <= flr && flr - offset < count &&
	    (bytes[flr - offset] & PCI_EXP_DEVCTL_BCR_FLR >> 8) != 0)
		gpu_reset(gpu, GPU_RESET_FLR);
}

int gpu_bar_read(const struct gpu *gpu, unsigned index, uint64_t offset, void *data, size_t count)
{
	int memory = gpu->memory[index];
	ssize_t got;

	memset(data, gpu_answers(gpu) ? 0 : 0xff, count);
	if (memory < 0 || !gpu_answers(gpu))
		return 0;
	got = pread(memory, data, count, (off_t)offset);
	return got == (ssize_t)count ? 0 : EIO;
}

int gpu_bar_write(struct gpu *gpu, unsigned index, uint64_t offset, const void *data, size_t count)
{
	int memory = gpu->memory[index];
	ssize_t put;

	if (memory < 0 || !gpu_answers(gpu))
		return 0;
	put = pwrite(memory, data, count, (off_t)offset);
	return put == (ssize_t)count ? 0 : EIO;
}

void gpu_fail(struct gpu *gpu, enum gpu_fault fault, uint64_t ms)
{
	gpu->fault = fault;
	gpu->fault_ms = ms;
	if (fault == GPU_FAULT_NONE)
		gpu->ready_at_ms = 0;
	/* An idle function of vfio-pci sleeps already. */
	if (fault == GPU_FAULT_D3COLD_STUCK && gpu_power(gpu) == D3)
		lose_power(gpu);
}

const char *gpu_fault_name(enum gpu_fault fault)
{
	return fault_names[fault];
}
