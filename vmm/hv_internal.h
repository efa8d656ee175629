/* SPDX-License-Identifier: MIT */
/* The connection; for the hv*.c files only. */
#ifndef GPUVM_VMM_HV_INTERNAL_H
#define GPUVM_VMM_HV_INTERNAL_H

#include <libvirt/libvirt.h>

#include "vmm/base/deadline.h"
#include "vmm/hv.h"

struct hv {
	virConnectPtr connection;
	char *uri;                      /* as it was asked for */
	virDomainPtr defined;           /* by the last hv_define(), or NULL */
	unsigned long libvirt_version;  /* 0: not asked yet, or unknown */
	unsigned patience_s, timeout_s; /* HV_PATIENCE_S, HV_TIMEOUT_S */
};

static inline void vir_domain_cleanup(virDomainPtr *domain)
{
	if (*domain != NULL)
		virDomainFree(*domain);
}

/* The deadline that whoever asks for domains has: HV_WITHIN_DEADLINE(hv) is a declaration, until the end of its scope. */
struct deadline *hv_deadline(const struct hv *hv);
#define HV_WITHIN_DEADLINE(hv)                                                                     \
	CLEANUP(deadline)                                                                          \
	__attribute__((unused)) struct deadline *deadline_of_scope = hv_deadline(hv)

/* Adds FAIL_HV @what with libvirt's last words as the cause. Returns -1. */
int hv_fail(struct fail *fail, const char *what);

#endif
