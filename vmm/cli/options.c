// SPDX-License-Identifier: MIT
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/refused.h"

#define OPTIONS_MOST 64

static int has_argument(const struct cli_option *option)
{
	if (option->argument != NULL)
		return required_argument;
	return option->optional != NULL ? optional_argument : no_argument;
}

/* getopt's tables, made from ours; an option's value is 256 plus its row. */
static void fill_getopt(struct option *ret_long, char *ret_short)
{
	size_t i = 0;

	*ret_short++ = ':';
	for (; cli_options()[i].name != NULL; i++) {
		ret_long[i] = (struct option){ .name = cli_options()[i].name,
					       .has_arg = has_argument(&cli_options()[i]),
					       .val = 256 + (int)i };
		if (cli_options()[i].letter != 0)
			*ret_short++ = cli_options()[i].letter;
	}
	ret_long[i] = (struct option){ 0 };
	*ret_short = '\0';
}

static const struct cli_option *option_of(int value)
{
	for (const struct cli_option *row = cli_options(); row->name != NULL; row++)
		if (value == 256 + (int)(row - cli_options()) ||
		    (row->letter != 0 && value == row->letter))
			return row;
	return NULL;
}

static int take_words(const struct cli_option *option, const char *value, struct cli_words *words,
		      struct fail *fail)
{
	if (value == NULL) {
		words->is_set = true;
		return 0;
	}
	if (words->count == CLI_MOST_WORDS) {
		fail_add(fail, FAIL_USAGE, "--%s is there too often", option->name);
		return fail_hint(fail, "--%s=%s,%s", option->name, option->optional,
				 option->optional);
	}
	words->words[words->count++] = value;
	return 0;
}

static int take_value(const struct cli_option *option, const char *value, struct cli *cli,
		      struct fail *fail)
{
	void *field = (char *)cli + option->offset;
	unsigned long long number;

	if (option->argument != NULL && *value == '\0') {
		fail_add(fail, FAIL_USAGE, "--%s needs a value", option->name);
		return fail_hint(fail, "gpuvm help");
	}
	switch (option->type) {
	case CLI_FLAG:
		*(bool *)field = true;
		return 0;
	case CLI_TEXT:
		*(const char **)field = value;
		return 0;
	case CLI_NUMBER:
		if (!text_number(value, &number) || number == 0 || number > option->most) {
			fail_add(fail, FAIL_USAGE, "--%s %s: not a number of %s from 1 to %u",
				 option->name, value, option->unit, option->most);
			return -1;
		}
		*(unsigned *)field = (unsigned)number;
		return 0;
	case CLI_FLAG_OR_WORDS:
		return take_words(option, value, field, fail);
	}
	return 0;
}

/* A letter may stand among others behind one dash: then getopt is not past that word yet. */
static int unknown_letter(int letter, const struct cli_command *command, struct fail *fail)
{
	fail_add(fail, FAIL_USAGE, "there is no option -%c", letter);
	if (command != NULL && command->passes_on)
		return fail_hint(fail,
				 "%s's own options stand behind the VM's name: gpuvm %s NAME -%c",
				 command->name, command->name, letter);
	return fail_hint(fail, "gpuvm help");
}

static int unknown_option(const char *typed, struct fail *fail)
{
	const char *names[OPTIONS_MOST];
	const char *nearest;
	size_t count = 0;

	for (const struct cli_option *row = cli_options(); row->name != NULL; row++)
		names[count++] = row->name;
	names[count] = NULL;
	nearest = text_nearest(typed + strspn(typed, "-"), names);
	fail_add(fail, FAIL_USAGE, "there is no option %s", typed);
	return nearest != NULL ? fail_hint(fail, "did you mean --%s?", nearest)
			       : fail_hint(fail, "gpuvm help");
}

