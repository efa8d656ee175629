// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "topo/safety.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/cli/holders.h"
#include "vmm/cli/init_internal.h"
#include "vmm/cli/out.h"
#include "vmm/cli/result.h"
#include "vmm/launch.h"

#define NAME_DEFAULT "gpu-vm"

static void done(struct init *init)
{
	for (size_t i = 0; i < init->image_count; i++)
		free(init->images[i]);
	free(init->images);
	free(init->gpus);
	free(init->path);
	init_draft_done(&init->draft);
	usage_free(init->usage);
	policy_free(init->policy);
	host_free(init->host);
	root_free(init->root);
}

static bool is_safe(const struct init *init, const struct gpu *gpu)
{
	CLEANUP(fail) struct fail danger = { 0 };

	return safety_check(init->root, init->host->devices, gpu, &danger) == 0;
}

/* What libvirt cannot tell is the plan's to say. */
static int look(struct init *init, struct fail *fail)
{
	const struct place_gpu_request any = { .count = 1 };
	CLEANUP(text) char *unknown = NULL;

	if (root_open(init->cli->root_directory, &init->root, fail) < 0 ||
	    host_read(init->root, &init->host, fail) < 0 ||
	    policy_read(init->root, NULL, init->host->machine, &init->policy, fail) < 0)
		return -1;
	init->usage = holders_read(init->cli, init->root, init->host, &unknown);
	if (init->root->live)
		usage_read_users(init->usage, init->root, init->host, &any, 1);
	init->taken = usage_taken(init->usage);
	init->on = (struct init_host){ init->host, &init->policy->rules, &init->taken };
	for (size_t i = 0; i < init->host->gpus->count; i++) {
		const struct gpu *gpu = &init->host->gpus->gpus[i];

		if (init_share_is_free(&init->on, gpu) && is_safe(init, gpu))
			*MEM_APPEND(init->gpus, init->gpu_count) = gpu;
	}
	return 0;
}

static void set_missing(struct init *init, const char *section, const char *key, const char *text)
{
	if (init_draft_get(&init->draft, section, key) == NULL)
		init_draft_set(&init->draft, section, key, text, false);
}

static int choose(struct init *init, struct fail *fail)
{
	CLEANUP(text) char *image = NULL;
	CLEANUP(text) char *vcpus = NULL;
	CLEANUP(text) char *memory = NULL;
	struct init_share share;

	set_missing(init, "vm", "name", NAME_DEFAULT);
	if (init->path == NULL && init_choose_path(init, fail) < 0)
		return -1;
	init_default_gpu(init);
	share = init_default_share(init);
	vcpus = text_format("%u", share.vcpus);
	memory = size_format(share.memory_bytes);
	image = init_default_image(init);
	set_missing(init, "vm", "vcpus", vcpus);
	set_missing(init, "vm", "memory", memory);
	set_missing(init, "numa", "hugepages", "auto");
	return init_draft_get(&init->draft, "disk", "image") != NULL
		       ? 0
		       : init_set_image(init, image, false, fail);
}

static int take(struct init *init, const char *section, const char *key, const char *text,
		struct fail *fail)
{
	if (text == NULL)
		return 0;
	if (init_draft_check(section, key, text, fail) < 0)
		return -1;
	init_draft_set(&init->draft, section, key, text, true);
	return 0;
}

static int take_name(struct init *init, struct fail *fail)
{
	const char *name = init->cli->arg_count > 0 ? init->cli->args[0] : NULL;
	size_t length = name == NULL ? 0 : strlen(name);

	if (length > 4 && text_equal(name + length - 4, ".ini")) {
		fail_add(fail, FAIL_USAGE, "gpuvm init takes a VM's name, not a file's: %s", name);
		return fail_hint(fail, "gpuvm init %.*s", (int)length - 4, name);
	}
	return take(init, "vm", "name", name, fail);
}

