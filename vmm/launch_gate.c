// SPDX-License-Identifier: MIT
#include <signal.h>
#include <unistd.h>

#include "vmm/base/text.h"
#include "vmm/launch_internal.h"
#include "vmm/lease.h"

#define GATE_TIMEOUT_MS 60000

/* libvirt has no deadlines, and a hung VM or driver would keep the gate shut for everybody: it opens with the
 * end of this process. */
static void give_up(int number)
{
	static const char message[] = "\ngpuvm: libvirt does not answer\n"
				      "  cause: a VM or a driver of this host hangs\n"
				      "  hint: virsh -c qemu:///system list --all\n";

	(void)number;
	(void)!write(STDERR_FILENO, message, sizeof message - 1);
	_exit(fail_kind_row(FAIL_HV)->exit_code);
}

int launch_gate_shut(struct launch *launch, struct fail *fail)
{
	if (lease_open(launch->options.lease_directory, GATE_TIMEOUT_MS, &launch->gate, fail) < 0)
		return -1;
	signal(SIGALRM, give_up);
	alarm(launch->options.choose_timeout_s == 0 ? LAUNCH_CHOOSE_TIMEOUT_S
						    : launch->options.choose_timeout_s);
	return 0;
}

int launch_gate_open(struct launch *launch, struct fail *fail)
{
	(void)fail;
	alarm(0);
	lease_close(STEAL(launch->gate));
	return 0;
}
