// SPDX-License-Identifier: MIT
/* What becomes of a process whose call does not return in time. */
#include "vmm/base/deadline.h"

#include "tests/unit/scratch.h"
#include "vmm/base/clock.h"

#define PATIENCE "not yet\n"
#define LAST     "no more\n"

static const struct deadline_words patient = {
	.patience_s = 1, .patience = PATIENCE, .timeout_s = 2, .last = LAST
};
static const struct deadline_words impatient = { .timeout_s = 1, .last = LAST };

/* What another process with that deadline writes before it ends by itself, which is after @lasts_s. */
static void assert_said(const struct deadline_words *words, double lasts_s, const char *said,
			int code)
{
	char text[100] = "";
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		struct deadline *deadline = NULL;
		struct fail fail = { 0 };
		double began = clock_seconds();

		(void)dup2(ends[1], STDERR_FILENO);
		if (deadline_begin(words, &deadline, &fail) < 0)
			_exit(100);
		while (clock_seconds() - began < lasts_s)
			usleep(1000);
		deadline_end(deadline);
		while (clock_seconds() - began < lasts_s + words->timeout_s)
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
	assert_said(&patient, 60, PATIENCE LAST, 6);
	assert_said(&impatient, 60, LAST, 6);
}

static void what_ends_in_time_goes_on(void **state)
{
	(void)state;
	assert_said(&patient, 0, "", 0);
	assert_said(&patient, 1.5, PATIENCE, 0);
	assert_said(&impatient, 0, "", 0);
}

/* A call of libvirt's in which the signal comes is not to fail by it. */
static void a_call_goes_on_behind_the_words(void **state)
{
	const struct deadline_words words = {
		.patience_s = 1, .patience = "", .timeout_s = 60, .last = LAST
	};
	CLEANUP(deadline) struct deadline *deadline = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	int ends[2];
	char byte = 0;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(deadline_begin(&words, &deadline, &fail), 0);
	child = fork();
	if (child == 0) {
		usleep(1500000);
		_exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_lasts_too_long_ends_the_process),
		cmocka_unit_test(what_ends_in_time_goes_on),
		cmocka_unit_test(a_call_goes_on_behind_the_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
