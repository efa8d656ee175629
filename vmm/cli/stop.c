// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/ended.h"
#include "vmm/cli/out.h"
#include "vmm/finish.h"
#include "vmm/hv.h"
#include "vmm/owner.h"

static void countdown(void *data, unsigned left_s)
{
	CLEANUP(text)
	char *line = text_format("%s is shutting down, %u s left", (const char *)data, left_s);

	out_progress(line);
}

static struct finish_options options_of(const struct cli *cli)
{
	return (struct finish_options){ .uri = cli->uri,
					.force = cli->force,
					.timeout_s = cli->timeout_s == 0 ? FINISH_TIMEOUT_S
									 : cli->timeout_s,
					.countdown = cli->json ? NULL : countdown };
}

static int stop_one(const struct cli *cli, char *name, json_t **ret_json, struct fail *fail)
{
	CLEANUP(finish) struct finish *finish = NULL;
	struct finish_options options = options_of(cli);

	options.countdown_data = name;
	if (finish_stop(&options, name, &finish, fail) < 0)
		return -1;
	out_progress_end();
	*ret_json = ended_json(finish);
	if (!cli->json)
		ended_print(finish);
	return 0;
}

/* Every VM is tried; the first failure is the exit code. */
static int stop_all(const struct cli *cli, json_t *results, struct fail *fail)
{
	CLEANUP(owner) struct owner *owner = owner_of_caller();
	CLEANUP(hv) struct hv *hv = NULL;
	CLEANUP(hv_domains) struct hv_domains *domains = NULL;

	if (hv_open(cli->uri == NULL ? HV_URI_DEFAULT : cli->uri, HV_READ, &hv, fail) < 0 ||
	    hv_domains_read(hv, &domains, fail) < 0)
		return -1;
	for (size_t i = 0; i < domains->count; i++) {
		CLEANUP(guest) struct guest *guest = NULL;
		json_t *result = NULL;

		if (!domains->domains[i].is_active ||
		    guest_parse(domains->domains[i].xml, &guest, fail) < 0 || !guest->is_ours ||
		    (guest->uid != owner->uid && !cli->force))
			continue;
		if (stop_one(cli, guest->name, &result, fail) == 0)
			json_array_append_new(results, result);
	}
	if (!cli->json && fail->kind == FAIL_NONE && json_array_size(results) == 0)
		out_line("No VM of yours is running.");
	return fail->kind == FAIL_NONE ? 0 : -1;
}

int stop_run(const struct cli *cli, struct fail *fail)
{
	json_t *results;
	json_t *result = NULL;
	int code;

	if (cli->all == (cli->arg_count == 1)) {
		fail_add(fail, FAIL_USAGE, "gpuvm stop needs a name, or --all");
		return fail_hint(fail, "gpuvm list");
	}
	if (!cli->all) {
		if (stop_one(cli, cli->args[0], &result, fail) < 0)
			return -1;
		if (cli->json)
			out_json(result);
		else
			json_decref(result);
		return 0;
	}
	results = json_array();
	code = stop_all(cli, results, fail);
	if (cli->json && code == 0)
		out_json(json_pack("{s:O}", "vms", results));
	json_decref(results);
	return code;
}
