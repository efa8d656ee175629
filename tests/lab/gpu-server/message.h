/* SPDX-License-Identifier: MIT */
/*
 * What a client's messages do, as a function of bytes: no sockets, and nothing is allocated. Which messages there are
 * is in protocol.h.
 */
#ifndef GPUVM_LAB_MESSAGE_H
#define GPUVM_LAB_MESSAGE_H

#include "tests/lab/gpu-server/gpu.h"
#include "tests/lab/gpu-server/maps.h"
#include "tests/lab/gpu-server/protocol.h"

/* A client, and what it has set up with @gpu. Zero is a client that has said nothing yet. */
struct message_client {
	struct gpu *gpu;
	bool is_known; /* it has sent VERSION */
	struct maps maps;
	uint32_t vectors[PROTOCOL_IRQS]; /* interrupts of each kind that it wants to hear of */
	uint64_t handled, refused;       /* messages */
};

struct message_reply {
	uint8_t bytes[PROTOCOL_MESSAGE_MAX];
	size_t length; /* 0: no answer */
	int fd;        /* goes with it, still the gpu's; -1: none */
};

enum message_verdict {
	MESSAGE_GOES_ON,
	MESSAGE_ENDS /* the connection, when the answer is out */
};

/* Bytes of the message that this header begins; 0 if it is no header of a message that is taken. */
size_t message_length(const void *header);

/*
 * message_handle - does what the message says, and fills @reply.
 * @message is @length bytes, whole or not, and came with @fd_count descriptors, which stay the caller's. If
 * message_length() does not agree with @length the verdict is MESSAGE_ENDS.
 */
enum message_verdict message_handle(struct message_client *client, const void *message,
				    size_t length, size_t fd_count, struct message_reply *reply);

/* The client is gone: its maps and interrupts are, the counts and the gpu stay. */
void message_forget(struct message_client *client);

#endif
