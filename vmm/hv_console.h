/* SPDX-License-Identifier: MIT */
/* The serial console of a domain. Source: libvirt 9.0 API reference, virDomainOpenConsole. */
#ifndef GPUVM_VMM_HV_CONSOLE_H
#define GPUVM_VMM_HV_CONSOLE_H

#include "vmm/hv.h"

/* Whether somebody has the console of the active domain @uuid open: it is opened for a moment to see. What libvirt
 * does not tell is taken for false. Needs HV_WRITE. */
bool hv_console_is_taken(struct hv *hv, const char *uuid);

#endif
