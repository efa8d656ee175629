// SPDX-License-Identifier: MIT
/*
 * gpuvm for the lab, of the very objects of gpuvm: its start stops itself (SIGSTOP) before the step of launch's
 * table that GPUVM_PAUSE_AT names, so that something can be killed at that point. GPUVM_STEPS names a file that
 * gets the steps' names, a line each. The linker's --wrap puts it between the command line and launch_start().
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/launch.h"

struct watched {
	const struct launch_options *options;
	const char *pause_at; /* NULL: nowhere */
	FILE *steps;          /* NULL: nobody asks */
};

int __real_launch_start(const struct launch_options *options, const char *target,
			struct launch **ret_launch, struct fail *fail);
int __wrap_launch_start(const struct launch_options *options, const char *target,
			struct launch **ret_launch, struct fail *fail);

static void watch(void *data, const char *step, const char *says)
{
	const struct watched *watched = data;

	if (watched->options->progress != NULL)
		watched->options->progress(watched->options->progress_data, step, says);
	if (watched->steps != NULL)
		fprintf(watched->steps, "%s\n", step);
	if (watched->pause_at != NULL && strcmp(watched->pause_at, step) == 0)
		raise(SIGSTOP);
}

int __wrap_launch_start(const struct launch_options *options, const char *target,
			struct launch **ret_launch, struct fail *fail)
{
	const char *steps = getenv("GPUVM_STEPS");
	struct watched watched = { .options = options,
				   .pause_at = getenv("GPUVM_PAUSE_AT"),
				   .steps = steps == NULL ? NULL : fopen(steps, "w") };
	struct launch_options mine = *options;
	int result;

	mine.progress = watch;
	mine.progress_data = &watched;
	result = __real_launch_start(&mine, target, ret_launch, fail);
	if (watched.steps != NULL)
		fclose(watched.steps);
	return result;
}
