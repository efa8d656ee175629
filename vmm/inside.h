/* SPDX-License-Identifier: MIT */
/* One of gpuvm's VMs, for a command that goes inside: its console, its logs, its guest. */
#ifndef GPUVM_VMM_INSIDE_H
#define GPUVM_VMM_INSIDE_H

#include "vmm/guest.h"
#include "vmm/hv.h"

struct inside {
	struct hv *hv; /* HV_WRITE */
	struct hv_domains *domains;
	const struct hv_domain *domain; /* one of them */
	struct guest *guest;
	char *name; /* printable */
	char *word; /* its name as one word of a shell's command line, for hints */
};

/*
 * The VM @name at @uri (NULL: HV_URI_DEFAULT), for gpuvm's command @verb. FAIL_USAGE if there is none, or it is not
 * gpuvm's. Whose it is does not matter here (owner.h). Release with inside_free().
 */
int inside_open(const char *uri, const char *name, const char *verb, struct inside **ret_inside,
		struct fail *fail);
void inside_free(struct inside *inside);
CLEANUP_DEFINE(inside, struct inside, inside_free)

/* FAIL_BUSY unless it runs. */
int inside_must_run(const struct inside *inside, struct fail *fail);

#endif
