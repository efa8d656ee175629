// SPDX-License-Identifier: MIT
/* Progress where no line can be replaced, on a clock of the test's own. */
#include "vmm/cli/out.h"

#include "tests/unit/scratch.h"
#include "vmm/base/clock.h"

static double now = 1000;

double clock_seconds(void)
{
	return now;
}

/* A countdown of 25 seconds fills no log. */
static void a_countdown_is_told_every_ten_seconds(void **state)
{
	FILE *file = tmpfile();
	int before = dup(STDERR_FILENO);
	char said[200] = "";

	(void)state;
	assert_non_null(file);
	fflush(stderr);
	assert_int_equal(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
	for (int left = 25; left > 0; left--, now++) {
		CLEANUP(text) char *line = text_format("%d left", left);

		out_progress_counts(line);
	}
	assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
	close(before);
	rewind(file);
	assert_true(fread(said, 1, sizeof said - 1, file) > 0);
	fclose(file);
	assert_string_equal(said, "25 left ...\n15 left ...\n5 left ...\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_countdown_is_told_every_ten_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
