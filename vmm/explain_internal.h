/* SPDX-License-Identifier: MIT */
/* The tables of messages, by who prints them; each ends with a row without id. */
#ifndef GPUVM_VMM_EXPLAIN_INTERNAL_H
#define GPUVM_VMM_EXPLAIN_INTERNAL_H

#include "vmm/explain.h"

extern const struct explain_row explain_qemu_rows[];
extern const struct explain_row explain_libvirt_rows[];
extern const struct explain_row explain_kernel_rows[];
extern const struct explain_row explain_guest_rows[]; /* firmware, kernel and drivers inside */

#endif
