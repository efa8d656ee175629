/* SPDX-License-Identifier: MIT */
/*
 * For calls without a deadline of their own. What is begun here ends the process, as if it had been killed, if they
 * have not returned in time; locks that it holds open with it. Several may run at once, and beside alarm(2).
 *
 * By timer_create(2) and the first real-time signal. Whoever waits for good in poll(2) or nanosleep(2) meanwhile must
 * be ready for EINTR (signal(7)), as libvirt is.
 */
#ifndef GPUVM_BASE_DEADLINE_H
#define GPUVM_BASE_DEADLINE_H

#include "vmm/base/cleanup.h"

struct deadline;

struct deadline_words {
	unsigned patience_s;  /* when standard error gets... */
	const char *patience; /* ... these words; NULL: it does not */
	unsigned timeout_s;   /* larger. When it gets... */
	const char *last;     /* ... these, and... */
	int exit_code;        /* ... the process ends with it */
};

/* Copies @words. NULL if the kernel gives no timer (RLIMIT_SIGPENDING): then there is no deadline. */
struct deadline *deadline_begin(const struct deadline_words *words);
/* It was in time. NULL is allowed. */
void deadline_end(struct deadline *deadline);
CLEANUP_DEFINE(deadline, struct deadline, deadline_end)

#endif
