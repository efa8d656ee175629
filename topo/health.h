/* SPDX-License-Identifier: MIT */
/* How a PCI function is: its power state, and the errors that its link has reported. */
#ifndef GPUVM_TOPO_HEALTH_H
#define GPUVM_TOPO_HEALTH_H

#include <stdint.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"

enum health_errors {
	HEALTH_FATAL,
	HEALTH_NONFATAL,
	HEALTH_CORRECTABLE,
	HEALTH_ERRORS,
};

struct health {
	char *power_state; /* "D0", "D3hot", "D3cold", "unknown"; NULL: a kernel before 5.12 */
	/* Since the host found the function; -1: the kernel keeps no count: no AER capability, or the firmware
	 * handles errors. */
	int64_t errors[HEALTH_ERRORS];
};

/*
 * Reads that of the function @address. Cannot fail. Release with health_free().
 * Source: Documentation/ABI/testing/sysfs-bus-pci (power_state),
 * Documentation/ABI/testing/sysfs-bus-pci-devices-aer_stats (TOTAL_ERR_COR, _FATAL, _NONFATAL).
 */
struct health *health_read(const struct root *root, const char *address);
void health_free(struct health *health);
CLEANUP_DEFINE(health, struct health, health_free)

/* The file of a function's folder that counts @errors: "aer_dev_fatal". */
const char *health_errors_file(enum health_errors errors);

/* The path of a function's file, for people. The caller frees. */
char *health_path(const char *address, const char *file);

#endif
