// SPDX-License-Identifier: MIT
#include "vmm/cli/kept.h"

#include "vmm/cli/out.h"
#include "vmm/cli/records.h"

static const char *outcome_name(enum keep_outcome outcome)
{
	switch (outcome) {
	case KEEP_RELEASED:
		return "released";
	case KEEP_WAS_NOT_HELD:
		return "was not held";
	case KEEP_DRAINED:
		return "drained";
	case KEEP_UNDRAINED:
		return "undrained";
	case KEEP_WAS_NOT_DRAINED:
		return "was not drained";
	}
	return "unknown";
}

static json_t *keep_json(const struct keep *keep)
{
	json_t *gpus = json_array();

	for (size_t i = 0; i < keep->count; i++)
		json_array_append_new(gpus, json_pack("{s:s, s:s, s:o, s:b}", "address",
						      keep->gpus[i].address, "outcome",
						      outcome_name(keep->gpus[i].outcome), "vm",
						      out_text_or_null(keep->gpus[i].vm),
						      "answered", keep->gpus[i].answered));
	return json_pack("{s:o}", "gpus", gpus);
}

static void print_gpu(const struct keep_gpu *gpu)
{
	switch (gpu->outcome) {
	case KEEP_RELEASED:
		if (gpu->vm == NULL)
			out_line("%s is no longer held.", gpu->address);
		else
			out_line("%s is no longer held for VM \"%s\".", gpu->address, gpu->vm);
		return;
	case KEEP_WAS_NOT_HELD:
		out_line("%s is not held for any VM; nothing was changed.", gpu->address);
		return;
	case KEEP_DRAINED:
		if (gpu->vm == NULL)
			out_line("%s is drained: no VM starts with it.", gpu->address);
		else
			out_line("%s is drained: no other VM starts with it; %s goes on with it.",
				 gpu->address, gpu->vm);
		return;
	case KEEP_UNDRAINED:
		out_line("%s %s.", gpu->address,
			 gpu->answered ? "answers; VMs may have it again" : "may go to VMs again");
		return;
	case KEEP_WAS_NOT_DRAINED:
		out_line("%s is neither drained nor quarantined; nothing was changed.",
			 gpu->address);
		return;
	}
}

int kept_run(const struct cli *cli, keep_verb *verb, struct fail *fail)
{
	const struct keep_options options = { .uri = cli->uri,
					      .reason = cli->reason,
					      .force = cli->force.is_set };
	CLEANUP(keep) struct keep *keep = NULL;

	if (verb(&options, cli->args, cli->arg_count, &keep, fail) < 0)
		return -1;
	records_print_lines(&keep->taken_over);
	if (cli->json)
		out_json(keep_json(keep));
	for (size_t i = 0; !cli->json && i < keep->count; i++)
		print_gpu(&keep->gpus[i]);
	return 0;
}
