/* SPDX-License-Identifier: MIT */
/* The command line: what was typed, and the table of commands that it may name. */
#ifndef GPUVM_CLI_CLI_H
#define GPUVM_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/fail.h"

/* Options that only some commands take; the others are for all. */
enum cli_option_bit {
	CLI_FOR_ALL = 0,
	CLI_XML = 1 << 0,
	CLI_FORCE = 1 << 1,
	CLI_ALL = 1 << 2,
	CLI_TIMEOUT = 1 << 3,
	CLI_AUTOSTART = 1 << 4,
	CLI_REASON = 1 << 5,
	CLI_DISKS = 1 << 6,
	CLI_QEMU = 1 << 7,
	CLI_LINES = 1 << 8,
	CLI_FOLLOW = 1 << 9,
	CLI_RAW = 1 << 10,
	CLI_WAIT = 1 << 11,
	CLI_INIT = 1 << 12, /* what init could ask */
	CLI_HOST_ONLY = 1 << 13,
	CLI_FORCE_ID = 1 << 14, /* --force=ID too: only with CLI_FORCE */
	CLI_SETUP = 1 << 15,    /* of setup-host alone */
};

#define CLI_MOST_WORDS 16

enum cli_option_type {
	CLI_FLAG,   /* bool */
	CLI_TEXT,   /* const char * */
	CLI_NUMBER, /* unsigned */
	CLI_FLAG_OR_WORDS, /* struct cli_words: alone a flag, behind = words with commas; may be repeated */
};

/* As typed: each may be several with commas between. */
struct cli_words {
	bool is_set; /* it stood alone */
	const char *words[CLI_MOST_WORDS];
	size_t count;
};

struct cli_option {
	const char *name;     /* "json" */
	char letter;          /* 'h', or 0 */
	const char *argument; /* "DIR"; NULL: there is none, or it need not be there */
	const char *optional; /* what may stand behind =, and nowhere else; NULL: nothing */
	enum cli_option_type type;
	size_t offset;    /* of its field in struct cli */
	unsigned bit;     /* CLI_FOR_ALL, or the bit in command.options that allows it */
	unsigned most;    /* CLI_NUMBER: from 1 to this many */
	const char *unit; /* CLI_NUMBER: "seconds" */
	const char *doc;
};

struct cli_command;

/* One invocation. Texts are borrowed from argv. */
struct cli {
	const struct cli_command *command; /* NULL: none was given */
	const char *word;                  /* the command as typed */
	char **args;                       /* behind it */
	size_t arg_count;
	bool help, version, json, xml, all, autostart, disks, wait, qemu, follow, raw;
	const char *root_directory, *uri, *reason;
	unsigned timeout_s, lines; /* 0: not given */
	const char *gpu, *count, *vcpus, *memory, *hugepages, *image, *output;
	bool host_only;
	struct cli_words force; /* findings by id, see CLI_FORCE_ID */
	bool dry_run, undo, yes, awake;
	const char *gib_pages, *user;
	bool *failure_is_told; /* to be set if the result printed with --json has the failure in it */
};

struct cli_command {
	const char *name;
	const char *arguments; /* "SPEC|NAME" */
	size_t least, most;    /* of arguments */
	unsigned options;      /* bits */
	bool live_only;        /* --root makes no sense */
	bool is_interactive;   /* --json makes no sense */
	bool passes_on; /* what stands behind its first argument is another program's, options too */
	int (*run)(const struct cli *cli, struct fail *fail); /* prints its result itself */
	const char *summary;                                  /* one line */
	const char *more;                                     /* what help NAME adds; may be "" */
	bool hidden; /* run by other programs: in no list */
	/* What people read once it takes more than a second; NULL: it tells by itself. */
	const char *says;
};

/* The tables, ended by a row without name. Static. */
const struct cli_command *cli_commands(void);
const struct cli_option *cli_options(void);

/* The command named @name, or NULL. */
const struct cli_command *cli_command(const char *name);

/* Reads argv into @cli. FAIL_USAGE for what is not in the tables; FAIL_REFUSED for a verb that a GPU VM
 * does not have. @cli->json is set even then, so that the failure is printed as asked. */
int cli_parse(int argc, char **argv, struct cli *cli, struct fail *fail);

/* One function per command, each in the file of its name. */
int gpus_run(const struct cli *cli, struct fail *fail);
int check_command_run(const struct cli *cli, struct fail *fail);
int topo_run(const struct cli *cli, struct fail *fail);
int setup_host_run(const struct cli *cli, struct fail *fail);
int snapshot_run(const struct cli *cli, struct fail *fail);
int plan_run(const struct cli *cli, struct fail *fail);
int start_run(const struct cli *cli, struct fail *fail);
int stop_run(const struct cli *cli, struct fail *fail);
int list_run(const struct cli *cli, struct fail *fail);
int show_run(const struct cli *cli, struct fail *fail);
int console_run(const struct cli *cli, struct fail *fail);
int ssh_run(const struct cli *cli, struct fail *fail);
int log_run(const struct cli *cli, struct fail *fail);
int delete_run(const struct cli *cli, struct fail *fail);
int release_run(const struct cli *cli, struct fail *fail);
int drain_run(const struct cli *cli, struct fail *fail);
int undrain_run(const struct cli *cli, struct fail *fail);
int init_run(const struct cli *cli, struct fail *fail);
int complete_run(const struct cli *cli, struct fail *fail);
int parse_run(const struct cli *cli, struct fail *fail);
int man_run(const struct cli *cli, struct fail *fail);
int verify_run(const struct cli *cli, struct fail *fail);
int explain_run(const struct cli *cli, struct fail *fail);
int hook_run(const struct cli *cli, struct fail *fail);
int help_run(const struct cli *cli, struct fail *fail);

#endif
