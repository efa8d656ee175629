/* SPDX-License-Identifier: MIT */
/*
 * The two sockets. One client at a time: another one is turned away. A client that goes leaves the gpu as it is. The
 * control socket is answered at any time, a few askers at once; when more come, the oldest is turned away.
 */
#ifndef GPUVM_LAB_SERVE_H
#define GPUVM_LAB_SERVE_H

#include "tests/lab/gpu-server/options.h"

/* What the process ends with. */
#define SERVE_CRASHED 3 /* as the control socket asked for */

/* Until the control socket says exit: SERVE_CRASHED; or -1 with errno. A socket file that is there is replaced. */
int serve(const struct options *options, struct gpu *gpu);

/* Says @words to the control socket @path, shows the answer: 0; 1 if it is an error; -1 with errno. */
int serve_ask(const char *path, char *const *words);

#endif
