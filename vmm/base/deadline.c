// SPDX-License-Identifier: MIT
#include "vmm/base/deadline.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

struct deadline {
	timer_t timer;
	char *patience, *last_words;
	unsigned rest_s; /* after the patience */
};

static void say(const char *words)
{
	(void)!write(STDERR_FILENO, words, strlen(words));
}

/* In a signal handler: timer_settime(), write() and _exit() alone, as signal-safety(7) has them. */
static void expire(int number, siginfo_t *info, void *context)
{
	struct deadline *deadline = info->si_value.sival_ptr;
	const struct itimerspec rest = { .it_value.tv_sec = deadline->rest_s };
	int error = errno;

	(void)number;
	(void)context;
	if (deadline->rest_s == 0) {
		say(deadline->last_words);
		_exit(fail_kind_row(FAIL_HV)->exit_code);
	}
	say(deadline->patience);
	deadline->rest_s = 0;
	timer_settime(deadline->timer, 0, &rest, NULL);
	errno = error;
}

/* A timer of its own, and not alarm(), as its signal brings the words along. */
static int start_timer(struct deadline *deadline, unsigned first_s, struct fail *fail)
{
	const struct sigaction action = { .sa_sigaction = expire,
					  .sa_flags = SA_SIGINFO | SA_RESTART };
	const struct itimerspec first = { .it_value.tv_sec = first_s };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };

	event.sigev_value.sival_ptr = deadline;
	sigaction(SIGALRM, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &deadline->timer) != 0) {
		fail_add(fail, FAIL_FAIL, "no deadline can be set for libvirt's answer");
		return fail_cause(fail, "timer_create: %s", strerror(errno));
	}
	timer_settime(deadline->timer, 0, &first, NULL);
	return 0;
}

static void forget(struct deadline *deadline)
{
	free(deadline->patience);
	free(deadline->last_words);
	free(deadline);
}

int deadline_begin(const struct deadline_words *words, struct deadline **ret_deadline,
		   struct fail *fail)
{
	struct deadline *deadline = mem_alloc(1, sizeof *deadline);
	unsigned first_s = words->patience == NULL ? words->timeout_s : words->patience_s;

	if (words->patience != NULL)
		deadline->patience = mem_strdup(words->patience);
	deadline->last_words = mem_strdup(words->last);
	deadline->rest_s = words->timeout_s - first_s;
	if (start_timer(deadline, first_s, fail) < 0) {
		forget(deadline);
		return -1;
	}
	*ret_deadline = deadline;
	return 0;
}

void deadline_end(struct deadline *deadline)
{
	if (deadline == NULL)
		return;
	timer_delete(deadline->timer);
	forget(deadline);
}
