// SPDX-License-Identifier: MIT
/* What becomes of a process whose call does not return in time. */
#include "vmm/base/deadline.h"

#include "tests/unit/scratch.h"
#include "vmm/base/clock.h"

#define PATIENCE "not yet\n"
#define LAST     "no more\n"

#define CODE 6

static const struct deadline_words patient = {
	.patience_s = 1, .patience = PATIENCE, .timeout_s = 2, .last = LAST, .exit_code = CODE
};
static const struct deadline_words impatient = { .timeout_s = 1, .last = LAST, .exit_code = CODE };
static const struct deadline_words generous = {
	.patience_s = 1, .patience = PATIENCE, .timeout_s = 20, .last = LAST, .exit_code = CODE
};

/*
 * What another process writes whose work takes @lasts_s and has that deadline, and after it lives for longer than the
 * shorter deadlines here.
 */
static void assert_said(const struct deadline_words *words, double lasts_s, const char *said,
			int code)
{
	char text[100] = "";
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		double began = clock_seconds();
		struct deadline *deadline;

		(void)dup2(ends[1], STDERR_FILENO);
		deadline = deadline_begin(words);
		while (clock_seconds() - began < lasts_s)
			usleep(1000);
		deadline_end(deadline);
		while (clock_seconds() - began < lasts_s + 2.5)
			usleep(1000);
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(read(ends[0], text, sizeof text - 1) >= 0);
	close(ends[0]);
	assert_string_equal(text, said);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
}

static void what_lasts_too_long_ends_the_process(void **state)
{
	(void)state;
	assert_said(&patient, 60, PATIENCE LAST, CODE);
	assert_said(&impatient, 60, LAST, CODE);
}

static void what_ends_in_time_goes_on(void **state)
{
	(void)state;
	assert_said(&patient, 0, "", 0);
	assert_said(&generous, 2, PATIENCE, 0);
	assert_said(&impatient, 0, "", 0);
}

/* The words come while read(2) waits, which does not fail by them. */
static void a_call_goes_on_behind_the_words(void **state)
{
	int answer[2], errors[2], before = dup(STDERR_FILENO);
	char byte = 0, text[100] = "";
	struct deadline *deadline;
	ssize_t got;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(answer), 0);
	assert_int_equal(pipe(errors), 0);
	child = fork();
	if (child == 0) {
		usleep(2000000);
		_exit(write(answer[1], "x", 1) == 1 ? 0 : 1);
	}
	(void)dup2(errors[1], STDERR_FILENO);
	deadline = deadline_begin(&generous);
	got = read(answer[0], &byte, 1);
	deadline_end(deadline);
	(void)dup2(before, STDERR_FILENO);
	assert_int_equal(got, 1);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(read(errors[0], text, sizeof text - 1), strlen(PATIENCE));
	assert_string_equal(text, PATIENCE);
	for (int i = 0; i < 2; i++) {
		close(answer[i]);
		close(errors[i]);
	}
	close(before);
}

static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
	(void)number;
	alarms = alarms + 1;
}

/* The shell's completion has one, around everything that it asks. */
static void an_alarm_goes_on_too(void **state)
{
	CLEANUP(deadline) struct deadline *deadline = NULL;

	(void)state;
	(void)signal(SIGALRM, count_alarm);
	alarm(1);
	deadline = deadline_begin(&generous);
	pause();
	assert_int_equal(alarms, 1);
	(void)signal(SIGALRM, SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_lasts_too_long_ends_the_process),
		cmocka_unit_test(what_ends_in_time_goes_on),
		cmocka_unit_test(a_call_goes_on_behind_the_words),
		cmocka_unit_test(an_alarm_goes_on_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
