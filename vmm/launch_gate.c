// SPDX-License-Identifier: MIT
#include "vmm/base/deadline.h"
#include "vmm/launch_internal.h"
#include "vmm/lease.h"

/* Longer than another may choose. */
#define GATE_TIMEOUT_MS ((LAUNCH_CHOOSE_TIMEOUT_S + 10) * 1000)

int launch_gate_shut(struct launch *launch, struct fail *fail)
{
	struct deadline *deadline = deadline_begin(&(struct deadline_words){
		.patience_s = HV_PATIENCE_S,
		.patience = "\ngpuvm: waiting for another start, which is choosing GPUs\n",
		.timeout_s = GATE_TIMEOUT_MS / 1000 + HV_PATIENCE_S,
		.last = "\ngpuvm: the file system of the starts' claims does not answer\n"
			"  hint: see what hangs: sudo dmesg | tail\n",
		.exit_code = fail_kind_row(FAIL_HOST)->exit_code,
	});
	int result = lease_open(launch->options.lease_directory, GATE_TIMEOUT_MS, &launch->gate,
				fail);

	deadline_end(deadline);
	if (result == 0)
		launch_watch_choice(launch);
	return result;
}

int launch_gate_open(struct launch *launch, struct fail *fail)
{
	(void)fail;
	launch_watch_end(launch);
	lease_close(STEAL(launch->gate));
	return 0;
}
