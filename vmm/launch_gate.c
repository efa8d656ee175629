// SPDX-License-Identifier: MIT
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/launch_internal.h"
#include "vmm/lease.h"

#define GATE_TIMEOUT_MS 60000

struct launch_watchdog {
	timer_t timer;
	char *last_words;
};

/* libvirt has no deadlines, and a hung VM or driver would keep the gate shut for everybody: it opens with the
 * end of this process. */
static void give_up(int number, siginfo_t *info, void *context)
{
	const char *last_words = info->si_value.sival_ptr;

	(void)number;
	(void)context;
	(void)!write(STDERR_FILENO, last_words, strlen(last_words));
	_exit(fail_kind_row(FAIL_HV)->exit_code);
}

static char *last_words_of(const struct launch *launch, unsigned timeout_s)
{
	CLEANUP(text) char *uri = text_shell(launch_uri(launch));

	return text_format("\ngpuvm: libvirt does not answer\n"
			   "  cause: not within %u s: a VM or a driver of this host hangs\n"
			   "  hint: virsh -c %s list --all\n",
			   timeout_s, uri);
}

/* A timer of its own, and not alarm(), as its signal brings the words along. */
static int set_watchdog(struct launch *launch, struct fail *fail)
{
	unsigned timeout_s = launch->options.choose_timeout_s == 0
				     ? LAUNCH_CHOOSE_TIMEOUT_S
				     : launch->options.choose_timeout_s;
	const struct itimerspec deadline = { .it_value.tv_sec = timeout_s };
	const struct sigaction action = { .sa_sigaction = give_up, .sa_flags = SA_SIGINFO };
	struct launch_watchdog *watchdog = mem_alloc(1, sizeof *watchdog);
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };

	event.sigev_value.sival_ptr = watchdog->last_words = last_words_of(launch, timeout_s);
	sigaction(SIGALRM, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &watchdog->timer) != 0) {
		fail_add(fail, FAIL_FAIL, "no deadline can be set for libvirt's answer");
		fail_cause(fail, "timer_create: %s", strerror(errno));
		free(watchdog->last_words);
		free(watchdog);
		return -1;
	}
	timer_settime(watchdog->timer, 0, &deadline, NULL);
	launch->watchdog = watchdog;
	return 0;
}

static void end_watchdog(struct launch_watchdog *watchdog)
{
	if (watchdog == NULL)
		return;
	timer_delete(watchdog->timer);
	free(watchdog->last_words);
	free(watchdog);
}

int launch_gate_shut(struct launch *launch, struct fail *fail)
{
	if (lease_open(launch->options.lease_directory, GATE_TIMEOUT_MS, &launch->gate, fail) < 0)
		return -1;
	return set_watchdog(launch, fail);
}

int launch_gate_open(struct launch *launch, struct fail *fail)
{
	(void)fail;
	end_watchdog(STEAL(launch->watchdog));
	lease_close(STEAL(launch->gate));
	return 0;
}
