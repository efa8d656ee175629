/* SPDX-License-Identifier: MIT */
/*
 * For fuzzers: LLVMFuzzerTestOneInput() in each tests/fuzz/NAME.c is called by libFuzzer (LLVM 14,
 * docs/LibFuzzer.rst) with one input; tests/fuzz/run starts it. NAME.dict has words that inputs may contain.
 */
#ifndef GPUVM_TESTS_FUZZ_MUST_H
#define GPUVM_TESTS_FUZZ_MUST_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* Ends the fuzzer, which keeps the input, unless @holds; @what says what does not. */
static inline void must(int holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
		abort();
	}
}

#endif
