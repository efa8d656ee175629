// SPDX-License-Identifier: MIT
#include "tests/lab/gpu-server/link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER sizeof(struct protocol_header)

enum step {
	STEP_DONE,
	STEP_WAIT,
	STEP_END
};

static void close_fds(struct link *link)
{
	for (size_t i = 0; i < link->fd_count; i++)
		close(link->fds[i]);
	link->fd_count = 0;
	link->fds_lost = false;
}

static void keep_fds(struct link *link, const struct cmsghdr *part)
{
	size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
		if (link->fd_count < PROTOCOL_FDS_MAX) {
			link->fds[link->fd_count++] = fd;
		} else {
			close(fd);
			link->fds_lost = true;
		}
	}
}

/* Never past the message's end: the descriptors that come with bytes are this message's. */
static enum step receive(struct link *link, size_t want)
{
	union {
		char bytes[CMSG_SPACE(PROTOCOL_FDS_MAX * sizeof(int))];
		struct cmsghdr aligned;
	} space;
	struct iovec where = { link->in + link->in_length, want - link->in_length };
	struct msghdr message = { .msg_iov = &where,
				  .msg_iovlen = 1,
				  .msg_control = space.bytes,
				  .msg_controllen = sizeof space.bytes };
	ssize_t got = recvmsg(link->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? STEP_WAIT : STEP_END;
	for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part != NULL;
	     part = CMSG_NXTHDR(&message, part))
		if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS)
			keep_fds(link, part);
	if ((message.msg_flags & MSG_CTRUNC) != 0)
		link->fds_lost = true;
	link->in_length += (size_t)got;
	return got == 0 ? STEP_END : STEP_DONE;
}

/* STEP_DONE: a whole message was answered, or part of one has come. */
static enum step take(struct link *link, struct message_client *client)
{
	size_t want = link->in_length < HEADER ? HEADER : message_length(link->in);
	enum step step = want > link->in_length ? receive(link, want) : STEP_DONE;

	if (step != STEP_DONE || link->in_length < HEADER)
		return step;
	want = message_length(link->in);
	if (want != 0 && link->in_length < want)
		return STEP_DONE;
	link->ends = message_handle(client, link->in, link->in_length,
				    link->fd_count + link->fds_lost * (PROTOCOL_FDS_MAX + 1),
				    &link->out) == MESSAGE_ENDS;
	link->out_sent = 0;
	link->in_length = 0;
	close_fds(link);
	return STEP_DONE;
}

static enum step give(struct link *link)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} space = { .bytes = { 0 } };
	struct iovec where = { link->out.bytes + link->out_sent,
			       link->out.length - link->out_sent };
	struct msghdr message = { .msg_iov = &where, .msg_iovlen = 1 };
	ssize_t sent;

	if (link->out_sent == 0 && link->out.fd >= 0) {
		message.msg_control = space.bytes;
		message.msg_controllen = sizeof space.bytes;
		space.aligned.cmsg_level = SOL_SOCKET;
		space.aligned.cmsg_type = SCM_RIGHTS;
		space.aligned.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&space.aligned), &link->out.fd, sizeof(int));
	}
	sent = sendmsg(link->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? STEP_WAIT : STEP_END;
	link->out_sent += (size_t)sent;
	return STEP_DONE;
}

static bool is_giving(const struct link *link)
{
	return link->out_sent < link->out.length;
}

short link_events(const struct link *link)
{
	return is_giving(link) ? POLLOUT : POLLIN;
}

bool link_serve(struct link *link, struct message_client *client)
{
	enum step step = is_giving(link) ? give(link) : take(link, client);

	/* Most answers go out at once. */
	if (step == STEP_DONE && is_giving(link))
		step = give(link);
	if (step == STEP_END || (link->ends && !is_giving(link))) {
		link_close(link);
		return false;
	}
	return true;
}

void link_close(struct link *link)
{
	close_fds(link);
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
	link->in_length = 0;
	link->out.length = 0;
	link->out_sent = 0;
	link->ends = false;
}
