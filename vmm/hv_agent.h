/* SPDX-License-Identifier: MIT */
/*
 * qemu-guest-agent, through libvirt: whether it is there, and a program run by it in the guest. What comes back is
 * the guest's word: sizes are bounded and types checked here, bytes are the caller's to distrust. Needs HV_WRITE.
 * Sources: libvirt 9.0 API reference (libvirt-qemu, virDomainQemuAgentCommand); QEMU 7.2, qga/qapi-schema.json
 * (guest-ping, guest-info, guest-exec, guest-exec-status).
 */
#ifndef GPUVM_VMM_HV_AGENT_H
#define GPUVM_VMM_HV_AGENT_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/hv.h"

/* What came of asking. */
enum hv_agent_problem {
	HV_AGENT_ANSWERS,
	HV_AGENT_OFF,        /* the VM does not run */
	HV_AGENT_NO_CHANNEL, /* it runs without a channel: started before gpuvm gave it one, or edited */
	HV_AGENT_ABSENT,     /* nobody in the guest opens the channel: no agent, or not yet */
	HV_AGENT_SILENT,     /* somebody has it open, and no answer came in time */
	HV_AGENT_DISABLED,   /* the guest's admin has switched the command off */
	HV_AGENT_NO_PROGRAM, /* the guest has no such program */
	HV_AGENT_TIMEOUT,    /* the program did not end in time; it goes on in the guest */
	HV_AGENT_BROKEN,     /* anything else: libvirt refused, or the answer is none */
};

/*
 * Whether the agent of the domain @uuid answers (guest-ping). An open channel without an answer takes up to
 * @timeout_s (1..) and 5 seconds of libvirt's own. @fail: FAIL_BUSY for HV_AGENT_OFF, FAIL_HV for HV_AGENT_BROKEN,
 * FAIL_FAIL for all else. @ret_problem may be NULL; it is set on success and on failure.
 */
int hv_agent_ping(struct hv *hv, const char *uuid, unsigned timeout_s,
		  enum hv_agent_problem *ret_problem, struct fail *fail);

/* How a program in the guest ended. */
struct hv_agent_output {
	int exit_code; /* -1: a signal ended it */
	int signal;    /* 0: none */
	char *out,
		*err; /* its output as bytes, NUL-terminated, NULs within not excluded; never NULL */
	size_t out_bytes, err_bytes; /* without that NUL */
	bool out_is_cut, err_is_cut; /* the agent kept only a part of it */
};

/*
 * Runs @argv (NULL-terminated; [0] is looked up in the agent's PATH) in the guest as the agent's user, which is
 * root as a rule, without a shell, and waits up to @timeout_s for its end; an exit code other than 0 is no failure.
 * Fails as
 * hv_agent_ping() does, and with FAIL_USAGE if @argv is not UTF-8. Output beyond some 3 MiB does not fit into libvirt's protocol (HV_AGENT_BROKEN).
 * Release with hv_agent_output_free().
 */
int hv_agent_exec(struct hv *hv, const char *uuid, const char *const *argv, unsigned timeout_s,
		  struct hv_agent_output **ret_output, enum hv_agent_problem *ret_problem,
		  struct fail *fail);
void hv_agent_output_free(struct hv_agent_output *output);
CLEANUP_DEFINE(hv_agent_output, struct hv_agent_output, hv_agent_output_free)

#endif
