// SPDX-License-Identifier: MIT
#include "vmm/cli/shares.h"

#include "vmm/base/cleanup.h"
#include "vmm/base/text.h"
#include "vmm/cli/out.h"
#include "vmm/share.h"

json_t *shares_json(const struct spec *spec)
{
	json_t *shares = json_array();

	for (size_t i = 0; i < spec->share_count; i++) {
		const struct spec_share *share = &spec->shares[i];
		CLEANUP(text) char *mount_point = share_mount_point(share);
		CLEANUP(text) char *mount = share_mount_command(share);

		json_array_append_new(shares, json_pack("{s:s, s:s, s:b, s:s, s:s}", "source",
							share->source, "target", share->target,
							"readonly", share->readonly, "mount_point",
							mount_point, "mount", mount));
	}
	return shares;
}

void shares_print(const json_t *shares)
{
	size_t i;
	const json_t *share;

	json_array_foreach(shares, i, share)
	{
		CLEANUP(text) char *source = out_cell(share, "source");
		CLEANUP(text) char *mount = out_cell(share, "mount");

		out_line("%-8s %s, %s; in the guest: %s", i == 0 ? "Shares" : "", source,
			 json_is_true(json_object_get(share, "readonly")) ? "read-only"
									  : "writable",
			 mount);
	}
}
