// SPDX-License-Identifier: MIT
#include "vmm/cli/cli.h"
#include "vmm/cli/kept.h"
#include "vmm/keep.h"

int drain_run(const struct cli *cli, struct fail *fail)
{
	CLEANUP(keep) struct keep *keep = NULL;
	struct keep_options options = kept_options(cli);

	if (keep_drain(&options, cli->args, cli->arg_count, &keep, fail) < 0)
		return -1;
	kept_print(cli, keep);
	return 0;
}
