// SPDX-License-Identifier: MIT
#include "vmm/cli/cli.h"
#include "vmm/cli/ended.h"
#include "vmm/cli/out.h"
#include "vmm/finish.h"

int delete_run(const struct cli *cli, struct fail *fail)
{
	CLEANUP(finish) struct finish *finish = NULL;
	struct finish_options options = { .uri = cli->uri,
					  .force = cli->force.is_set,
					  .disks = cli->disks };

	if (finish_delete(&options, cli->args[0], &finish, fail) < 0)
		return -1;
	if (cli->json)
		out_json(ended_json(finish));
	else
		ended_print(finish);
	return 0;
}
