/* SPDX-License-Identifier: MIT */
/* The arguments that the running kernel was booted with, as far as they matter to GPUs in VMs. */
#ifndef GPUVM_TOPO_CMDLINE_H
#define GPUVM_TOPO_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"

#define CMDLINE_FILE "/proc/cmdline"

struct cmdline_argument {
	char *key;   /* "intel_iommu", with _ for - */
	char *value; /* NULL: it has none */
	char *word;  /* as it was written */
};

struct cmdline {
	bool is_known; /* false: the file could not be read */
	struct cmdline_argument
		*arguments; /* in their order; those that do not matter are left out */
	size_t count;
};

/*
 * Reads them. Cannot fail. Release with cmdline_free(). Source: Linux Documentation/admin-guide/kernel-parameters.rst
 * (- and _ are the same in a name; quotes protect blanks; behind -- there are init's).
 */
struct cmdline *cmdline_read(const struct root *root);
void cmdline_free(struct cmdline *cmdline);
CLEANUP_DEFINE(cmdline, struct cmdline, cmdline_free)

/* The last argument @key, or the last before @before (one of its own), or NULL. Borrows. */
const struct cmdline_argument *cmdline_last(const struct cmdline *cmdline, const char *key,
					    const struct cmdline_argument *before);

/* Whether @value is one of those that commas separate in an argument @key. */
bool cmdline_has(const struct cmdline *cmdline, const char *key, const char *value);

/* The arguments of @text that matter, for snapshots; NULL: none. The caller frees. */
char *cmdline_filter(const char *text);

#endif