/* What other tools call it. */
static const struct {
	const char *word, *command;
} aliases[] = {
	{ "run", "start SPEC" },
	{ "boot", "start SPEC" },
	{ "create", "start SPEC" },
	{ "define", "start SPEC" },
	{ "up", "start SPEC" },
	{ "shutdown", "stop NAME" },
	{ "down", "stop NAME" },
	{ "destroy", "stop --force NAME" },
	{ "kill", "stop --force NAME" },
	{ "reset", "stop --force NAME" },
	{ "reboot", "stop NAME && gpuvm start NAME" },
	{ "undefine", "delete NAME" },
	{ "rm", "delete NAME" },
	{ "remove", "delete NAME" },
	{ "cordon", "drain GPU" },
	{ "uncordon", "undrain GPU" },
	{ "unhold", "release GPU" },
	{ "ps", "list" },
	{ "ls", "list" },
	{ "status", "list" },
	{ "info", "show NAME" },
	{ "dominfo", "show NAME" },
	{ "serial", "console NAME" },
	{ "shell", "ssh NAME" },
	{ "exec", "ssh NAME CMD" },
	{ "domifaddr", "show NAME" },
	{ "logs", "log NAME" },
	{ "dumpxml", "plan --xml SPEC" },
	{ "validate", "check SPEC" },
	{ "lint", "check SPEC" },
	{ "doctor", "check" },
	{ "setup", "setup-host" },
	{ "prepare", "setup-host" },
	{ "diagnose", "explain FILE" },
	{ "why", "explain FILE" },
};

static const char *alias_of(const char *word)
{
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
		if (text_equal(aliases[i].word, word))
			return aliases[i].command;
	return NULL;
}

static int unknown_command(const char *typed, struct fail *fail)
{
	const struct refused_verb *verb = refused_find(typed);
	const char *nearest;
	const char *names[64];
	size_t count = 0;

	if (verb != NULL) {
		fail_add(fail, FAIL_REFUSED, "a GPU VM cannot do this: %s", verb->verb);
		fail_cause(fail, "%s", verb->reason);
		return fail_hint(fail, "%s", verb->instead);
	}
	for (const struct cli_command *row = cli_commands(); row->name != NULL; row++)
		if (!row->hidden)
			names[count++] = row->name;
	names[count] = NULL;
	nearest = text_nearest(typed, names);
	fail_add(fail, FAIL_USAGE, "there is no command \"%s\"", typed);
	if (alias_of(typed) != NULL)
		return fail_hint(fail, "gpuvm %s", alias_of(typed));
	return nearest != NULL ? fail_hint(fail, "did you mean: gpuvm %s?", nearest)
			       : fail_hint(fail, "gpuvm help");
}

static int check_against_command(const struct cli *cli, unsigned bits_given, struct fail *fail)
{
	const struct cli_command *command = cli->command;

	for (const struct cli_option *row = cli_options(); row->name != NULL; row++) {
		if ((row->bit & bits_given) != 0 && (row->bit & command->options) == 0) {
			fail_add(fail, FAIL_USAGE, "gpuvm %s has no option --%s", command->name,
				 row->name);
			return fail_hint(fail, "gpuvm help %s", command->name);
		}
	}
	if (cli->help || cli->version)
		return 0;
	if (cli->root_directory != NULL && command->live_only) {
		fail_add(fail, FAIL_USAGE, "gpuvm %s works on this host's VMs, not on a copy's",
			 command->name);
		return fail_hint(fail, "leave out --root; a copy is for gpuvm gpus, gpuvm topo, "
				       "gpuvm plan SPEC");
	}
	if (cli->force.count > 0 && (command->options & CLI_FORCE_ID) == 0) {
		fail_add(fail, FAIL_USAGE, "gpuvm %s --force takes no value", command->name);
		return fail_hint(fail, "gpuvm help %s", command->name);
	}
	if (cli->json && command->is_interactive) {
		fail_add(fail, FAIL_USAGE, "gpuvm %s has no option --json", command->name);
		return fail_hint(fail, "gpuvm help %s", command->name);
	}
	if (cli->arg_count < command->least)
		fail_add(fail, FAIL_USAGE, "gpuvm %s needs %s", command->name, command->arguments);
	else if (cli->arg_count > command->most)
		fail_add(fail, FAIL_USAGE, "gpuvm %s: one argument too many: \"%s\"", command->name,
			 cli->args[command->most]);
	else
		return 0;
	return fail_hint(fail, "gpuvm help %s", command->name);
}

