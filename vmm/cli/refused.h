/* SPDX-License-Identifier: MIT */
/* What libvirt offers and a GPU VM has not: one table, refused with FAIL_REFUSED. */
#ifndef GPUVM_CLI_REFUSED_H
#define GPUVM_CLI_REFUSED_H

#include "vmm/base/fail.h"

struct refused_verb {
	const char *verb;
	const char *reason;
	const char *instead; /* what works */
};

/* The table, ended by a row without verb. Static. */
const struct refused_verb *refused_verbs(void);

/* The row of @verb, or NULL if it is no such verb. */
const struct refused_verb *refused_find(const char *verb);

#endif
