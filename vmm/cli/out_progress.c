// SPDX-License-Identifier: MIT
/*
 * The progress line. Whoever works may be inside libvirt for minutes, so a thread of its own counts the
 * seconds; it reads nothing of the program's but the line.
 */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/clock.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/out.h"

#define ERASE         "\r\033[K"
#define COLUMNS_LEAST 20
/* Who counts seconds down himself has changed the line before this one counts them up. */
#define TICK_NS 300000000
#define PLAIN_S 10

/* A process has one terminal. */
static struct line {
	pthread_mutex_t lock;
	pthread_cond_t has_ended;
	pthread_t thread;
	bool is_running; /* the thread; read and written by its starter only */
	bool is_ending, is_shown;
	char *text; /* NULL: none */
	double since_s;
	bool is_late; /* nothing to be seen before a second has passed */
	double plain_s; /* when a line that counts was last written where none can be erased; 0: never */
} line = { .lock = PTHREAD_MUTEX_INITIALIZER, .has_ended = PTHREAD_COND_INITIALIZER };

/* A dumb terminal cannot erase what it shows. */
static bool can_erase(void)
{
	const char *terminal = getenv("TERM");

	return isatty(STDERR_FILENO) && terminal != NULL && *terminal != '\0' &&
	       !text_equal(terminal, "dumb");
}

/* A line that wraps cannot be erased either. */
static size_t columns_of_terminal(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col < COLUMNS_LEAST ? COLUMNS_LEAST : size.ws_col;
}

/* Bytes of the first @columns columns of @text (UTF-8). */
static int bytes_of(const char *text, size_t columns)
{
	const char *at = text;

	for (; *at != '\0'; at++)
		if (((unsigned char)*at & 0xc0) != 0x80 && columns-- == 0)
			break;
	return (int)(at - text);
}

static void show(void)
{
	double passed_s = clock_seconds() - line.since_s;
	CLEANUP(text) char *tail = mem_strdup(" ...");
	CLEANUP(text) char *whole = NULL;

	if (line.is_late && passed_s < 1)
		return;
	if (passed_s >= 1)
		text_add(&tail, " %u s", (unsigned)passed_s);
	whole = text_format(ERASE "%.*s%s",
			    bytes_of(line.text, columns_of_terminal() - strlen(tail) - 1),
			    line.text, tail);
	(void)!write(STDERR_FILENO, whole, strlen(whole));
	line.is_shown = true;
}

static void *count(void *unused)
{
	struct timespec next;

	pthread_mutex_lock(&line.lock);
	clock_gettime(CLOCK_MONOTONIC, &next);
	next.tv_nsec += TICK_NS;
	if (next.tv_nsec >= 1000000000) {
		next.tv_nsec -= 1000000000;
		next.tv_sec++;
	}
	while (!line.is_ending) {
		next.tv_sec++;
		while (!line.is_ending && pthread_cond_clockwait(&line.has_ended, &line.lock,
								 CLOCK_MONOTONIC, &next) == 0)
			;
		if (!line.is_ending)
			show();
	}
	pthread_mutex_unlock(&line.lock);
	return unused;
}

/* Signals are for the thread that works. Without the thread the line just does not count. */
static void start(void)
{
	sigset_t all, before;

	line.is_ending = false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	line.is_running = pthread_create(&line.thread, NULL, count, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void set(const char *text, bool is_late)
{
	if (!line.is_running)
		start();
	pthread_mutex_lock(&line.lock);
	if (!text_equal(line.text, text)) {
		free(line.text);
		line.text = text_printable(text, 0);
		line.since_s = clock_seconds();
	}
	line.is_late = is_late;
	show();
	pthread_mutex_unlock(&line.lock);
}

void out_progress(const char *text)
{
	if (can_erase())
		set(text, false);
	else
		dprintf(STDERR_FILENO, "%s ...\n", text);
}

void out_progress_late(const char *text)
{
	if (can_erase())
		set(text, true);
}

void out_progress_counts(const char *text)
{
	double now_s = clock_seconds();

	if (!can_erase() && line.plain_s != 0 && now_s - line.plain_s < PLAIN_S)
		return;
	line.plain_s = now_s;
	out_progress(text);
}

void out_progress_end(void)
{
	if (line.is_running) {
		pthread_mutex_lock(&line.lock);
		line.is_ending = true;
		pthread_cond_signal(&line.has_ended);
		pthread_mutex_unlock(&line.lock);
		pthread_join(line.thread, NULL);
		line.is_running = false;
	}
	if (line.is_shown)
		(void)!write(STDERR_FILENO, ERASE, strlen(ERASE));
	line.is_shown = false;
	free(STEAL(line.text));
}
