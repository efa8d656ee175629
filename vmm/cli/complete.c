// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/complete_values.h"
#include "vmm/cli/help.h"

#define TIMEOUT_S 1 /* nobody waits longer for a key */

/* Nothing is left behind by a reader, and what it has offered so far is worth having. */
static void give_up(int number)
{
	(void)number;
	_exit(0);
}

/* The option that @word names, "--root" or "--root=DIR" or "-h", or NULL. */
static const struct cli_option *option_of(const char *word)
{
	size_t length = strcspn(word, "=");

	for (const struct cli_option *row = cli_options(); row->name != NULL; row++) {
		if (text_starts(word, "--") && strlen(row->name) == length - 2 &&
		    strncmp(row->name, word + 2, length - 2) == 0)
			return row;
		if (row->letter != 0 && word[0] == '-' && word[1] == row->letter)
			return row;
	}
	return NULL;
}

/* "SPEC|NAME", "[COMMAND|spec|host]", "GPU...": what stands there, each in turn. */
static void offer_values(const struct complete *on, const char *arguments)
{
	CLEANUP(text) char *copy = mem_strdup(arguments);
	char *rest = NULL;

	for (char *word = strtok_r(copy, "[]|.", &rest); word != NULL;
	     word = strtok_r(NULL, "[]|.", &rest))
		/* Files come with their folders. */
		if (text_equal(word, "DIR") && strstr(arguments, "FILE") != NULL)
			continue;
		else if (!complete_values(on, word) && islower((unsigned char)*word))
			complete_offer(on, word, NULL);
}

/* What stands at @position among the arguments of the command; the last may be repeated. */
static void offer_argument(const struct complete *on, size_t position)
{
	CLEANUP(text) char *copy = mem_strdup(on->command->arguments);
	const char *last = NULL;
	char *rest = NULL;

	if (position >= on->command->most)
		return;
	for (char *word = strtok_r(copy, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest), position--) {
		last = word;
		if (position == 0)
			break;
	}
	if (last != NULL && (position == 0 || strstr(last, "...") != NULL))
		offer_values(on, last);
}

static bool is_among(char *const *words, size_t count, const struct cli_option *option)
{
	for (size_t i = 0; i < count; i++)
		if (option_of(words[i]) == option)
			return true;
	return false;
}

static void offer_options(const struct complete *on, char *const *words, size_t count)
{
	for (const struct cli_option *row = cli_options(); row->name != NULL; row++) {
		CLEANUP(text) char *name = text_format("--%s", row->name);
		bool is_own = on->command == NULL ? row->bit == CLI_FOR_ALL
						  : help_is_option_of(row, on->command);

		if (is_own && !is_among(words, count, row))
			complete_offer(on, name, row->doc);
	}
}

/* The words before the last, as far as they matter for it. */
struct before {
	const struct cli_option *pending; /* whose value comes next */
	size_t arguments;                 /* of the command */
	bool is_ended;                    /* by --: no more options */
	bool is_unknown;                  /* the command */
};

static void remember(struct complete *on, const struct cli_option *option, const char *value)
{
	if (option->offset == offsetof(struct cli, root_directory))
		on->root_directory = value;
	else if (option->offset == offsetof(struct cli, uri))
		on->uri = value;
}

static void read_word(struct complete *on, struct before *before, const char *word)
{
	const struct cli_option *option = before->is_ended ? NULL : option_of(word);

	if (before->pending != NULL) {
		remember(on, before->pending, word);
		before->pending = NULL;
	} else if (text_equal(word, "--")) {
		before->is_ended = true;
	} else if (option != NULL && option->argument != NULL) {
		if (strchr(word, '=') == NULL)
			before->pending = option;
		else
			remember(on, option, strchr(word, '=') + 1);
	} else if (*word == '-' && !before->is_ended) {
		return;
	} else if (on->command == NULL) {
		on->command = cli_command(word);
		before->is_unknown = on->command == NULL;
	} else {
		before->arguments++;
	}
}

/* What may stand behind the option's =, or NULL. */
static const char *values_of(const struct complete *on, const struct cli_option *option)
{
	if (option->argument != NULL || option->optional == NULL || on->command == NULL)
		return option->argument;
	return (on->command->options & CLI_FORCE_ID) != 0 ? option->optional : NULL;
}

static void offer(struct complete *on, char *const *words, size_t count)
{
	struct before before = { 0 };
	CLEANUP(text) char *prefix = NULL;
	const char *equals = strchr(on->typed, '=');
	const struct cli_option *option;
	const char *values;

	for (size_t i = 0; i < count; i++)
		read_word(on, &before, words[i]);
	option = before.is_ended ? NULL : option_of(on->typed);
	values = option == NULL ? NULL : values_of(on, option);
	if (before.pending != NULL) {
		offer_values(on, before.pending->argument);
	} else if (values != NULL && equals != NULL) {
		prefix = mem_strndup(on->typed, (size_t)(equals - on->typed) + 1);
		on->before = prefix;
		on->typed = equals + 1;
		offer_values(on, values);
		on->before = "";
	} else if (*on->typed == '-' && !before.is_ended) {
		offer_options(on, words, count);
	} else if (on->command != NULL) {
		offer_argument(on, before.arguments);
	} else if (!before.is_unknown) {
		complete_values(on, "COMMAND");
	}
}

int complete_run(const struct cli *cli, struct fail *fail)
{
	const struct sigaction action = { .sa_handler = give_up };
	struct complete on = { .before = "", .typed = "" };

	(void)fail;
	sigaction(SIGALRM, &action, NULL);
	alarm(TIMEOUT_S);
	if (cli->arg_count > 0)
		on.typed = cli->args[cli->arg_count - 1];
	offer(&on, cli->args, cli->arg_count == 0 ? 0 : cli->arg_count - 1);
	return 0;
}
