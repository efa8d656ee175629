/* SPDX-License-Identifier: MIT */
/*
 * Calls of libvirt and reads of drivers' files have no deadlines of their own. What is begun here ends the process, as
 * if it had been killed, if such a call has not returned in time; locks that it holds open with it. Several may run at
 * once. By timer_create(2) and SIGALRM: a call that is interrupted goes on.
 */
#ifndef GPUVM_BASE_DEADLINE_H
#define GPUVM_BASE_DEADLINE_H

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"

struct deadline;

struct deadline_words {
	unsigned patience_s;  /* when standard error gets... */
	const char *patience; /* ... these words; NULL: it does not */
	unsigned timeout_s;   /* larger. When it gets... */
	const char *last;     /* ... these, and the process ends with the exit code of FAIL_HV */
};

/* @words are copied. FAIL_FAIL if the kernel gives no timer. */
int deadline_begin(const struct deadline_words *words, struct deadline **ret_deadline,
		   struct fail *fail);
/* It was in time. */
void deadline_end(struct deadline *deadline);
CLEANUP_DEFINE(deadline, struct deadline, deadline_end)

#endif
