/* SPDX-License-Identifier: MIT */
/*
 * The part of vfio-user that gpu-server speaks, as the server of one PCI function. The client is QEMU's
 * vfio-user-pci (QEMU 10.1 and later).
 *
 * A UNIX stream socket; numbers in the host's byte order. A message is a header and what the command says. The
 * client asks, the server answers each message with the same id and command and PROTOCOL_REPLY, an error with
 * PROTOCOL_ERROR and an errno and nothing behind the header. A message with PROTOCOL_NO_REPLY gets no answer. The
 * server asks nothing: it does no DMA and raises no interrupt.
 *
 *   VERSION          first of all. u16 major 0, u16 minor, then JSON that ends with NUL, or nothing. The answer says
 *                    0.0 and how many descriptors and bytes of data a message to the server may carry.
 *   DMA_MAP          struct protocol_dma_map, with a descriptor or without: kept as a range, for who asks on the
 *                    control socket. Over what is mapped already it is taken too, against the specification: a
 *                    function that does no DMA has nothing to protect, and the emulator is to go on.
 *   DMA_UNMAP        struct protocol_dma_unmap; of any range, or with PROTOCOL_UNMAP_ALL of everything. Comes back.
 *   DEVICE_GET_INFO  struct vfio_device_info's first 16 bytes: PCI, can be reset, 9 regions, 5 kinds of interrupts.
 *   GET_REGION_INFO  struct vfio_region_info. Regions 0 to 5 are the BARs, 7 is the config space, 6 and 8 are empty.
 *                    A BAR that may be mapped comes with a descriptor of its memory (SCM_RIGHTS).
 *   GET_IRQ_INFO     struct vfio_irq_info.
 *   SET_IRQS         struct vfio_irq_set, with as many eventfds as it counts, or none: checked, counted, and closed.
 *   REGION_READ      struct protocol_access; the same comes back, and the data.
 *   REGION_WRITE     struct protocol_access and the data; the same comes back without the data.
 *   DEVICE_RESET     nothing. QEMU sends it when its machine or the bus above is reset.
 *
 * Any other command is refused with ENOTSUP. What is no message at all ends the connection, and the next client is
 * welcome. An answer has 5 seconds before QEMU gives up, all of its CPUs waiting.
 *
 * Source: docs/interop/vfio-user.rst and hw/vfio-user of QEMU 10.1; the structs vfio_* are linux/vfio.h's.
 */
#ifndef GPUVM_LAB_PROTOCOL_H
#define GPUVM_LAB_PROTOCOL_H

#include <stdint.h>

enum protocol_command {
	PROTOCOL_VERSION = 1,
	PROTOCOL_DMA_MAP = 2,
	PROTOCOL_DMA_UNMAP = 3,
	PROTOCOL_GET_INFO = 4,
	PROTOCOL_GET_REGION_INFO = 5,
	PROTOCOL_GET_IRQ_INFO = 7,
	PROTOCOL_SET_IRQS = 8,
	PROTOCOL_REGION_READ = 9,
	PROTOCOL_REGION_WRITE = 10,
	PROTOCOL_DEVICE_RESET = 13,
};

/* Of protocol_header.flags. */
#define PROTOCOL_TYPE     0xfu
#define PROTOCOL_REPLY    0x1u
#define PROTOCOL_NO_REPLY 0x10u
#define PROTOCOL_ERROR    0x20u

/* Of protocol_dma_unmap.flags: VFIO_DMA_UNMAP_FLAG_ALL. */
#define PROTOCOL_UNMAP_ALL 0x2u

#define PROTOCOL_REGIONS       9
#define PROTOCOL_CONFIG_REGION 7
#define PROTOCOL_IRQS          5

/* What the server takes: data in one message (QEMU reads the config space at once), and descriptors. */
#define PROTOCOL_DATA_MAX 65536
#define PROTOCOL_FDS_MAX  16

struct protocol_header {
	uint16_t id;
	uint16_t command;
	uint32_t length; /* bytes, this header included */
	uint32_t flags;
	uint32_t error; /* errno, with PROTOCOL_ERROR */
};

struct protocol_dma_map {
	uint32_t argsz;
	uint32_t flags;  /* 1 readable, 2 writable */
	uint64_t offset; /* in the descriptor's file */
	uint64_t address;
	uint64_t length;
};

struct protocol_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t address;
	uint64_t length;
};

struct protocol_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count; /* bytes */
};

#define PROTOCOL_MESSAGE_MAX                                                                       \
	(sizeof(struct protocol_header) + sizeof(struct protocol_access) + PROTOCOL_DATA_MAX)

#endif
