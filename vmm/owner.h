/* SPDX-License-Identifier: MIT */
/* Whose VM it is: the account behind the command, through sudo too. */
#ifndef GPUVM_VMM_OWNER_H
#define GPUVM_VMM_OWNER_H

#include <stdbool.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/guest.h"

struct owner {
	unsigned uid;
	char *name; /* account name, or "uid 1234" */
};

/* The caller; root through sudo is the user who called sudo. Release with owner_free(). */
struct owner *owner_of_caller(void);
void owner_free(struct owner *owner);
CLEANUP_DEFINE(owner, struct owner, owner_free)

/*
 * Whether @owner may @verb ("stop", "delete", "start") the VM @guest: gpuvm's own only, and another user's
 * only with @force. FAIL_REFUSED otherwise, naming whose it is. @uri is libvirt's, for the hint; NULL:
 * HV_URI_DEFAULT.
 */
int owner_may(const struct owner *owner, const struct guest *guest, const char *uri,
	      const char *verb, bool force, struct fail *fail);

#endif
