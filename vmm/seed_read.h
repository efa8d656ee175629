/* SPDX-License-Identifier: MIT */
/*
 * What [cloud-init] names outside the spec: the caller's public keys and the user's own file. Both are read as the
 * process that asks, at each plan and start, bounded, from regular files only.
 */
#ifndef GPUVM_VMM_SEED_READ_H
#define GPUVM_VMM_SEED_READ_H

#include "vmm/seed.h"

#define SEED_USER_DATA_MOST_BYTES ((size_t)1 << 20)

/* For whom the VM is made. Texts are borrowed. */
struct seed_caller {
	const char *name; /* of the account */
	const char *home; /* its folder; NULL: unknown */
};

/*
 * Reads what the [cloud-init] of @spec, which is written, asks for. With @caller NULL, on another host than this one,
 * no file is read, and what depends on the caller is left out. FAIL_SPEC, with file and line, never with a file's
 * content. Borrows @spec. Release with seed_free().
 */
int seed_read(const struct spec *spec, const struct seed_caller *caller, struct seed **ret_seed,
	      struct fail *fail);

/*
 * The account that a VM of @spec, started by @owner, was given, or NULL: none, or the user's own file made it. Borrows
 * from both.
 */
const char *seed_account(const struct spec *spec, const char *owner);

/* The host's name for a VM called @name: every - . _ that no host's name can have is a -, or left out. The caller frees. */
char *seed_hostname(const char *name);

#endif
