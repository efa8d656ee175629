// SPDX-License-Identifier: MIT
#include "vmm/base/text.h"
#include "vmm/launch_internal.h"
#include "vmm/lease.h"

#define GATE_TIMEOUT_MS 60000

/* A hung VM or driver would keep the gate shut for everybody: it opens with the end of this process. */
static int watch_choice(struct launch *launch, struct fail *fail)
{
	unsigned timeout_s = launch->options.choose_timeout_s == 0
				     ? LAUNCH_CHOOSE_TIMEOUT_S
				     : launch->options.choose_timeout_s;
	CLEANUP(text) char *uri = text_shell(launch_uri(launch));

	return launch_watch_begin(launch, timeout_s,
				  text_format("\ngpuvm: libvirt does not answer\n"
					      "  cause: not within %u s: a VM or a driver of this "
					      "host hangs\n"
					      "  hint: virsh -c %s list --all\n",
					      timeout_s, uri),
				  fail);
}

int launch_gate_shut(struct launch *launch, struct fail *fail)
{
	if (lease_open(launch->options.lease_directory, GATE_TIMEOUT_MS, &launch->gate, fail) < 0)
		return -1;
	return watch_choice(launch, fail);
}

int launch_gate_open(struct launch *launch, struct fail *fail)
{
	(void)fail;
	launch_watch_end(launch);
	lease_close(STEAL(launch->gate));
	return 0;
}
