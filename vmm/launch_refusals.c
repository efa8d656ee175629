// SPDX-License-Identifier: MIT
#include "vmm/base/mem.h"
#include "vmm/launch_internal.h"
#include "vmm/preflight.h"
#include "vmm/share.h"

static void keep_refusal(struct launch *launch, struct fail *refusal)
{
	if (refusal->kind != FAIL_NONE)
		*MEM_APPEND(launch->refusals, launch->refusal_count) = *refusal;
}

int launch_refusals_foresee(struct launch *launch, struct fail *fail)
{
	struct fail owner = { 0 };
	struct fail images = { 0 };
	struct fail network = { 0 };
	struct fail shares = { 0 };
	struct fail gpus = { 0 };

	(void)fail;
	if (!launch->root->live)
		return 0;
	(void)launch_check_owner(launch, &owner);
	(void)preflight_images(launch->spec, launch->disk_is_block, &images);
	if (launch->hv != NULL) {
		(void)preflight_network(launch->spec, launch->root, launch->hv, &network);
		(void)share_check(launch->spec, launch->root, hv_libvirt_version(launch->hv),
				  &shares);
	}
	if (launch->usage->users != NULL)
		(void)preflight_gpus(launch->root, launch->host, launch->placement,
				     launch->usage->users, &launch->not_checked, &gpus);
	keep_refusal(launch, &owner);
	keep_refusal(launch, &images);
	keep_refusal(launch, &network);
	keep_refusal(launch, &shares);
	keep_refusal(launch, &gpus);
	return 0;
}