/* What can be known to be wrong without looking at the host is said first. */
static int take_options(struct init *init, struct fail *fail)
{
	const struct cli *cli = init->cli;

	if (take_name(init, fail) < 0 || take(init, "gpu", "count", cli->count, fail) < 0 ||
	    take(init, "vm", "vcpus", cli->vcpus, fail) < 0 ||
	    take(init, "vm", "memory", cli->memory, fail) < 0 ||
	    take(init, "numa", "hugepages", cli->hugepages, fail) < 0)
		return -1;
	if (cli->gpu != NULL && init_set_gpu(init, cli->gpu, true, fail) < 0)
		return -1;
	if (cli->image != NULL && init_set_image(init, cli->image, true, fail) < 0)
		return -1;
	if (cli->arg_count == 0 && cli->output == NULL)
		return 0;
	set_missing(init, "vm", "name", cli->arg_count == 0 && !init->asks ? NAME_DEFAULT : NULL);
	return init_choose_path(init, fail);
}

/* The file is not there yet: its lines help nobody. */
static void forget_lines(struct fail *fail)
{
	for (size_t i = 0; i < fail->item_count; i++) {
		free(STEAL(fail->items[i].file));
		fail->items[i].line = 0;
	}
}

/* The nearest that can be had: CPUs and memory on the GPU's node, on its socket, or anywhere. */
static int plan(struct init *init, struct launch **ret_launch, char **ret_text, struct fail *fail)
{
	static const char *const policies[] = { "required", "socket", "preferred" };
	CLEANUP(fail) struct fail first = { 0 };

	for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
		CLEANUP(fail) struct fail refusal = { 0 };
		CLEANUP(launch) struct launch *launch = NULL;
		CLEANUP(text) char *text = NULL;
		struct launch_options options = { .uri = init->cli->uri,
						  .root_directory = init->cli->root_directory };

		init_draft_set(&init->draft, "numa", "policy", policies[i], false);
		text = init_draft_text(&init->draft);
		options.spec_text = text;
		if (launch_plan(&options, init->path, &launch, &refusal) == 0) {
			*ret_launch = STEAL(launch);
			*ret_text = STEAL(text);
			return 0;
		}
		if (i == 0) {
			first = refusal;
			refusal = (struct fail){ 0 };
		}
	}
	*fail = first;
	first = (struct fail){ 0 };
	forget_lines(fail);
	return -1;
}

static json_t *json_of(const struct init *init, const struct launch *launch, const char *text)
{
	bool is_file = !text_equal(init->path, "-");

	return json_pack("{s:s, s:o, s:o, s:s, s:o}", "name", launch->spec->name, "path",
			 out_text_or_null(is_file ? init->path : NULL), "chosen",
			 init_draft_json(&init->draft), "spec", text, "plan", result_plan(launch));
}

/* Beside a spec on standard output only standard error is left. */
static void print(const struct init *init, const char *text)
{
	CLEANUP(text) char *path = text_shell(init->path);
	bool is_file = !text_equal(init->path, "-");

	if (!is_file)
		out_line("%.*s", (int)strlen(text) - 1, text);
	out_note("%s:", is_file ? init->path : "chosen");
	for (size_t i = 0; i < init->draft.count; i++) {
		const struct init_value *value = &init->draft.values[i];

		if (value->text != NULL)
			out_note("  [%s] %s = %s%s", value->section, value->key, value->text,
				 value->is_given ? "" : "   (gpuvm's choice)");
	}
	if (!is_file)
		return;
	out_line("look:   gpuvm plan %s", path);
	out_line("start:  gpuvm start %s", path);
}

static int finish(struct init *init, struct fail *fail)
{
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(text) char *text = NULL;

	if (plan(init, &launch, &text, fail) < 0)
		return -1;
	if (!text_equal(init->path, "-") && init_write(init, text, fail) < 0)
		return -1;
	if (init->cli->json) {
		out_json(json_of(init, launch, text));
		return 0;
	}
	print(init, text);
	if (launch->refusal_count > 0)
		out_note("\nA start would be refused now:");
	for (size_t i = 0; i < launch->refusal_count; i++) {
		forget_lines(&launch->refusals[i]);
		out_fail(&launch->refusals[i], false);
	}
	return 0;
}

static int run(struct init *init, struct fail *fail)
{
	if (take_options(init, fail) < 0 || look(init, fail) < 0)
		return -1;
	init_find_images(init);
	if (init->asks && init_ask(init, fail) < 0)
		return -1;
	if (choose(init, fail) < 0)
		return -1;
	out_progress_late("planning");
	return finish(init, fail);
}

int init_run(const struct cli *cli, struct fail *fail)
{
	struct init init = { .cli = cli, .asks = !cli->json && out_can_ask() };
	int result = run(&init, fail);

	done(&init);
	return result;
}
