// SPDX-License-Identifier: MIT
/*
 * Fuzzes the lab's GPU with a client's messages and, between them, words on its control socket. A record of the input
 * begins with a byte: less than 128, a message follows, as long as its header says, that came with so many
 * descriptors; else a line for the control socket, up to its newline. A second passes with each record.
 */
#include "tests/fuzz/must.h"
#include "tests/lab/gpu-server/control.h"

struct input {
	const uint8_t *data;
	size_t length;
};

static void skip(struct input *input, size_t length)
{
	input->data += length;
	input->length -= length;
}

static void check_maps(const struct maps *maps)
{
	must(maps->count <= MAPS_MAX, "more maps than there is room for");
	for (size_t i = 0; i < maps->count; i++) {
		const struct maps_range *range = &maps->ranges[i];

		must(range->first <= range->last, "a map that ends before it begins");
		must(i == 0 || range[-1].last < range->first, "maps that overlap, or out of order");
		must(i == 0 || range[-1].last + 1 != range->first ||
			     range[-1].is_writable != range->is_writable,
		     "neighbours that were not joined");
	}
}

static void check_reply(const uint8_t *message, const struct message_reply *reply)
{
	struct protocol_header asked, answered;

	if (reply->length == 0) {
		must(reply->fd == -1, "a descriptor without an answer");
		return;
	}
	must(reply->length >= sizeof answered && reply->length <= sizeof reply->bytes,
	     "an answer of no possible size");
	memcpy(&asked, message, sizeof asked);
	memcpy(&answered, reply->bytes, sizeof answered);
	must(answered.id == asked.id && answered.command == asked.command &&
		     answered.length == reply->length,
	     "an answer to something else");
	must((answered.flags & PROTOCOL_TYPE) == PROTOCOL_REPLY, "an answer that is none");
	must((answered.error != 0) == ((answered.flags & PROTOCOL_ERROR) != 0), "half an error");
	must(answered.error == 0 || (reply->length == sizeof answered && reply->fd == -1),
	     "an error with something behind it");
}

static enum message_verdict say_message(struct message_client *client, struct input *input,
					size_t fd_count)
{
	static struct message_reply reply;
	size_t length = input->length < sizeof(struct protocol_header)
				? 0
				: message_length(input->data);
	enum message_verdict verdict;
	uint8_t *message;

	if (length == 0 || length > input->length)
		length = input->length;
	/* Of just its length, so that what is read behind it is seen. */
	message = malloc(length + (length == 0));
	must(message != NULL, "no memory");
	memcpy(message, input->data, length);
	verdict = message_handle(client, message, length, fd_count, &reply);
	if (length >= sizeof(struct protocol_header))
		check_reply(message, &reply);
	else
		must(reply.length == 0, "an answer to half a header");
	free(message);
	skip(input, length);
	return verdict;
}

static void say_line(struct message_client *client, struct input *input, FILE *nowhere)
{
	const uint8_t *end = memchr(input->data, '\n', input->length);
	size_t length = end == NULL ? input->length : (size_t)(end - input->data);
	char line[CONTROL_LINE_MAX] = "";

	if (length < sizeof line)
		memcpy(line, input->data, length);
	control_handle(client, 1, line, nowhere);
	skip(input, end == NULL ? length : length + 1);
}

/* The ids never change, whatever is written. */
static void check_gpu(const struct gpu *gpu)
{
	uint8_t ids[4];

	gpu_config_read(gpu, 0, ids, sizeof ids);
	must(memcmp(ids, gpu_answers(gpu) ? "\xde\x10\x30\x23" : "\xff\xff\xff\xff", 4) == 0,
	     "another function");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static const struct gpu_shape shape = {
		.vendor = 0x10de,
		.device = 0x2330,
		.class_code = 0x030200,
		.bars = { { .length = 1 << 20, .is_64bit = true, .is_trapped = true },
			  { 0 },
			  { .length = 1 << 16, .is_64bit = true, .is_prefetchable = true } },
		.serial = 1,
		.has_flr = true,
		.link_generation = 5,
		.link_lanes = 16,
		.max_link_generation = 5,
		.max_link_lanes = 16,
		.interrupt_pin = 1,
		.msi_vectors = 4,
		.msix_vectors = 8,
	};
	static struct message_client client;
	static FILE *nowhere;
	static struct gpu gpu;
	struct input input = { data, length };

	if (nowhere == NULL)
		nowhere = fopen("/dev/null", "w");
	must(nowhere != NULL && gpu_shape_problem(&shape) == NULL && gpu_init(&gpu, &shape) == 0,
	     "no gpu");
	memset(&client, 0, sizeof client);
	client.gpu = &gpu;
	while (input.length > 0) {
		uint8_t kind = *input.data;

		skip(&input, 1);
		gpu.now_ms += 1000;
		if (kind >= 128)
			say_line(&client, &input, nowhere);
		else if (say_message(&client, &input, kind) == MESSAGE_ENDS)
			message_forget(&client);
		check_maps(&client.maps);
		check_gpu(&gpu);
	}
	gpu_done(&gpu);
	return 0;
}
