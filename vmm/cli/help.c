// SPDX-License-Identifier: MIT
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/check.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/explain.h"
#include "vmm/cli/help.h"
#include "vmm/cli/out.h"
#include "vmm/cli/refused.h"
#include "vmm/keys_type.h"
#include "vmm/policy.h"
#include "vmm/spec_keys.h"

bool help_is_option_of(const struct cli_option *option, const struct cli_command *command)
{
	if (option->offset == offsetof(struct cli, root_directory) && command->live_only)
		return false;
	if (option->offset == offsetof(struct cli, json) && command->is_interactive)
		return false;
	return option->bit == CLI_FOR_ALL || (option->bit & command->options) != 0;
}

/* @command NULL: all there are. */
static void help_options(const struct cli_command *command)
{
	for (const struct cli_option *row = cli_options(); row->name != NULL; row++) {
		CLEANUP(text) char *left = NULL;

		if (command != NULL && !help_is_option_of(row, command))
			continue;
		if (row->letter != 0)
			text_add(&left, "-%c, ", row->letter);
		text_add(&left, "--%s", row->name);
		if (row->argument != NULL)
			text_add(&left, " %s", row->argument);
		if (row->optional != NULL &&
		    (command == NULL || (command->options & CLI_FORCE_ID) != 0))
			text_add(&left, "[=%s]", row->optional);
		out_line("  %-20s %s", left, row->doc);
	}
}

static void help_all(void)
{
	out_line("usage: gpuvm COMMAND [ARGUMENT] [OPTION]...");
	out_line("Boots GPU virtual machines from INI files on this machine.");
	out_line("%s", "");
	out_heading("Commands");
	for (const struct cli_command *row = cli_commands(); row->name != NULL; row++) {
		CLEANUP(text) char *left = text_format("%s %s", row->name, row->arguments);

		if (row->hidden)
			continue;
		out_line("  %-20s %s", row->name[0] == 'h' ? "help [TOPIC]" : left, row->summary);
	}
	out_line("%s", "");
	out_heading("Options");
	help_options(NULL);
	out_line("%s", "");
	out_line("First: gpuvm gpus   then: gpuvm init NAME   then: gpuvm start NAME.ini");
}

static void help_findings(void)
{
	out_line("%s", "");
	out_heading("Findings");
	for (const struct check_about *row = check_table(); row->id != NULL; row++)
		out_line("  %-20s %s%s", row->id, row->title,
			 row->weight == CHECK_STOPS ? " (start --force=ID goes on)" : "");
}

static void help_command(const struct cli_command *command)
{
	out_line(command->passes_on ? "usage: gpuvm %s [OPTION]...%s%s"
				    : "usage: gpuvm %s%s%s [OPTION]...",
		 command->name, *command->arguments == '\0' ? "" : " ", command->arguments);
	out_line("%s", command->summary);
	if (*command->more != '\0')
		out_line("\n%s", command->more);
	out_line("%s", "");
	out_heading("Options");
	help_options(command);
	if (command->run == check_command_run)
		help_findings();
}

char *help_range(const struct keys_row *row)
{
	CLEANUP(text) char *range = NULL;

	if (row->type == &keys_type_count) {
		text_add(&range, "%llu to %llu", (unsigned long long)row->min,
			 (unsigned long long)row->max);
	} else if (row->type == &keys_type_size) {
		CLEANUP(text) char *least = size_format(row->min);
		CLEANUP(text) char *most = size_format(row->max);

		text_add(&range, "%s to %s", least, most);
	} else if (row->type == &keys_type_share) {
		text_add(&range, "%llu %% to %llu %%", (unsigned long long)row->min,
			 (unsigned long long)row->max);
	} else if (row->type == &keys_type_boolean) {
		text_add(&range, "yes, no");
	}
	for (const char *const *choice = row->choices; choice != NULL && *choice != NULL; choice++)
		text_join(&range, ", ", *choice);
	return STEAL(range);
}

static void help_key(const struct keys_row *row, int width)
{
	CLEANUP(text) char *range = help_range(row);
	CLEANUP(text) char *note = NULL;

	if (range != NULL)
		text_join(&note, "; ", range);
	if (row->required)
		text_join(&note, "; ", "required");
	if (row->fallback != NULL) {
		text_join(&note, "; ", "default ");
		text_add(&note, "%s", row->fallback);
	}
	out_line("  %-*s %s%s%s%s", width, row->key, row->doc, note == NULL ? "" : " (",
		 note == NULL ? "" : note, note == NULL ? "" : ")");
	out_line("  %-*s   %s = %s", width, "", row->key, row->example);
}

static void help_keys(const struct keys_table *table)
{
	int width = 0;

	for (const struct keys_row *row = table->rows; row->key != NULL; row++)
		if ((int)strlen(row->key) > width)
			width = (int)strlen(row->key);
	for (const struct keys_section *section = table->sections; section->name != NULL;
	     section++) {
		out_line("%s", "");
		out_line("[%s]  %s", section->name, section->doc);
		for (const struct keys_row *row = table->rows; row->key != NULL; row++)
			if (text_equal(row->section, section->name))
				help_key(row, width);
	}
}

static void help_spec(void)
{
	out_line("A spec is an INI file: [section], key = value without quotes, comments after ;");
	out_line("A whole one, to copy: /usr/share/doc/gpuvm/examples/one-gpu.ini");
	help_keys(spec_keys());
}

static void help_host(void)
{
	out_line("The host's policy is an INI file, %s. Without it the defaults count.",
		 POLICY_FILE);
	help_keys(policy_keys());
}

