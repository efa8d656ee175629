// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/out.h"
#include "vmm/hv_console.h"
#include "vmm/inside.h"
#include "vmm/owner.h"

static int check_terminal(const struct cli *cli, struct fail *fail)
{
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		return 0;
	fail_add(fail, FAIL_USAGE, "gpuvm console needs a terminal");
	fail_cause(fail, "standard input or output is none");
	return fail_hint(fail, "to read what the guest wrote: gpuvm log %s", cli->args[0]);
}

static int check_free(const struct cli *cli, const struct inside *inside, struct fail *fail)
{
	if (cli->force.is_set || !hv_console_is_taken(inside->hv, inside->domain->uuid))
		return 0;
	fail_add(fail, FAIL_BUSY, "somebody has the console of VM \"%s\" open", inside->name);
	return fail_hint(fail, "take it over: gpuvm console --force %s", inside->word);
}

/* By UUID: virsh takes a name of digits for an id. */
static int become_virsh(const struct cli *cli, const struct inside *inside, struct fail *fail)
{
	CLEANUP(text) char *uri = mem_strdup(hv_uri(inside->hv));
	CLEANUP(text) char *uuid = mem_strdup(inside->domain->uuid);
	const char *argv[12] = { "virsh",    "--quiet", "--connect", uri,
				 "--escape", "^]",      "console",   "--safe" };
	size_t count = 8;

	if (cli->force.is_set)
		argv[count++] = "--force";
	argv[count++] = uuid;
	fflush(stdout);
	/* execvp() is declared for argv of an older C; it changes none of it. */
	execvp(argv[0], (char *const *)argv);
	fail_add(fail, FAIL_HOST, "virsh, which shows the console, cannot be run");
	fail_cause(fail, "%s", strerror(errno));
	return fail_hint(fail, "sudo apt install libvirt-clients");
}

int console_run(const struct cli *cli, struct fail *fail)
{
	CLEANUP(inside) struct inside *inside = NULL;
	CLEANUP(owner) struct owner *owner = owner_of_caller();

	if (check_terminal(cli, fail) < 0 ||
	    inside_open(cli->uri, cli->args[0], "console", &inside, fail) < 0 ||
	    owner_may(owner, inside->guest, cli->uri, "console", cli->force.is_set, fail) < 0 ||
	    inside_must_run(inside, fail) < 0 || check_free(cli, inside, fail) < 0)
		return -1;
	out_note("Console of VM \"%s\". Leave with Ctrl + ]   Nothing to see? Press Enter.",
		 inside->name);
	return become_virsh(cli, inside, fail);
}
