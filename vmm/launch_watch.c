// SPDX-License-Identifier: MIT
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/launch_internal.h"
#include "vmm/wait.h"

struct launch_watchdog {
	timer_t timer;
	char *last_words;
};

static void give_up(int number, siginfo_t *info, void *context)
{
	const char *last_words = info->si_value.sival_ptr;

	(void)number;
	(void)context;
	(void)!write(STDERR_FILENO, last_words, strlen(last_words));
	_exit(fail_kind_row(FAIL_HV)->exit_code);
}

/* A timer of its own, and not alarm(), as its signal brings the words along. */
int launch_watch_begin(struct launch *launch, unsigned timeout_s, char *last_words,
		       struct fail *fail)
{
	const struct itimerspec deadline = { .it_value.tv_sec = timeout_s };
	const struct sigaction action = { .sa_sigaction = give_up, .sa_flags = SA_SIGINFO };
	struct launch_watchdog *watchdog = mem_alloc(1, sizeof *watchdog);
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };

	event.sigev_value.sival_ptr = watchdog->last_words = last_words;
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

void launch_watch_end(struct launch *launch)
{
	struct launch_watchdog *watchdog = STEAL(launch->watchdog);

	if (watchdog == NULL)
		return;
	timer_delete(watchdog->timer);
	free(watchdog->last_words);
	free(watchdog);
}

static unsigned start_timeout_s(const struct launch *launch)
{
	const struct placement *placement = launch->placement;
	struct wait_size size = { .memory_bytes = launch->spec->memory_bytes,
				  .gpu_count = (unsigned)placement->gpu_count };

	if (launch->options.start_timeout_s != 0)
		return launch->options.start_timeout_s;
	for (size_t i = 0; i < placement->gpu_count; i++)
		size.bar_bytes += gpu_bar64_bytes(placement->gpus[i].gpu);
	return wait_timeout_s(&size);
}

int launch_watch_start(struct launch *launch, struct fail *fail)
{
	unsigned timeout_s = start_timeout_s(launch);
	CLEANUP(text) char *word = text_shell(launch->spec->name);

	return launch_watch_begin(
		launch, timeout_s,
		text_format("\ngpuvm: VM \"%s\" does not start\n"
			    "  cause: not within %u s: libvirt waits for QEMU, and QEMU for the "
			    "kernel, as while a GPU's reset hangs: sudo dmesg | grep -i vfio\n"
			    "  hint: gpuvm stop --force %s\n",
			    launch->spec->name, timeout_s, word),
		fail);
}
