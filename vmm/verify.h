/* SPDX-License-Identifier: MIT */
/*
 * Whether a running VM really got what was planned: on the host, from the kernel, and in the guest, from its
 * agent. What was planned is what gpuvm recorded with the domain, else the domain's own XML. Nothing is changed.
 */
#ifndef GPUVM_VMM_VERIFY_H
#define GPUVM_VMM_VERIFY_H

#include <stdbool.h>

#include "vmm/base/fail.h"
#include "vmm/finding.h"

struct verify_options {
	const char *uri;    /* NULL: HV_URI_DEFAULT */
	bool host_only;     /* do not ask the guest */
	unsigned timeout_s; /* for each question to the guest; 0: VERIFY_TIMEOUT_S */
	void (*progress)(const char *text); /* what is being looked at; or NULL */
};

#define VERIFY_TIMEOUT_S 120

/*
 * Checks the VM @name, of gpuvm and running: FAIL_USAGE if gpuvm has none of that name, FAIL_BUSY if it does not
 * run; else as hv_open() and host_read() fail. What is found wrong is in the rows, the host's first, not a failure
 * of this function. Release with findings_free().
 */
int verify_vm(const struct verify_options *options, const char *name, struct findings **ret_verify,
	      struct fail *fail);

/*
 * Raises what the rows come to: FAIL_FAIL if a check failed, FAIL_HOST if none failed but some were not made, each
 * with the first such row as cause and its hint. Returns 0 if all that could be checked was, and holds.
 */
int verify_judge(const struct findings *findings, struct fail *fail);

/* "ok", "note", "warning", "failed", "not checked". */
const char *verify_state_name(enum finding_state state);

#endif
