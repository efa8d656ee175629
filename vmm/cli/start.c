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
#include "vmm/log.h"
#include "vmm/owner.h"
#include "vmm/wait.h"

#define LAST_LINES 15 /* of the console, when the guest does not answer */

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

static struct wait_size size_of(const struct launch *launch)
{
	const struct usage_vm *vm = usage_vm(launch->usage, launch->spec->name);
	struct wait_size size = { .memory_bytes = launch->spec->memory_bytes };

	if (launch->placement == NULL) { /* it ran already; of its GPUs no more is known here */
		size.gpu_count = vm == NULL ? 0 : (unsigned)vm->guest->hostdev_count;
		return size;
	}
	size.gpu_count = (unsigned)launch->placement->gpu_count;
	for (size_t i = 0; i < launch->placement->gpu_count; i++)
		size.bar_bytes += gpu_bar64_bytes(launch->placement->gpus[i].gpu);
	return size;
}

/* The line counts the seconds itself. */
static void tell_wait(void *data, const struct wait *wait, unsigned timeout_s, bool is_new)
{
	CLEANUP(text) char *words = wait_words(wait);
	CLEANUP(text)
	char *line = text_format("waiting for the guest, %u s at most: %s", timeout_s, words);

	(void)data;
	if (is_new)
		out_progress(line);
}

static const char *cloud_init_name(enum wait_cloud_init state)
{
	static const char *const names[] = {
		[WAIT_CLOUD_INIT_UNKNOWN] = NULL,      [WAIT_CLOUD_INIT_NONE] = "none",
		[WAIT_CLOUD_INIT_RUNNING] = "running", [WAIT_CLOUD_INIT_DONE] = "done",
		[WAIT_CLOUD_INIT_FAILED] = "failed",
	};

	return names[state];
}

static json_t *wait_json(const struct wait *wait)
{
	return json_pack("{s:f, s:b, s:b, s:o, s:b, s:o, s:b}", "seconds", wait->seconds, "console",
			 wait->has_written, "agent", wait->has_agent, "cloud_init",
			 out_text_or_null(cloud_init_name(wait->cloud_init)), "ssh", wait->has_ssh,
			 "address", out_text_or_null(wait->has_address ? wait->address.text : NULL),
			 "is_guess", wait->is_guess);
}

static void print_waited(const struct wait *wait, const char *name)
{
	CLEANUP(text) char *words = wait_words(wait);

	if (wait->is_guess)
		out_line(
			"VM \"%s\" wrote on its console and has been quiet for %d s. Without agent and "
			"network nobody can tell whether it is up.",
			name, WAIT_QUIET_S);
	else
		out_line("VM \"%s\" answers after %.0f s: %s.", name, wait->seconds, words);
}

static void print_last(struct launch *launch)
{
	CLEANUP(text)
	char *lines = log_last(launch->hv, NULL, launch->spec->name, LOG_SERIAL, LAST_LINES);

	if (lines != NULL)
		out_note("The last lines of its console:\n%s", lines);
}

/* Until the guest answers; @result, which may be NULL, gets "wait". */
static int wait_for(const struct cli *cli, struct launch *launch, json_t *result, struct fail *fail)
{
	struct wait_size size = size_of(launch);
	struct wait_options options = { .timeout_s = cli->timeout_s > 0 ? cli->timeout_s
									: wait_timeout_s(&size),
					.was_running = launch->outcome == LAUNCH_WAS_RUNNING,
					.progress = cli->json ? NULL : tell_wait };
	struct wait wait;
	int code = wait_for_guest(launch->hv, launch->uuid, launch->spec->name, &options, &wait,
				  fail);

	out_progress_end();
	if (code < 0) {
		if (!cli->json)
			print_last(launch);
		return -1;
	}
	if (result == NULL)
		print_waited(&wait, launch->spec->name);
	else
		json_object_set_new(result, "wait", wait_json(&wait));
	return 0;
}

/* The ids of --force=ID,ID, NULL-terminated. */
struct ids {
	char **ids;
	size_t count;
};

static void ids_cleanup(struct ids *ids)
{
	for (size_t i = 0; i < ids->count; i++)
		free(ids->ids[i]);
	free(ids->ids);
}

static void split_ids(const struct cli_words *words, struct ids *ids)
{
	for (size_t i = 0; i < words->count; i++) {
		CLEANUP(text) char *copy = mem_strdup(words->words[i]);
		char *rest = copy;
		char *id;

		while ((id = strsep(&rest, ",")) != NULL)
			*MEM_APPEND(ids->ids, ids->count) = mem_strdup(id);
	}
	*MEM_APPEND(ids->ids, ids->count) = NULL;
}

static int start_one(const struct cli *cli, const char *target, bool at_boot, json_t **ret_json,
		     struct fail *fail)
{
	__attribute__((cleanup(ids_cleanup))) struct ids ids = { 0 };
	CLEANUP(launch) struct launch *launch = NULL;
	struct launch_options options = { .uri = cli->uri,
					  .force = cli->force.is_set,
					  .keep_owner = at_boot,
					  .by_name = at_boot,
					  .progress = cli->json ? NULL : progress };
	int code;

	split_ids(&cli->force, &ids);
	options.forced = (const char *const *)ids.ids;
	if (check_forced(options.forced, fail) < 0)
		return -1;
	code = launch_start(&options, target, &launch, fail);

	out_progress_end();
	records_print_lines(&launch->taken_over);
	given_back_print(launch->aftermath);
	given_back_print_lost(launch->silent);
	given_back_print_lost(launch->lost);
	if (code < 0)
		return -1;
	if (cli->json) {
		*ret_json = started_json(cli, launch);
	} else {
		print_started(cli, launch);
		result_note_not_checked(launch);
	}
	if (!cli->wait)
		return 0;
	code = wait_for(cli, launch, *ret_json, fail);
	if (code < 0) {
		json_decref(*ret_json);
		*ret_json = NULL;
	}
	return code;
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
		if (geteuid() != 0 && guest->uid != owner->uid && !cli->force.is_set)
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
	if (cli->autostart && cli->wait) {
		fail_add(fail, FAIL_USAGE, "gpuvm start --wait is for one VM, not for --autostart");
		return fail_hint(fail, "gpuvm help start");
	}
	if (cli->timeout_s > 0 && !cli->wait) {
		fail_add(fail, FAIL_USAGE, "gpuvm start --timeout needs --wait");
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
