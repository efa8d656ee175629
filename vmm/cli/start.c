// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/given_back.h"
#include "vmm/cli/out.h"
#include "vmm/cli/records.h"
#include "vmm/cli/result.h"
#include "vmm/guest.h"
#include "vmm/launch.h"
#include "vmm/owner.h"

static void progress(void *data, const char *step, const char *says)
{
	(void)data;
	(void)step;
	if (says != NULL)
		out_progress(says);
}

/* gpuvm's @verb for @name, on the same daemon. The caller frees. */
static char *command_of(const struct cli *cli, const char *verb, const char *name)
{
	CLEANUP(text) char *uri = cli->uri == NULL ? NULL : text_shell(cli->uri);

	return uri == NULL ? text_format("gpuvm %s %s", verb, name)
			   : text_format("gpuvm %s --connect %s %s", verb, uri, name);
}

static json_t *started_json(const struct cli *cli, const struct launch *launch)
{
	CLEANUP(text) char *console = command_of(cli, "console", launch->spec->name);
	json_t *result = launch->placement == NULL ? json_object() : result_plan(launch);

	json_object_set_new(result, "name", json_string(launch->spec->name));
	json_object_set_new(result, "uuid", json_string(launch->uuid));
	json_object_set_new(
		result, "outcome",
		json_string(launch->outcome == LAUNCH_STARTED ? "started" : "was running"));
	json_object_set_new(result, "console", json_string(console));
	json_object_set_new(result, "seconds_create", json_real(launch->seconds_create));
	json_object_set_new(result, "seconds_total", json_real(launch->seconds_total));
	json_object_set_new(result, "given_back", given_back_json(launch->aftermath));
	return result;
}

static void print_started(const struct cli *cli, const struct launch *launch)
{
	const char *name = launch->spec->name;
	CLEANUP(text) char *console = command_of(cli, "console", name);
	CLEANUP(text) char *gpus = NULL;

	if (launch->outcome == LAUNCH_WAS_RUNNING) {
		out_line("VM \"%s\" runs already; nothing was changed.", name);
	} else {
		for (size_t i = 0; i < launch->placement->gpu_count; i++)
			text_join(&gpus, ", ", launch->placement->gpus[i].gpu->device->address);
		out_line("VM \"%s\" is started with %s, in %.2f s: %.2f s of gpuvm's, %.2f s of "
			 "libvirt's.",
			 name, gpus, launch->seconds_total,
			 launch->seconds_total - launch->seconds_create, launch->seconds_create);
	}
	out_line("  get in:  %s   (leave with Ctrl + ])", console);
	if (launch->spec->network != SPEC_NETWORK_NONE) {
		CLEANUP(text) char *ssh = command_of(cli, "ssh", name);

		out_line("           %s   (once the guest has an address)", ssh);
	}
	out_line("  look:    gpuvm show %s", name);
	out_line("  stop:    gpuvm stop %s", name);
}

static int start_one(const struct cli *cli, const char *target, bool at_boot, json_t **ret_json,
		     struct fail *fail)
{
	CLEANUP(launch) struct launch *launch = NULL;
	struct launch_options options = { .uri = cli->uri,
					  .force = cli->force,
					  .keep_owner = at_boot,
					  .by_name = at_boot,
					  .progress = cli->json ? NULL : progress };
	int code = launch_start(&options, target, &launch, fail);

	out_progress_end();
	records_print_lines(&launch->taken_over);
	given_back_print(launch->aftermath);
	if (code < 0)
		return -1;
	if (cli->json) {
		*ret_json = started_json(cli, launch);
	} else {
		print_started(cli, launch);
		result_note_not_checked(launch);
	}
	return 0;
}

/* At boot one VM that cannot start must not keep the others from it; the first failure is the exit code. */
static int start_marked(const struct cli *cli, json_t *results, struct fail *fail)
{
	CLEANUP(owner) struct owner *owner = owner_of_caller();
	CLEANUP(hv) struct hv *hv = NULL;
	CLEANUP(hv_domains) struct hv_domains *domains = NULL;

	if (hv_open(cli->uri == NULL ? HV_URI_DEFAULT : cli->uri, HV_WRITE, &hv, fail) < 0 ||
	    hv_domains_read(hv, &domains, fail) < 0)
		return -1;
	for (size_t i = 0; i < domains->count; i++) {
		CLEANUP(guest) struct guest *guest = NULL;
		CLEANUP(fail) struct fail one = { 0 };
		json_t *result = NULL;

		if (domains->domains[i].is_active ||
		    guest_parse(domains->domains[i].xml, &guest, &one) < 0 || !guest->autostart)
			continue;
		/* At boot root starts everybody's; a user starts his own. */
		if (geteuid() != 0 && guest->uid != owner->uid && !cli->force)
			continue;
		if (start_one(cli, guest->name, true, &result, &one) == 0) {
			if (result != NULL)
				json_array_append_new(results, result);
			continue;
		}
		out_fail(&one, false);
		fail_add(fail, one.kind, "VM \"%s\" was not started", guest->name);
		fail_cause(fail, "%s", one.items[0].what);
	}
	return fail->kind == FAIL_NONE ? 0 : -1;
}

int start_run(const struct cli *cli, struct fail *fail)
{
	json_t *result = NULL;
	int code;

	if (cli->autostart == (cli->arg_count == 1)) {
		fail_add(fail, FAIL_USAGE, "gpuvm start needs %s", cli->command->arguments);
		return fail_hint(fail, "gpuvm help start");
	}
	if (cli->autostart) {
		result = json_pack("{s:[]}", "vms");
		code = start_marked(cli, json_object_get(result, "vms"), fail);
	} else {
		code = start_one(cli, cli->args[0], false, &result, fail);
	}
	if (cli->json && code == 0)
		out_json(result);
	else
		json_decref(result);
	return code;
}