static void help_exit(void)
{
	for (int kind = FAIL_NONE; kind < FAIL_KINDS; kind++) {
		const struct fail_kind_row *row = fail_kind_row((enum fail_kind)kind);

		out_line("%d  %-8s %s", row->exit_code, row->title, row->meaning);
	}
}

static void help_refused(void)
{
	for (const struct refused_verb *row = refused_verbs(); row->verb != NULL; row++) {
		out_line("%-17s %s", row->verb, row->reason);
		out_line("%-17s instead: %s", "", row->instead);
	}
}

static const struct {
	const char *name;
	void (*print)(void);
} topics[] = {
	{ "spec", help_spec },
	{ "host", help_host },
	{ "exit", help_exit },
	{ "refused", help_refused },
	{ "messages", explain_messages_print },
};

const char *help_topic_name(size_t at)
{
	return at < sizeof topics / sizeof *topics ? topics[at].name : NULL;
}

static int help_topic(const char *topic, struct fail *fail)
{
	const struct cli_command *command = cli_command(topic);

	for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
		if (text_equal(topics[i].name, topic)) {
			topics[i].print();
			return 0;
		}
	}
	if (command == NULL) {
		fail_add(fail, FAIL_USAGE, "there is no help on \"%s\"", topic);
		return fail_hint(fail, "gpuvm help");
	}
	help_command(command);
	return 0;
}

static json_t *key_json(const struct keys_row *row)
{
	CLEANUP(text) char *range = help_range(row);

	return json_pack("{s:s, s:s, s:o, s:o, s:b, s:s, s:s}", "section", row->section, "key",
			 row->key, "range", out_text_or_null(range), "default",
			 out_text_or_null(row->fallback), "required", row->required, "example",
			 row->example, "doc", row->doc);
}

static json_t *keys_json(const struct keys_table *table)
{
	json_t *keys = json_array();

	for (const struct keys_row *row = table->rows; row->key != NULL; row++)
		json_array_append_new(keys, key_json(row));
	return keys;
}

static json_t *option_json(const struct cli_option *option)
{
	char letter[] = { option->letter, '\0' };

	return json_pack("{s:s, s:o, s:o, s:o, s:s}", "name", option->name, "letter",
			 out_text_or_null(*letter == '\0' ? NULL : letter), "argument",
			 out_text_or_null(option->argument), "optional",
			 out_text_or_null(option->optional), "doc", option->doc);
}

/* @command NULL: all there are. */
static json_t *options_json(const struct cli_command *command)
{
	json_t *options = json_array();

	for (const struct cli_option *row = cli_options(); row->name != NULL; row++)
		if (command == NULL)
			json_array_append_new(options, option_json(row));
		else if (help_is_option_of(row, command))
			json_array_append_new(options, json_string(row->name));
	return options;
}

static json_t *commands_json(void)
{
	json_t *commands = json_array();

	for (const struct cli_command *row = cli_commands(); row->name != NULL; row++)
		if (!row->hidden)
			json_array_append_new(commands,
					      json_pack("{s:s, s:s, s:s, s:s, s:o}", "name",
							row->name, "arguments", row->arguments,
							"summary", row->summary, "more", row->more,
							"options", options_json(row)));
	return commands;
}

static json_t *sections_json(const struct keys_table *table)
{
	json_t *sections = json_array();

	for (const struct keys_section *row = table->sections; row->name != NULL; row++)
		json_array_append_new(sections,
				      json_pack("{s:s, s:b, s:b, s:s}", "section", row->name,
						"required", row->required, "repeatable",
						row->repeatable, "doc", row->doc));
	return sections;
}

static json_t *kinds_json(void)
{
	json_t *kinds = json_array();

	for (int kind = FAIL_NONE; kind < FAIL_KINDS; kind++) {
		const struct fail_kind_row *row = fail_kind_row((enum fail_kind)kind);

		json_array_append_new(kinds,
				      json_pack("{s:i, s:s, s:s, s:s}", "exit_code", row->exit_code,
						"kind", row->title, "meaning", row->meaning,
						"actor", row->actor));
	}
	return kinds;
}

static json_t *refused_json(void)
{
	json_t *verbs = json_array();

	for (const struct refused_verb *row = refused_verbs(); row->verb != NULL; row++)
		json_array_append_new(verbs,
				      json_pack("{s:s, s:s, s:s}", "verb", row->verb, "reason",
						row->reason, "instead", row->instead));
	return verbs;
}

static json_t *findings_json(void)
{
	static const char *const weights[] = {
		[CHECK_WARNS] = "warns", [CHECK_STOPS] = "stops", [CHECK_REFUSES] = "refuses"
	};
	json_t *findings = json_array();

	for (const struct check_about *row = check_table(); row->id != NULL; row++)
		json_array_append_new(findings,
				      json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", row->id, "scope",
						check_scope_name(row->scope), "weight",
						weights[row->weight], "title", row->title, "why",
						row->why));
	return findings;
}

/* The same tables for programs. */
static int help_json(void)
{
	out_json(json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "commands", commands_json(),
		"options", options_json(NULL), "spec_sections", sections_json(spec_keys()),
		"spec_keys", keys_json(spec_keys()), "host_sections", sections_json(policy_keys()),
		"host_keys", keys_json(policy_keys()), "exit_codes", kinds_json(), "refused",
		refused_json(), "findings", findings_json(), "messages", explain_messages_json()));
	return 0;
}

int help_run(const struct cli *cli, struct fail *fail)
{
	if (cli->json)
		return help_json();
	if (cli->help && cli->command != NULL)
		return help_topic(cli->command->name, fail);
	if (cli->arg_count > 0)
		return help_topic(cli->args[0], fail);
	help_all();
	return 0;
}
