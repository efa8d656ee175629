/* SPDX-License-Identifier: MIT */
/*
 * What the control socket understands: a line of words, answered by lines of which the last is "ok", or "error: " and
 * why.
 *
 *   status              lines "key value": what the function is, who uses it, what went on
 *   maps                a line "FIRST LAST r|rw" (hexadecimal) for each range of memory that it may reach
 *   fault NAME [MS]     the function goes wrong (enum gpu_fault); reset-hangs for MS milliseconds, 30000 if not said
 *   clear               it does not any more, and answers again
 *   exit                the server ends at once, as a process that crashed
 */
#ifndef GPUVM_LAB_CONTROL_H
#define GPUVM_LAB_CONTROL_H

#include <stdio.h>
#include <sys/types.h>

#include "tests/lab/gpu-server/message.h"

#define CONTROL_LINE_MAX 256

enum control_verdict {
	CONTROL_GOES_ON,
	CONTROL_EXIT
};

/* @line ends with NUL, without a newline, and is changed. @process is the client's, 0 if there is none. */
enum control_verdict control_handle(struct message_client *client, pid_t process, char *line,
				    FILE *answer);

#endif
