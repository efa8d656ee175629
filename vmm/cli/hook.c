// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/cli/cli.h"
#include "vmm/hook.h"

#define MOST_BYTES ((size_t)16 << 20) /* guest.h reads no more either */

/* Standard input up to the limit, NUL-terminated. The caller frees. */
static char *read_input(void)
{
	size_t room = 65536;
	size_t used = 0;
	char *text = mem_alloc(room + 1, 1);

	while (used <= MOST_BYTES) {
		size_t got = fread(text + used, 1, room - used, stdin);
		char *larger;

		used += got;
		if (used < room)
			break;
		larger = mem_alloc(room * 2 + 1, 1);
		memcpy(larger, text, used);
		free(text);
		text = larger;
		room *= 2;
	}
	return text;
}

/* libvirt puts whatever is printed here into its error text: one line. */
int hook_run(const struct cli *cli, struct fail *fail)
{
	CLEANUP(root) struct root *root = NULL;
	CLEANUP(text) char *xml = NULL;
	CLEANUP(text) char *line = NULL;
	CLEANUP(fail) struct fail veto = { 0 };

	if (!hook_is_asked(cli->args, cli->arg_count))
		return 0;
	xml = read_input();
	if (root_open(cli->root_directory, &root, &veto) == 0 &&
	    hook_check(root, NULL, xml, &veto) == 0)
		return 0;
	line = hook_veto(&veto);
	return fail_add(fail, FAIL_FAIL, "%s", line);
}
