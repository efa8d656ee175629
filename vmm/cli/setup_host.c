// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/out.h"
#include "vmm/setup.h"

/* One plan as it is told. */
struct told {
	const struct cli *cli;
	const struct setup_plan *plan;
	json_t *files;
	bool is_applied;
};

static void told_done(struct told *told)
{
	json_decref(told->files);
}

static const char *action_of(const struct setup_plan *plan, const struct setup_edit *edit)
{
	if (edit->is_refused)
		return "refused";
	if (!edit->after.exists)
		return "remove";
	if (plan->is_undo)
		return "restore";
	return edit->before.exists ? "change" : "create";
}

/* Nothing in a file may steer the terminal; but tabs are what files are made of. */
static char *printable(const char *line)
{
	CLEANUP(text) char *copy = mem_strdup(line);
	char *result = mem_strdup("");
	char *rest = copy;

	for (char *part = strsep(&rest, "\t"); part != NULL; part = strsep(&rest, "\t")) {
		CLEANUP(text) char *safe = text_printable(part, 0);

		text_add(&result, "%s%s", safe, rest == NULL ? "" : "\t");
	}
	return result;
}

static int read_diffs(struct told *told, struct fail *fail)
{
	told->files = json_array();
	for (size_t i = 0; i < told->plan->edit_count; i++) {
		const struct setup_edit *edit = &told->plan->edits[i];
		CLEANUP(text) char *diff = NULL;
		json_t *lines = json_array();
		char *rest = NULL;

		if (setup_diff(edit, &diff, fail) < 0) {
			json_decref(lines);
			return -1;
		}
		for (char *line = strtok_r(diff, "\n", &rest); line != NULL;
		     line = strtok_r(NULL, "\n", &rest)) {
			CLEANUP(text) char *safe = printable(line);

			json_array_append_new(lines, json_string(safe));
		}
		json_array_append_new(told->files,
				      json_pack("{s:o, s:s, s:o}", "path",
						out_text_or_null(edit->path), "action",
						action_of(told->plan, edit), "diff", lines));
	}
	return 0;
}

static json_t *texts_json(char *const *texts, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, out_text_or_null(texts[i]));
	return array;
}

static bool has(const struct setup_plan *plan, enum setup_need need)
{
	return (plan->needs & (unsigned)need) != 0;
}

static json_t *told_json(const struct told *told)
{
	const struct setup_plan *plan = told->plan;
	CLEANUP(root_names) char **commands = setup_commands(plan);
	json_t *steps = json_array();
	size_t count = 0;

	while (commands[count] != NULL)
		count++;
	for (size_t i = 0; i < plan->outcome_count; i++)
		json_array_append_new(steps,
				      json_pack("{s:s, s:s, s:b}", "id", plan->outcomes[i].id,
						"what", plan->outcomes[i].what, "changed",
						plan->outcomes[i].is_changed));
	return json_pack("{s:b, s:b, s:b, s:b, s:b, s:o, s:O, s:o, s:o}", "undo", plan->is_undo,
			 "changes", setup_plan_has_changes(plan), "applied", told->is_applied,
			 "reboot", has(plan, SETUP_REBOOT), "login", has(plan, SETUP_LOGIN),
			 "steps", steps, "files", told->files, "commands",
			 texts_json(commands, count), "notes",
			 texts_json(plan->notes, plan->note_count));
}

static void print_files(const struct told *told)
{
	const json_t *file, *line;
	size_t i, j;

	json_array_foreach(told->files, i, file)
	{
		bool is_refused = text_equal(json_string_value(json_object_get(file, "action")),
					     "refused");

		if (is_refused)
			out_line("%s was changed since, and stays as it is. To what gpuvm left:",
				 json_string_value(json_object_get(file, "path")));
		json_array_foreach(json_object_get(file, "diff"), j, line)
			out_line("%s", json_string_value(line));
		out_line("%s", "");
	}
}

static void print_plan(const struct told *told)
{
	const struct setup_plan *plan = told->plan;
	CLEANUP(root_names) char **commands = setup_commands(plan);

	for (size_t i = 0; i < plan->outcome_count; i++)
		out_line("%-34s %s", plan->outcomes[i].what,
			 plan->outcomes[i].is_changed ? "to be changed" : "nothing to change");
	if (plan->outcome_count > 0)
		out_line("%s", "");
	print_files(told);
	for (char **command = commands; *command != NULL; command++)
		out_line(plan->root->live ? "Then: %s" : "On the host itself, then: %s", *command);
	for (size_t i = 0; i < plan->note_count; i++)
		out_note("%s.", plan->notes[i]);
}

static void print_done(const struct setup_plan *plan)
{
	if (plan->is_undo)
		out_line("Done: what gpuvm setup-host changed is taken back%s.",
			 plan->refused_count > 0 ? ", but for what was edited since" : "");
	else
		out_line("Done. To take it back: sudo gpuvm setup-host --undo");
	if (has(plan, SETUP_LOGIN))
		out_line("Who came into a group, or left one, has to log in again.");
	if (has(plan, SETUP_REBOOT))
		out_line("It counts from the next boot on: sudo reboot");
}

