/* SPDX-License-Identifier: MIT */
/*
 * One PCI function: its config space, its BARs, how it is reset, and how it goes wrong.
 *
 * The config space is three arrays: what stands there, which bits a write changes, and what a reset puts back. It has
 * power management (D0 and D3, No_Soft_Reset), PCI Express with the link, and if asked for MSI, MSI-X and the Device
 * Serial Number. A BAR is memory that the client may map, or registers that read as zero ("trapped"). No memory is
 * used before somebody writes to it; then as much as is written to.
 *
 * Source: PCI Express Base 5.0, 7.5 and 7.9.3; names and bits of linux/pci_regs.h. The order of the capabilities is
 * that of NVIDIA's cards as lspci shows them.
 */
#ifndef GPUVM_LAB_GPU_H
#define GPUVM_LAB_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GPU_BARS         6
#define GPU_CONFIG_BYTES 4096

/* Where its capabilities stand. */
#define GPU_PM      0x60
#define GPU_MSI     0x68
#define GPU_EXPRESS 0x78
#define GPU_MSIX    0xc8
#define GPU_SERIAL  0x100

/* One at a time. */
enum gpu_fault {
	GPU_FAULT_NONE,
	/* It does not answer after a reset, ever: the kernel says "not ready ... giving up" after a minute. */
	GPU_FAULT_RESET_FAILS,
	/* It answers again only so long after a reset (fault_ms): the kernel waits. */
	GPU_FAULT_RESET_HANGS,
	/*
	 * Fell off the bus: reads all ones, takes no write and no reset. QEMU goes on to answer for the BARs'
	 * registers and the chain of capabilities, and memory that it has mapped stays.
	 */
	GPU_FAULT_LOST,
	/* Once in D3 it refuses to leave: "Refused to change power state from D3hot to D0". Its VM starts all the same. */
	GPU_FAULT_D3HOT_STUCK,
	/* Once in D3 it has no power any more: "Unable to change power state ..., device inaccessible". */
	GPU_FAULT_D3COLD_STUCK,
	/*
	 * As if its process had ended under its user: every message about the function fails, only memory goes on to
	 * be mapped. A QEMU whose messages about memory fail too ends itself ("DMA mapping failed, unable to
	 * continue"), and the machine with it.
	 */
	GPU_FAULT_GONE,
	GPU_FAULTS
};

enum gpu_reset {
	GPU_RESET_FLR, /* by Device Control */
	GPU_RESET_BUS, /* by the client */
	GPU_RESETS
};

struct gpu_bar {
	uint64_t length; /* bytes; 0: there is none, or it is the upper half of the one before */
	bool is_io;
	bool is_64bit;
	bool is_prefetchable;
	bool is_trapped;
};

/* What the command line says. */
struct gpu_shape {
	uint16_t vendor, device, subvendor, subdevice;
	uint32_t class_code; /* 24 bits: class, subclass, programming interface */
	uint8_t revision;
	struct gpu_bar bars[GPU_BARS];
	uint64_t serial; /* 0: no such capability */
	bool has_flr;
	unsigned link_generation, link_lanes;         /* now */
	unsigned max_link_generation, max_link_lanes; /* what it can do */
	unsigned interrupt_pin;                       /* 0: none, 1: INTA */
	unsigned msi_vectors, msix_vectors;           /* 0: no such capability */
};

struct gpu {
	struct gpu_shape shape;
	uint8_t config[GPU_CONFIG_BYTES];
	uint8_t writable[GPU_CONFIG_BYTES];
	uint8_t initial[GPU_CONFIG_BYTES];
	int memory[GPU_BARS]; /* of each BAR that is memory; else -1 */
	enum gpu_fault fault;
	uint64_t fault_ms;
	uint64_t now_ms;      /* the caller's clock */
	uint64_t ready_at_ms; /* until then it does not answer */
	uint64_t resets[GPU_RESETS];
	uint64_t resets_failed;
};

/* NULL, or what is wrong with @shape. */
const char *gpu_shape_problem(const struct gpu_shape *shape);
/* 0, or -1 with errno when there are no descriptors for its memory. @shape has no problem. */
int gpu_init(struct gpu *gpu, const struct gpu_shape *shape);
void gpu_done(struct gpu *gpu);

/* @offset and @count lie in the config space, or in BAR @index. What does not answer reads as ones. */
void gpu_config_read(const struct gpu *gpu, size_t offset, void *data, size_t count);
void gpu_config_write(struct gpu *gpu, size_t offset, const void *data, size_t count);
/* 0 or an errno. */
int gpu_bar_read(const struct gpu *gpu, unsigned index, uint64_t offset, void *data, size_t count);
int gpu_bar_write(struct gpu *gpu, unsigned index, uint64_t offset, const void *data, size_t count);

/* 0, or EIO when it was not reset. */
int gpu_reset(struct gpu *gpu, enum gpu_reset how);
bool gpu_answers(const struct gpu *gpu);
/* 0 for D0, 3 for D3. */
unsigned gpu_power(const struct gpu *gpu);

/* @ms counts for GPU_FAULT_RESET_HANGS. With GPU_FAULT_NONE it answers again, with the registers it has. */
void gpu_fail(struct gpu *gpu, enum gpu_fault fault, uint64_t ms);
const char *gpu_fault_name(enum gpu_fault fault);

/* Fills @gpu's three arrays (gpu_config.c). */
void gpu_config_init(struct gpu *gpu);

#endif
