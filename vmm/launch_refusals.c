// SPDX-License-Identifier: MIT
#include "vmm/base/mem.h"
#include "vmm/launch_internal.h"
#include "vmm/preflight.h"
#include "vmm/share.h"

void launch_refusals_keep(struct launch *launch, struct fail *refusal, const char *finding)
{
	fail_finding(refusal, finding);
	if (refusal->kind != FAIL_NONE)
		*MEM_APPEND(launch->refusals, launch->refusal_count) = *refusal;
	*refusal = (struct fail){ 0 };
}

int launch_refusals_foresee(struct launch *launch, struct fail *fail)
{
	struct fail network = { 0 };
	struct fail shares = { 0 };
	struct fail window = { 0 };
	struct fail gpus = { 0 };

	(void)fail;
	if (!launch->root->live) {
		(void)mmio_check(launch->mmio, &window);
		launch_refusals_keep(launch, &window, MMIO_FINDING);
		return 0;
	}
	if (launch->hv != NULL) {
		(void)preflight_network(launch->spec, launch->root, launch->hv, &network);
		(void)share_check(launch->spec, launch->root, hv_libvirt_version(launch->hv),
				  &shares);
	}
	if (launch->usage->users != NULL)
		(void)preflight_gpus(launch->root, launch->host, launch->placement,
				     launch->usage->users, launch->options.forced,
				     &launch->not_checked, &gpus);
	if (gpus.kind == FAIL_NONE)
		(void)launch_check_refuse(launch, &gpus);
	launch_refusals_keep(launch, &network, "network");
	launch_refusals_keep(launch, &shares, "shares");
	launch_refusals_keep(launch, &gpus, "placement");
	return 0;
}