/* In words of a shell, so that it can be pasted. */
static int needs_root(const struct cli *cli, struct fail *fail)
{
	const struct {
		const char *option, *value;
	} given[] = { { "gib-pages", cli->gib_pages }, { "user", cli->user } };
	CLEANUP(text) char *words = NULL;

	for (size_t i = 0; i < cli->arg_count; i++) {
		CLEANUP(text) char *word = text_shell(cli->args[i]);

		text_add(&words, " %s", word);
	}
	for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
		CLEANUP(text) char *value = NULL;

		if (given[i].value == NULL)
			continue;
		value = text_shell(given[i].value);
		text_add(&words, " --%s %s", given[i].option, value);
	}
	text_add(&words, "%s%s%s%s", cli->awake ? " --awake" : "",
		 cli->force.is_set ? " --force" : "", cli->undo ? " --undo" : "",
		 cli->yes ? " --yes" : "");
	fail_add(fail, FAIL_HOST, "only root may change how the host boots");
	fail_cause(fail, "you are not root");
	return fail_hint(fail, "sudo gpuvm setup-host%s   or only look: gpuvm setup-host --dry-run",
			 words);
}

static int check_words(const struct cli *cli, struct fail *fail)
{
	if (cli->undo && (cli->arg_count > 0 || cli->gib_pages != NULL || cli->user != NULL ||
			  cli->awake || cli->force.is_set)) {
		fail_add(fail, FAIL_USAGE, "--undo takes back all of it, and nothing else");
		return fail_hint(fail, "gpuvm setup-host --undo");
	}
	if (cli->json && !cli->yes && !cli->dry_run) {
		fail_add(fail, FAIL_USAGE, "with --json nobody can be asked");
		return fail_hint(fail, "say --dry-run or --yes");
	}
	return 0;
}

static int check_can_ask(const struct cli *cli, const struct setup_plan *plan, struct fail *fail)
{
	if (cli->yes || cli->dry_run || !setup_plan_has_changes(plan) || out_can_ask())
		return 0;
	fail_add(fail, FAIL_USAGE, "nothing was changed: nobody can be asked here");
	return fail_hint(fail, "say --yes, or --dry-run only to look");
}

/* Whether to go on. */
static bool is_agreed(const struct cli *cli)
{
	CLEANUP(text) char *answer = NULL;

	if (cli->yes)
		return true;
	answer = out_ask("Change these files? yes or no", "no");
	if (answer != NULL && (text_equal(answer, "yes") || text_equal(answer, "y")))
		return true;
	out_line("Nothing was changed.");
	return false;
}

/* After the rest: they are told in any case. */
static int tell_refused(const struct setup_plan *plan, struct fail *fail)
{
	for (size_t i = 0; i < plan->edit_count; i++) {
		const struct setup_edit *edit = &plan->edits[i];

		if (!edit->is_refused)
			continue;
		fail_add(fail, FAIL_REFUSED, "%s stays as it is: it was changed since", edit->path);
		fail_cause(fail, "it is not as gpuvm setup-host left it");
		fail_hint(
			fail,
			"take your change back, then: sudo gpuvm setup-host --undo; the file as it "
			"was before is in /var/lib/gpuvm/setup");
	}
	return plan->refused_count > 0 ? -1 : 0;
}

static int carry_out(struct told *told, struct fail *fail)
{
	const struct setup_plan *plan = told->plan;

	if (setup_plan_has_changes(plan) && !told->cli->dry_run) {
		if (!is_agreed(told->cli))
			return 0;
		if (setup_apply(plan, setup_run_program, NULL, fail) < 0)
			return -1;
		told->is_applied = true;
	}
	return tell_refused(plan, fail);
}

static int tell(const struct cli *cli, const struct setup_plan *plan, struct fail *fail)
{
	__attribute__((cleanup(told_done))) struct told told = { .cli = cli, .plan = plan };
	int result;

	if (check_can_ask(cli, plan, fail) < 0 || read_diffs(&told, fail) < 0)
		return -1;
	if (!cli->json)
		print_plan(&told);
	result = carry_out(&told, fail);
	if (cli->json) {
		json_t *value = told_json(&told);

		if (fail->kind != FAIL_NONE) {
			json_t *errors = out_fail_json(fail);

			json_object_set(value, "error", json_array_get(errors, 0));
			json_object_set_new(value, "errors", errors);
		}
		*cli->failure_is_told = true;
		out_json(value);
	} else if (told.is_applied) {
		print_done(plan);
	} else if (!setup_plan_has_changes(plan) && plan->refused_count == 0) {
		out_line(plan->is_undo ? "There is nothing to take back."
				       : "The host is as it should be: nothing to change.");
	}
	return result;
}

/* Who called sudo is who wants to use gpuvm. */
static const char *user_of(const struct cli *cli, const struct root *root)
{
	const char *caller = getenv("SUDO_USER");

	if (cli->user != NULL || !root->live)
		return cli->user;
	return caller == NULL || *caller == '\0' || text_equal(caller, "root") ? NULL : caller;
}

int setup_host_run(const struct cli *cli, struct fail *fail)
{
	struct setup_options options = { .gpus = cli->args,
					 .gpu_count = cli->arg_count,
					 .gib_pages = cli->gib_pages,
					 .is_awake = cli->awake,
					 .force = cli->force.is_set };
	CLEANUP(root) struct root *root = NULL;
	CLEANUP(setup_plan) struct setup_plan *plan = NULL;

	if (check_words(cli, fail) < 0 || root_open(cli->root_directory, &root, fail) < 0)
		return -1;
	if (root->is_temporary && !cli->dry_run) {
		fail_add(fail, FAIL_USAGE, "--root %s is an archive, which is only read",
			 cli->root_directory);
		return fail_hint(fail, "say --dry-run, or give a directory");
	}
	if (root->live && geteuid() != 0 && !cli->dry_run)
		return needs_root(cli, fail);
	options.user = user_of(cli, root);
	if ((cli->undo ? setup_plan_undo(root, &plan, fail)
		       : setup_plan_make(root, &options, &plan, fail)) < 0)
		return -1;
	return tell(cli, plan, fail);
}
