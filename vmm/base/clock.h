/* SPDX-License-Identifier: MIT */
/* Time that passes: for measuring, never for telling the time. */
#ifndef GPUVM_BASE_CLOCK_H
#define GPUVM_BASE_CLOCK_H

/* Seconds since some fixed moment; never goes back (CLOCK_MONOTONIC, clock_gettime(2)). */
double clock_seconds(void);

#endif
