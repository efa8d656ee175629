/* SPDX-License-Identifier: MIT */
/*
 * Whether a running VM really got what was planned: on the host, from the kernel, and in the guest, from its
 * agent. What was planned is what gpuvm recorded with the domain, else the domain's own XML. Nothing is changed.
 */
#ifndef GPUVM_VMM_VERIFY_H
#define GPUVM_VMM_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"

enum verify_state {
	VERIFY_OK,
	VERIFY_NOTE,    /* told, and nothing to be held against it */
	VERIFY_WARNING, /* may be harmless: the row says when */
	VERIFY_FAILED,
	VERIFY_NOT_CHECKED, /* could not be seen by this caller, or now */
};

enum verify_side {
	VERIFY_HOST,
	VERIFY_GUEST,
};

/* One finding. Texts are printable; those of the guest are bounded too. */
struct verify_row {
	enum verify_side side;
	const char *check; /* "link width"; static */
	enum verify_state state;
	char *subject;  /* "0000:81:00.0", "vCPU 3"; NULL: the whole VM */
	char *source;   /* what was read: a path, or a command in the guest; NULL: several */
	char *found;    /* what it said */
	char *expected; /* NULL: nothing in particular */
	char *hint;     /* what to do next; NULL: nothing */
};

struct verify {
	char *name;              /* the VM's */
	struct verify_row *rows; /* the host's first, in the order of the checks */
	size_t count;
};

struct verify_options {
	const char *uri;    /* NULL: HV_URI_DEFAULT */
	bool host_only;     /* do not ask the guest */
	unsigned timeout_s; /* for each question to the guest; 0: VERIFY_TIMEOUT_S */
	void (*progress)(const char *text); /* what is being looked at; or NULL */
};

#define VERIFY_TIMEOUT_S 120

/*
 * Checks the VM @name, of gpuvm and running: FAIL_USAGE if gpuvm has none of that name, FAIL_BUSY if it does not
 * run; else as hv_open() and host_read() fail. What is found wrong is in the rows, not a failure of this function.
 * Release with verify_free().
 */
int verify_vm(const struct verify_options *options, const char *name, struct verify **ret_verify,
	      struct fail *fail);
void verify_free(struct verify *verify);
CLEANUP_DEFINE(verify, struct verify, verify_free)

/* How many rows are in @state. */
size_t verify_count(const struct verify *verify, enum verify_state state);

/*
 * Raises what the rows come to: FAIL_FAIL if a check failed, FAIL_HOST if none failed but some were not made, each
 * with the first such row as cause and its hint. Returns 0 if all that could be checked was, and holds.
 */
int verify_judge(const struct verify *verify, struct fail *fail);

/* "ok", "note", "warning", "failed", "not checked". */
const char *verify_state_name(enum verify_state state);

#endif
