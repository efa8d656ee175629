// SPDX-License-Identifier: MIT
#include "vmm/base/deadline.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/mem.h"

struct deadline {
	timer_t timer;
	char *patience, *last;
	unsigned rest_s; /* after the patience */
	int exit_code;
};

static void say(const char *words)
{
	(void)!write(STDERR_FILENO, words, strlen(words));
}

/* In a signal handler: timer_settime(), write() and _exit() alone, as signal-safety(7) has them. */
static void expire(int number, siginfo_t *info, void *context)
{
	struct deadline *deadline = info->si_value.sival_ptr;
	struct itimerspec rest = { 0 };
	int error = errno;

	(void)number;
	(void)context;
	if (info->si_code != SI_TIMER)
		return;
	if (deadline->rest_s == 0) {
		say(deadline->last);
		_exit(deadline->exit_code);
	}
	say(deadline->patience);
	rest.it_value.tv_sec = deadline->rest_s;
	deadline->rest_s = 0;
	timer_settime(deadline->timer, 0, &rest, NULL);
	errno = error;
}

static void forget(struct deadline *deadline)
{
	free(deadline->patience);
	free(deadline->last);
	free(deadline);
}

/* Its signal brings the words along. */
struct deadline *deadline_begin(const struct deadline_words *words)
{
	const struct sigaction action = { .sa_sigaction = expire,
					  .sa_flags = SA_SIGINFO | SA_RESTART };
	struct deadline *deadline = mem_alloc(1, sizeof *deadline);
	unsigned first_s = words->patience == NULL ? words->timeout_s : words->patience_s;
	const struct itimerspec first = { .it_value.tv_sec = first_s };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };

	if (words->patience != NULL)
		deadline->patience = mem_strdup(words->patience);
	deadline->last = mem_strdup(words->last);
	deadline->rest_s = words->timeout_s - first_s;
	deadline->exit_code = words->exit_code;
	event.sigev_value.sival_ptr = deadline;
	sigaction(SIGRTMIN, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &deadline->timer) != 0) {
		forget(deadline);
		return NULL;
	}
	timer_settime(deadline->timer, 0, &first, NULL);
	return deadline;
}

void deadline_end(struct deadline *deadline)
{
	if (deadline == NULL)
		return;
	timer_delete(deadline->timer);
	forget(deadline);
}
