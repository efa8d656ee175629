/* SPDX-License-Identifier: MIT */
/* The disks of a VM that is deleted; for finish.c only. */
#ifndef GPUVM_VMM_FINISH_DISKS_H
#define GPUVM_VMM_FINISH_DISKS_H

#include "vmm/finish.h"
#include "vmm/hv.h"

/* Deletes the volumes that are recorded of @finish's guest, as finish_delete() says, and lists them there. @uri as in
 * finish_options. */
int finish_disks_delete(struct hv *hv, const struct hv_domains *domains, const char *uri,
			struct finish *finish, struct fail *fail);

/* Lists what is left: disks that stay. Cannot fail. */
void finish_disks_list(const char *uri, struct finish *finish);

#endif
