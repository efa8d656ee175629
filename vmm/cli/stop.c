// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/ended.h"
#include "vmm/cli/given_back.h"
#include "vmm/cli/out.h"
#include "vmm/finish.h"

static void countdown(void *data, const char *names, const char *state, unsigned left_s)
{
	CLEANUP(text)
	char *line = text_format("%s: %s, %u s left", names, state, left_s);

	(void)data;
	out_progress_counts(line);
}

static struct finish_options options_of(const struct cli *cli)
{
	return (struct finish_options){ .uri = cli->uri,
					.force = cli->force.is_set,
					.timeout_s = cli->timeout_s == 0 ? FINISH_TIMEOUT_S
									 : cli->timeout_s,
					.countdown = cli->json ? NULL : countdown };
}

static int stop_one(const struct cli *cli, const char *name, json_t **ret_json, struct fail *fail)
{
	CLEANUP(finish) struct finish *finish = NULL;
	struct finish_options options = options_of(cli);

	if (finish_stop(&options, name, &finish, fail) < 0)
		return -1;
	out_progress_end();
	*ret_json = ended_json(finish);
	if (!cli->json)
		ended_print(finish);
	return 0;
}

static json_t *list_json(const struct finish_list *list)
{
	json_t *results = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(results, ended_json(list->items[i]));
	return json_pack("{s:o, s:o}", "vms", results, "given_back",
			 given_back_json(list->aftermath));
}

/* The first failure is the exit code; what ended all the same is shown. */
static int stop_all(const struct cli *cli, struct fail *fail)
{
	CLEANUP(finish_list) struct finish_list *list = NULL;
	struct finish_options options = options_of(cli);
	int code = finish_stop_all(&options, &list, fail);

	out_progress_end();
	if (cli->json && code == 0)
		out_json(list_json(list));
	for (size_t i = 0; !cli->json && i < list->count; i++)
		ended_print(list->items[i]);
	given_back_print(list->aftermath);
	if (!cli->json && code == 0 && list->count == 0)
		out_line("No VM of yours is running.");
	return code;
}

int stop_run(const struct cli *cli, struct fail *fail)
{
	json_t *result = NULL;

	if (cli->all == (cli->arg_count == 1)) {
		fail_add(fail, FAIL_USAGE, "gpuvm stop needs a name, or --all");
		return fail_hint(fail, "gpuvm list");
	}
	if (cli->all)
		return stop_all(cli, fail);
	if (stop_one(cli, cli->args[0], &result, fail) < 0)
		return -1;
	if (cli->json)
		out_json(result);
	else
		json_decref(result);
	return 0;
}
