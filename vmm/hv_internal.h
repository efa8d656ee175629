/* SPDX-License-Identifier: MIT */
/* The connection; for the hv*.c files only. */
#ifndef GPUVM_VMM_HV_INTERNAL_H
#define GPUVM_VMM_HV_INTERNAL_H

#include <libvirt/libvirt.h>

#include "vmm/hv.h"

struct hv {
	virConnectPtr connection;
	char *uri;                     /* as it was asked for */
	virDomainPtr defined;          /* by the last hv_define(), or NULL */
	unsigned long libvirt_version; /* 0: not asked yet, or unknown */
};

static inline void domain_cleanup(virDomainPtr *domain)
{
	if (*domain != NULL)
		virDomainFree(*domain);
}

/* Adds FAIL_HV @what with libvirt's last words as the cause. Returns -1. */
int hv_fail(struct fail *fail, const char *what);

#endif
