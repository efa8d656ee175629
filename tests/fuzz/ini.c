// SPDX-License-Identifier: MIT
/*
 * Fuzzes the spec's parser. With clang, -fsanitize=fuzzer -DGPUVM_LIBFUZZER; else it is a program of its
 * own: fuzz-ini SECONDS SEED... mutates the seed files for that long, by a fixed sequence.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/ini.h"
#include "vmm/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static void must(int holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "fuzz-ini: %s\n", what);
		abort();
	}
}

static void check_text(const char *text)
{
	CLEANUP(text) char *printable = text == NULL ? NULL : text_printable(text, 0);

	if (!text_equal(text, printable))
		must(0, printable);
}

/* Every refusal is a message that can be shown, in the order of the lines; or there is none. */
static void check_fail(const struct fail *fail, int result)
{
	must((result < 0) == (fail->item_count > 0), "the result and the messages differ");
	for (size_t i = 0; i < fail->item_count; i++) {
		must(i == 0 || fail->items[i - 1].line <= fail->items[i].line, "unsorted");
		must(fail->items[i].file != NULL, "a message without a file");
		check_text(fail->items[i].what);
		check_text(fail->items[i].cause);
		check_text(fail->items[i].hint);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	CLEANUP(text) char *text = mem_alloc(length + 1, 1);
	CLEANUP(fail) struct fail ini_fail = { 0 };
	CLEANUP(fail) struct fail spec_fail = { 0 };
	CLEANUP(ini) struct ini *ini = NULL;
	CLEANUP(spec) struct spec *spec = NULL;

	memcpy(text, data, length);
	check_fail(&ini_fail, ini_parse_text("a.ini", text, length, &ini, &ini_fail));
	check_fail(&spec_fail, spec_parse("a.ini", "/specs", text, &spec, &spec_fail));
	must((spec == NULL) == (spec_fail.item_count > 0), "a spec in spite of errors, or none");
	must(spec == NULL || (spec->gpu_count > 0 && spec->disk_count > 0 && spec->vcpus > 0 &&
			      spec_name_is_valid(spec->name) && spec->gpus[0].count > 0),
	     "a spec with holes");
	return 0;
}

#ifndef GPUVM_LIBFUZZER

#define MOST_BYTES 4096

static uint64_t next_random(uint64_t *state)
{
	/* xorshift64, Marsaglia 2003 */
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* One change of @data: a byte, a bit, a piece moved over another, or a word put in. New length. */
static size_t mutate(uint8_t *data, size_t length, uint64_t *state)
{
	static const char *const words[] = {
		"\n[gpu:b]\n",  "\n[",          "]", " ;",   "=",         "\n",       "\r\n",
		"\xef\xbf\xbe", "\xc2\x85",     ":", "/../", "17:00.0, ", "99999999", " GiB\n",
		" #",           "\naddress = ",
	};
	const char *word = words[next_random(state) % (sizeof words / sizeof *words)];
	size_t at = next_random(state) % (length + 1);
	size_t from = next_random(state) % (length + 1);
	size_t count = next_random(state) % 32;

	switch (next_random(state) % 5) {
	case 0:
		data[at] = (uint8_t)next_random(state);
		break;
	case 1:
		data[at] ^= (uint8_t)(1 << next_random(state) % 8);
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

static size_t read_seed(const char *path, uint8_t *data)
{
	CLEANUP(file) FILE *file = fopen(path, "rb");

	must(file != NULL, "a seed cannot be read");
	return fread(data, 1, MOST_BYTES, file);
}

int main(int argc, char **argv)
{
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
	unsigned long runs = 0;
	time_t end;

	must(argc > 2, "usage: fuzz-ini SECONDS SEED...");
	end = time(NULL) + atoi(argv[1]);
	while (time(NULL) < end) {
		/* Room for every change and what a change can reach beyond the length. */
		uint8_t data[MOST_BYTES + 16 * 16 + 64] = { 0 };
		const char *seed = argv[2 + next_random(&state) % (uint64_t)(argc - 2)];
		size_t length = read_seed(seed, data);
		size_t changes = next_random(&state) % 16;

		for (size_t i = 0; i < changes; i++)
			length = mutate(data, length, &state);
		LLVMFuzzerTestOneInput(data, length);
		runs++;
	}
	printf("fuzz-ini: %lu inputs\n", runs);
	return 0;
}

#endif
