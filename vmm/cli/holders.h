/* SPDX-License-Identifier: MIT */
/* Who holds what, for commands that show the host: worth knowing, not worth failing for. */
#ifndef GPUVM_CLI_HOLDERS_H
#define GPUVM_CLI_HOLDERS_H

#include "topo/host.h"
#include "vmm/base/root.h"
#include "vmm/cli/cli.h"
#include "vmm/usage.h"

/*
 * Never NULL; release with usage_free(). *@ret_unknown says why libvirt's part is missing, NULL if it is
 * not; the caller frees.
 */
struct usage *holders_read(const struct cli *cli, const struct root *root, const struct host *host,
			   char **ret_unknown);

#endif
