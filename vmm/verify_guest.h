/* SPDX-License-Identifier: MIT */
/*
 * What a guest tells of its PCI functions, drivers and kernel messages: the scripts that its agent runs, and their
 * answers read. A guest may answer anything, so an answer is bounded and read strictly; and it may lie.
 */
#ifndef GPUVM_VMM_VERIFY_GUEST_H
#define GPUVM_VMM_VERIFY_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "topo/device.h"
#include "vmm/base/cleanup.h"

struct verify_bar {
	uint64_t address, size_bytes; /* size 0: none, or not assigned */
	bool is_assigned;
};

struct verify_device {
	char address[DEVICE_ADDRESS_BYTES];
	uint16_t vendor_id, device_id;
	uint16_t class_id;                 /* base class << 8 | sub-class */
	bool has_node;                     /* false: a kernel without NUMA */
	int node;                          /* -1: none */
	char *driver;                      /* NULL: none is bound */
	char root_bus[16];                 /* "pci0000:20" */
	size_t depth;                      /* bridges above it */
	char parent[DEVICE_ADDRESS_BYTES]; /* the bridge above; "" on a root bus */
	bool is_suspended;                 /* the guest itself has put it to sleep */
	struct verify_bar bars[DEVICE_BARS];
	size_t bar_count; /* lines read so far */
};

struct verify_guest {
	struct verify_device *devices; /* in the guest's order */
	size_t count;
};

/* A program that talks to the driver: nvidia-smi, rocm-smi. */
struct verify_tool {
	char *name;
	int exit_code;
	unsigned gpu_count; /* that it lists */
	char *said;         /* its first line, if it failed; else NULL */
};

struct verify_drivers {
	struct verify_tool *tools; /* that the guest has */
	size_t tool_count;
	bool has_messages; /* the kernel's could be read */
	char **messages;   /* those that may tell of a fault; the first VERIFY_MOST_MESSAGES */
	size_t message_count;
};

#define VERIFY_MOST_MESSAGES 40

/* The lines that an answer to the scripts begins with, and the last one of both. */
#define VERIFY_GUEST_FIRST   "gpuvm-verify 1"
#define VERIFY_DRIVERS_FIRST "gpuvm-drivers 1"
#define VERIFY_LAST          "end"

/* POSIX sh, for "/bin/sh -c": sh alone, readlink, and for the second dmesg or journalctl if there is one. */
extern const char *const verify_guest_script;
extern const char *const verify_drivers_script;

/*
 * Reads the answers of the two scripts, of @length bytes. NULL, and a static text that says what is wrong, if it is
 * anything but a whole answer. Release with verify_guest_free(), verify_drivers_free().
 */
struct verify_guest *verify_guest_parse(const char *text, size_t length, const char **ret_problem);
struct verify_drivers *verify_drivers_parse(const char *text, size_t length,
					    const char **ret_problem);
void verify_guest_free(struct verify_guest *guest);
void verify_drivers_free(struct verify_drivers *drivers);
CLEANUP_DEFINE(verify_guest, struct verify_guest, verify_guest_free)
CLEANUP_DEFINE(verify_drivers, struct verify_drivers, verify_drivers_free)

#endif
