// SPDX-License-Identifier: MIT
#include "vmm/cli/holders.h"

#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/hv.h"

struct usage *holders_read(const struct cli *cli, const struct root *root, const struct host *host,
			   char **ret_unknown)
{
	const char *uri = cli->uri == NULL ? HV_URI_DEFAULT : cli->uri;
	CLEANUP(fail) struct fail unknown = { 0 };
	CLEANUP(hv) struct hv *hv = NULL;
	struct usage *usage = NULL;

	*ret_unknown = NULL;
	if (root->live && hv_open(uri, HV_READ, &hv, &unknown) < 0)
		*ret_unknown = text_format("%s (%s)", unknown.items[0].what,
					   unknown.items[0].cause);
	if (usage_read(hv, root, NULL, host->machine, NULL, &usage, &unknown) < 0) {
		if (*ret_unknown == NULL)
			*ret_unknown = mem_strdup(unknown.items[0].what);
		return mem_alloc(1, sizeof *usage);
	}
	if (!root->live && usage->domains == NULL)
		*ret_unknown = mem_strdup("the host was read with --root");
	return usage;
}
