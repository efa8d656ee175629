// SPDX-License-Identifier: MIT
#include "vmm/launch_internal.h"
#include "vmm/lease.h"

/* Longer than another may choose. */
#define GATE_TIMEOUT_MS ((LAUNCH_CHOOSE_TIMEOUT_S + 10) * 1000)

int launch_gate_shut(struct launch *launch, struct fail *fail)
{
	if (lease_open(launch->options.lease_directory, GATE_TIMEOUT_MS, &launch->gate, fail) < 0)
		return -1;
	return launch_watch_choice(launch, fail);
}

int launch_gate_open(struct launch *launch, struct fail *fail)
{
	(void)fail;
	launch_watch_end(launch);
	lease_close(STEAL(launch->gate));
	return 0;
}
