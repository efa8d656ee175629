/* SPDX-License-Identifier: MIT */
/* What the host and its files offer for an argument, for completion. Whatever cannot be read offers nothing. */
#ifndef GPUVM_CLI_COMPLETE_VALUES_H
#define GPUVM_CLI_COMPLETE_VALUES_H

#include "vmm/cli/cli.h"

/* One line being completed. Texts are borrowed. */
struct complete {
	const struct cli_command *command; /* NULL: none yet */
	const char *root_directory, *uri;  /* as its options say; NULL: not given */
	const char *before; /* of the word, what a candidate leaves as it is: "--root=" */
	const char *typed;  /* the rest of it, which candidates begin with */
};

/* A line with @candidate if it begins as typed, and with @says (NULL: nothing) behind a tab. */
void complete_offer(const struct complete *on, const char *candidate, const char *says);

/* Whether @says, "SPEC", "NAME", "GPU", "FILE", "DIR" or "COMMAND", is known; then its values are offered. */
bool complete_values(const struct complete *on, const char *kind);

#endif
