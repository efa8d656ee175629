// SPDX-License-Identifier: MIT
#include "tests/lab/gpu-server/control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_HANG_MS 30000
#define LONGEST_HANG_MS 3600000
#define WORDS_MAX       3
#define SPACE           " \t\r"

static const char *state_of(const struct gpu *gpu)
{
	if (!gpu_answers(gpu))
		return "silent";
	return gpu_power(gpu) == 0 ? "D0" : "D3";
}

static void say_client(const struct message_client *client, pid_t process, FILE *answer)
{
	const struct maps *maps = &client->maps;

	if (process == 0)
		fprintf(answer, "client none\n");
	else
		fprintf(answer, "client %ld\n", (long)process);
	fprintf(answer, "messages %" PRIu64 "\nrefused %" PRIu64 "\n", client->handled,
		client->refused);
	fprintf(answer, "maps %zu\nmapped-bytes %" PRIu64 "\n", maps->count, maps_bytes(maps));
	fprintf(answer, "maps-added %" PRIu64 "\nmaps-removed %" PRIu64 "\n", maps->added,
		maps->removed);
	fprintf(answer, "maps-over %" PRIu64 "\nmaps-lost %" PRIu64 "\n", maps->over, maps->lost);
	fprintf(answer, "vectors %" PRIu32 " %" PRIu32 " %" PRIu32 "\n", client->vectors[0],
		client->vectors[1], client->vectors[2]);
}

static const char *status(struct message_client *client, pid_t process, FILE *answer)
{
	const struct gpu *gpu = client->gpu;

	fprintf(answer, "function %04x:%04x\nstate %s\nfault %s\n", gpu->shape.vendor,
		gpu->shape.device, state_of(gpu), gpu_fault_name(gpu->fault));
	fprintf(answer,
		"resets-flr %" PRIu64 "\nresets-bus %" PRIu64 "\nresets-failed %" PRIu64 "\n",
		gpu->resets[GPU_RESET_FLR], gpu->resets[GPU_RESET_BUS], gpu->resets_failed);
	say_client(client, process, answer);
	return NULL;
}

static const char *list_maps(const struct message_client *client, FILE *answer)
{
	for (size_t i = 0; i < client->maps.count; i++) {
		const struct maps_range *range = &client->maps.ranges[i];

		fprintf(answer, "%" PRIx64 " %" PRIx64 " %s\n", range->first, range->last,
			range->is_writable ? "rw" : "r");
	}
	return NULL;
}

static bool read_ms(const char *word, uint64_t *ret_ms)
{
	char *end;

	errno = 0;
	*ret_ms = strtoull(word, &end, 10);
	return errno == 0 && *word >= '0' && *word <= '9' && *end == '\0' &&
	       *ret_ms <= LONGEST_HANG_MS;
}

static const char *fault(struct gpu *gpu, char *const *words)
{
	uint64_t ms = DEFAULT_HANG_MS;

	if (words[1] == NULL)
		return "which fault?";
	for (int i = GPU_FAULT_NONE + 1; i < GPU_FAULTS; i++) {
		if (strcmp(words[1], gpu_fault_name((enum gpu_fault)i)) != 0)
			continue;
		if (words[2] != NULL && i != GPU_FAULT_RESET_HANGS)
			return "only reset-hangs takes a time";
		if (words[2] != NULL && !read_ms(words[2], &ms))
			return "a time is in milliseconds, an hour at most";
		gpu_fail(gpu, (enum gpu_fault)i, ms);
		return NULL;
	}
	return "no such fault";
}

/* NULL, or what is wrong with @words, of which there is at least one. */
static const char *obey(struct message_client *client, pid_t process, char *const *words,
			FILE *answer, enum control_verdict *verdict)
{
	if (strcmp(words[0], "fault") == 0)
		return fault(client->gpu, words);
	if (words[1] != NULL)
		return "only a fault has a name";
	if (strcmp(words[0], "status") == 0)
		return status(client, process, answer);
	if (strcmp(words[0], "maps") == 0)
		return list_maps(client, answer);
	if (strcmp(words[0], "clear") == 0) {
		gpu_fail(client->gpu, GPU_FAULT_NONE, 0);
		return NULL;
	}
	if (strcmp(words[0], "exit") == 0) {
		*verdict = CONTROL_EXIT;
		return NULL;
	}
	return "no such command: status, maps, fault NAME [MS], clear, exit";
}

enum control_verdict control_handle(struct message_client *client, pid_t process, char *line,
				    FILE *answer)
{
	char *words[WORDS_MAX + 1] = { NULL }, *rest = NULL;
	const char *problem = "a command has one to three words";
	enum control_verdict verdict = CONTROL_GOES_ON;
	size_t count = 0;

	for (char *word = strtok_r(line, SPACE, &rest); word != NULL;
	     word = strtok_r(NULL, SPACE, &rest))
		if (count++ < WORDS_MAX)
			words[count - 1] = word;
	if (count > 0 && count <= WORDS_MAX)
		problem = obey(client, process, words, answer, &verdict);
	if (problem == NULL)
		fputs("ok\n", answer);
	else
		fprintf(answer, "error: %s\n", problem);
	return verdict;
}
