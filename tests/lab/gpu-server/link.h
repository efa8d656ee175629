/* SPDX-License-Identifier: MIT */
/*
 * A client's connection: bytes and descriptors in, whole messages to message_handle(), answers out. Nothing of it
 * waits: what is not there yet, or what the client does not read, is gone on with when poll(2) says so. No message is
 * read while an answer waits to be sent.
 */
#ifndef GPUVM_LAB_LINK_H
#define GPUVM_LAB_LINK_H

#include "tests/lab/gpu-server/message.h"

struct link {
	int fd; /* not blocking; -1: nobody is connected */
	uint8_t in[PROTOCOL_MESSAGE_MAX];
	size_t in_length;
	int fds[PROTOCOL_FDS_MAX];
	size_t fd_count;
	bool fds_lost; /* more came than a message may carry */
	struct message_reply out;
	size_t out_sent;
	bool ends; /* when the answer is out */
};

/* What poll(2) is to wait for. */
short link_events(const struct link *link);
/* Does what can be done now. False: the connection has ended, and its descriptors are closed. */
bool link_serve(struct link *link, struct message_client *client);
void link_close(struct link *link);

#endif
