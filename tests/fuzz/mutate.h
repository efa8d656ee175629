/* SPDX-License-Identifier: MIT */
/*
 * For fuzz drivers: what libFuzzer would do, as a program of its own that needs no clang:
 *     fuzz-NAME SECONDS SEED...    mutates the seed files for that long, by a fixed sequence;
 *                                  GPUVM_FUZZ_SECONDS in the environment counts instead.
 * With -fsanitize=fuzzer and -DGPUVM_LIBFUZZER only the driver's LLVMFuzzerTestOneInput() is there.
 */
#ifndef GPUVM_TESTS_MUTATE_H
#define GPUVM_TESTS_MUTATE_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/base/cleanup.h"

#define MUTATE_MOST_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static inline void mutate_must(int holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
		abort();
	}
}

static inline uint64_t mutate_random(uint64_t *state)
{
	/* xorshift64, Marsaglia 2003 */
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* One change of @data: a byte, a bit, a piece moved over another, or a word put in. New length. */
static inline size_t mutate_once(uint8_t *data, size_t length, const char *const *words,
				 uint64_t *state)
{
	const char *word;
	size_t at = mutate_random(state) % (length + 1);
	size_t from = mutate_random(state) % (length + 1);
	size_t count = mutate_random(state) % 32;
	size_t word_count = 0;

	while (words[word_count] != NULL)
		word_count++;
	word = words[mutate_random(state) % word_count];
	switch (mutate_random(state) % 5) {
	case 0:
		data[at] = (uint8_t)mutate_random(state);
		break;
	case 1:
		data[at] ^= (uint8_t)(1 << mutate_random(state) % 8);
		break;
	case 2:
		return at;
	case 3:
		memmove(data + at, data + from, count);
		break;
	default:
		memmove(data + at + strlen(word), data + at, length - at);
		memcpy(data + at, word, strlen(word));
		return length + strlen(word);
	}
	return length;
}

static inline size_t mutate_read_seed(const char *path, uint8_t *data)
{
	CLEANUP(file) FILE *file = fopen(path, "rb");

	mutate_must(file != NULL, "a seed cannot be read");
	return fread(data, 1, MUTATE_MOST_BYTES, file);
}

static inline int mutate_run(int argc, char **argv, const char *const *words)
{
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
	const char *seconds = getenv("GPUVM_FUZZ_SECONDS");
	unsigned long runs = 0;
	time_t end;

	mutate_must(argc > 2, "usage: SECONDS SEED...");
	end = time(NULL) + atoi(seconds == NULL ? argv[1] : seconds);
	while (time(NULL) < end) {
		/* Room for every change and what a change can reach beyond the length. */
		uint8_t data[MUTATE_MOST_BYTES + 16 * 32 + 64] = { 0 };
		const char *seed = argv[2 + mutate_random(&state) % (uint64_t)(argc - 2)];
		size_t length = mutate_read_seed(seed, data);
		size_t changes = mutate_random(&state) % 16;

		for (size_t i = 0; i < changes; i++)
			length = mutate_once(data, length, words, &state);
		LLVMFuzzerTestOneInput(data, length);
		runs++;
	}
	printf("%s: %lu inputs\n", program_invocation_short_name, runs);
	return 0;
}

#ifdef GPUVM_LIBFUZZER
#define MUTATE_MAIN(words)
#else
#define MUTATE_MAIN(words)                                                                         \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		return mutate_run(argc, argv, words);                                              \
	}
#endif

#endif
