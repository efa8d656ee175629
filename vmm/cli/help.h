/* SPDX-License-Identifier: MIT */
/* What help, the man pages and completion tell of the tables. */
#ifndef GPUVM_CLI_HELP_H
#define GPUVM_CLI_HELP_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/cli/cli.h"
#include "vmm/keys.h"

/* Whether @command takes @option. */
bool help_is_option_of(const struct cli_option *option, const struct cli_command *command);

/* What a value of @row may be: "1 to 1024", "auto, raw, qcow2"; NULL: its doc says it. The caller frees. */
char *help_range(const struct keys_row *row);

/* "spec", "host", ...: the topics that are no commands, by position; NULL behind the last. */
const char *help_topic_name(size_t at);

#endif
