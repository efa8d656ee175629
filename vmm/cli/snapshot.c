// SPDX-License-Identifier: MIT
#include "vmm/snapshot.h"

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/out.h"

/* A snapshot without libvirt's side is worth having too. */
static int read_libvirt(const struct cli *cli, const struct root *root,
			struct snapshot_libvirt **ret_libvirt, char **ret_unknown,
			struct fail *fail)
{
	const char *uri = cli->uri == NULL ? HV_URI_DEFAULT : cli->uri;
	CLEANUP(fail) struct fail unknown = { 0 };
	CLEANUP(hv) struct hv *hv = NULL;

	if (!root->live)
		return snapshot_libvirt_read(root, ret_libvirt, fail);
	if (hv_open(uri, HV_READ, &hv, &unknown) < 0 ||
	    snapshot_libvirt_ask(hv, ret_libvirt, &unknown) < 0)
		*ret_unknown = text_format("%s (%s)", unknown.items[0].what,
					   unknown.items[0].cause);
	return 0;
}

int snapshot_run(const struct cli *cli, struct fail *fail)
{
	CLEANUP(snapshot_libvirt) struct snapshot_libvirt *libvirt = NULL;
	CLEANUP(root) struct root *root = NULL;
	CLEANUP(text) char *unknown = NULL;
	size_t count = 0;

	if (root_open(cli->root_directory, &root, fail) < 0 ||
	    read_libvirt(cli, root, &libvirt, &unknown, fail) < 0 ||
	    snapshot_write(root, libvirt, cli->args[0], &count, fail) < 0)
		return -1;
	if (cli->json) {
		out_json(json_pack("{s:o, s:i, s:o, s:o}", "file", out_text_or_null(cli->args[0]),
				   "files", (int)count, "domains",
				   out_number_or_null(libvirt == NULL
							      ? -1
							      : (long long)libvirt->domains->count),
				   "libvirt_unknown", out_text_or_null(unknown)));
		return 0;
	}
	out_line("%s: %zu files of this host%s", cli->args[0], count,
		 libvirt == NULL ? "" : " and what libvirt knows");
	out_line("To look at it: gpuvm topo --root %s", cli->args[0]);
	if (unknown != NULL)
		out_note("Without libvirt's side: %s", unknown);
	return 0;
}