/* getopt_long takes any unique beginning for the whole; each would freeze the names of later options. */
static int refuse_abbreviations(int argc, char **argv, struct fail *fail)
{
	for (int i = 1; i < argc && !text_equal(argv[i], "--"); i++) {
		CLEANUP(text) char *typed = NULL;
		const struct cli_option *row = cli_options();

		if (!text_starts(argv[i], "--"))
			continue;
		typed = mem_strndup(argv[i] + 2, strcspn(argv[i] + 2, "="));
		while (row->name != NULL && !text_equal(row->name, typed))
			row++;
		if (row->name == NULL)
			return unknown_option(argv[i], fail);
		if (row->argument == NULL && row->optional == NULL &&
		    strchr(argv[i], '=') != NULL) {
			fail_add(fail, FAIL_USAGE, "--%s takes no value", row->name);
			return fail_hint(fail, "gpuvm help");
		}
		i += row->argument != NULL && strchr(argv[i], '=') == NULL;
	}
	return 0;
}

/* Whether @word, which begins with "--", takes the next word for its value. */
static bool takes_next(const char *word)
{
	for (const struct cli_option *row = cli_options(); row->name != NULL; row++)
		if (text_equal(row->name, word + 2))
			return row->argument != NULL;
	return false;
}

/* How many of the words are gpuvm's own: all of them, or those up to the first argument of a command that passes the
 * others on. */
static int own_words(int argc, char **argv, const struct cli_command **ret_command)
{
	bool is_over = false;

	for (int i = 1; i < argc; i++) {
		if (!is_over && text_equal(argv[i], "--")) {
			is_over = true;
		} else if (!is_over && argv[i][0] == '-' && argv[i][1] != '\0') {
			i += text_starts(argv[i], "--") && takes_next(argv[i]);
		} else if (*ret_command == NULL) {
			*ret_command = cli_command(argv[i]);
			if (*ret_command == NULL || !(*ret_command)->passes_on)
				return argc;
		} else {
			return i + 1;
		}
	}
	return argc;
}

static int parse_options(int argc, char **argv, const struct cli_command *command, struct cli *cli,
			 unsigned *ret_bits, struct fail *fail)
{
	struct option long_options[OPTIONS_MOST];
	char short_options[OPTIONS_MOST];
	int value;

	fill_getopt(long_options, short_options);
	opterr = 0;
	if (refuse_abbreviations(argc, argv, fail) < 0)
		return -1;
	/* --json first: it decides how a mistake among the others is told. */
	for (int i = 1; i < argc && !text_equal(argv[i], "--"); i++)
		if (text_equal(argv[i], "--json"))
			cli->json = true;
	while ((value = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		const struct cli_option *option = option_of(value);

		if (value == ':') {
			fail_add(fail, FAIL_USAGE, "%s needs a value", argv[optind - 1]);
			return fail_hint(fail, "gpuvm help");
		}
		if (option == NULL)
			return optopt > 0 && optopt < 256 ? unknown_letter(optopt, command, fail)
							  : unknown_option(argv[optind - 1], fail);
		*ret_bits |= option->bit;
		if (take_value(option, optarg, cli, fail) < 0)
			return -1;
	}
	return 0;
}

int cli_parse(int argc, char **argv, struct cli *cli, struct fail *fail)
{
	const struct cli_command *command = NULL;
	int own = own_words(argc, argv, &command);
	unsigned bits = 0;

	if (parse_options(own, argv, command, cli, &bits, fail) < 0)
		return -1;
	if (optind >= argc)
		return 0;
	cli->word = argv[optind];
	cli->args = argv + optind + 1;
	cli->arg_count = (size_t)(argc - optind - 1);
	cli->command = cli_command(cli->word);
	if (cli->command == NULL)
		return unknown_command(cli->word, fail);
	return check_against_command(cli, bits, fail);
}
