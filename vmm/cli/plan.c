// SPDX-License-Identifier: MIT
#include "vmm/cli/cli.h"
#include "vmm/cli/given_back.h"
#include "vmm/cli/out.h"
#include "vmm/cli/result.h"
#include "vmm/launch.h"

int plan_run(const struct cli *cli, struct fail *fail)
{
	CLEANUP(launch) struct launch *launch = NULL;
	struct launch_options options = { .uri = cli->uri, .root_directory = cli->root_directory };
	json_t *plan;

	if (launch_plan(&options, cli->args[0], &launch, fail) < 0)
		return -1;
	plan = result_plan(launch);
	json_object_set_new(plan, "given_back", given_back_json(launch->aftermath));
	given_back_print(launch->aftermath);
	if (cli->json) {
		if (cli->xml)
			json_object_set_new(plan, "xml", json_string(launch->xml));
		out_json(plan);
		return 0;
	}
	if (cli->xml)
		out_line("%s", launch->xml);
	else
		result_print(plan);
	result_note_not_checked(launch);
	if (launch->refusal_count > 0)
		out_note("\nA start would be refused now:");
	for (size_t i = 0; i < launch->refusal_count; i++)
		out_fail(&launch->refusals[i], false);
	json_decref(plan);
	return 0;
}
