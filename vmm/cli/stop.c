// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
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

static const char *outcome_name(enum finish_outcome outcome)
{
	switch (outcome) {
	case FINISH_STOPPED:
		return "stopped";
	case FINISH_FORCED:
		return "forced off";
	case FINISH_WAS_OFF:
		return "was off";
	case FINISH_DELETED:
		return "deleted";
	}
	return "unknown";
}

static const char *state_name(enum giveback_state state)
{
	switch (state) {
	case GIVEBACK_SAME:
		return "same";
	case GIVEBACK_REPAIRED:
		return "repaired";
	case GIVEBACK_OVERRIDE_LOST:
		return "override lost";
	case GIVEBACK_ELSEWHERE:
		return "elsewhere";
	}
	return "unknown";
}

static json_t *finish_json(const struct finish *finish)
{
	json_t *functions = json_array();

	for (size_t i = 0; finish->giveback != NULL && i < finish->giveback->count; i++) {
		const struct giveback_function *function = &finish->giveback->functions[i];

		json_array_append_new(
			functions,
			json_pack("{s:s, s:o, s:o, s:s, s:o}", "address", function->before->address,
				  "driver_before", out_text_or_null(function->before->driver),
				  "driver_now", out_text_or_null(function->driver_now), "state",
				  state_name(function->state), "remedy",
				  out_text_or_null(function->remedy)));
	}
	return json_pack("{s:s, s:s, s:o}", "name", finish->name, "outcome",
			 outcome_name(finish->outcome), "functions", functions);
}

static void print_function(const struct giveback_function *function)
{
	const char *before = function->before->driver == NULL ? "no driver"
							      : function->before->driver;
	const char *now = function->driver_now == NULL ? "no driver" : function->driver_now;

	switch (function->state) {
	case GIVEBACK_SAME:
		out_line("  %s is back on %s", function->before->address, now);
		return;
	case GIVEBACK_REPAIRED:
		out_line("  %s is back on %s, after libvirt was asked again",
			 function->before->address, now);
		return;
	case GIVEBACK_OVERRIDE_LOST:
		out_note("  %s is on %s; libvirt erased its driver override \"%s\"\n  hint: %s",
			 function->before->address, now, function->before->driver_override,
			 function->remedy);
		return;
	case GIVEBACK_ELSEWHERE:
		out_note("  %s was on %s and is now on %s\n  hint: %s", function->before->address,
			 before, now, function->remedy);
		return;
	}
}

static void print_finish(const struct finish *finish)
{
	switch (finish->outcome) {
	case FINISH_STOPPED:
		out_line("VM \"%s\" has shut down.", finish->name);
		break;
	case FINISH_FORCED:
		out_line("VM \"%s\": its power was cut.", finish->name);
		break;
	case FINISH_WAS_OFF:
		out_line("VM \"%s\" is off already.", finish->name);
		break;
	case FINISH_DELETED:
		out_line("VM \"%s\" is deleted; its disks are not.", finish->name);
		break;
	}
	for (size_t i = 0; finish->giveback != NULL && i < finish->giveback->count; i++)
		print_function(&finish->giveback->functions[i]);
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
	*ret_json = finish_json(finish);
	if (!cli->json)
		print_finish(finish);
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

int delete_run(const struct cli *cli, struct fail *fail)
{
	CLEANUP(finish) struct finish *finish = NULL;
	struct finish_options options = options_of(cli);

	if (finish_delete(&options, cli->args[0], &finish, fail) < 0)
		return -1;
	if (cli->json)
		out_json(finish_json(finish));
	else
		print_finish(finish);
	return 0;
}
