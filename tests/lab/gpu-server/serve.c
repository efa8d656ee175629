// SPDX-License-Identifier: MIT
#include "tests/lab/gpu-server/serve.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/lab/gpu-server/control.h"
#include "tests/lab/gpu-server/link.h"

#define ASKERS 4

struct asker {
	int fd; /* -1: none */
	char line[CONTROL_LINE_MAX];
	size_t length;
};

struct server {
	int socket, control; /* listen */
	pid_t process;       /* the client's; 0: none */
	struct link link;
	struct message_client client;
	struct asker askers[ASKERS];
	size_t next_asker;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int open_socket(const char *path, struct sockaddr_un *ret_address)
{
	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof ret_address->sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(ret_address->sun_path, path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address;
	int fd = open_socket(path, &address);

	if (fd < 0)
		return -1;
	unlink(path);
	if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 8) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static pid_t process_of(int fd)
{
	struct ucred peer = { 0 };
	socklen_t length = sizeof peer;

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
	return peer.pid;
}

static void accept_client(struct server *server)
{
	int fd = accept4(server->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (server->link.fd >= 0) {
		close(fd);
		return;
	}
	server->link.fd = fd;
	server->process = process_of(fd);
}

static void serve_client(struct server *server)
{
	if (link_serve(&server->link, &server->client))
		return;
	message_forget(&server->client);
	server->process = 0;
}

static void turn_away(struct asker *asker)
{
	if (asker->fd >= 0)
		close(asker->fd);
	asker->fd = -1;
	asker->length = 0;
}

static void accept_asker(struct server *server)
{
	int fd = accept4(server->control, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct asker *asker = &server->askers[server->next_asker % ASKERS];

	if (fd < 0)
		return;
	server->next_asker++;
	turn_away(asker);
	asker->fd = fd;
	/* The longest list of maps is to fit. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ 1 << 19 }, sizeof(int));
}

/* An asker that does not read its answer gets what fits into the socket. */
static enum control_verdict answer(struct server *server, struct asker *asker)
{
	char *text = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&text, &length);
	enum control_verdict verdict;

	if (stream == NULL)
		return CONTROL_GOES_ON;
	verdict = control_handle(&server->client, server->process, asker->line, stream);
	if (fclose(stream) == 0)
		send(asker->fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	free(text);
	return verdict;
}

/* One line from each asker, which is answered and goes. */
static enum control_verdict hear(struct server *server, struct asker *asker)
{
	enum control_verdict verdict = CONTROL_GOES_ON;
	ssize_t got = recv(asker->fd, asker->line + asker->length,
			   sizeof asker->line - asker->length, MSG_DONTWAIT);
	char *end;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return CONTROL_GOES_ON;
	if (got > 0) {
		asker->length += (size_t)got;
		end = memchr(asker->line, '\n', asker->length);
		if (end == NULL && asker->length < sizeof asker->line)
			return CONTROL_GOES_ON;
		if (end != NULL && memchr(asker->line, '\0', (size_t)(end - asker->line)) == NULL) {
			*end = '\0';
			verdict = answer(server, asker);
		}
	}
	turn_away(asker);
	return verdict;
}

static enum control_verdict turn(struct server *server)
{
	struct pollfd fds[3 + ASKERS] = {
		{ .fd = server->socket, .events = POLLIN },
		{ .fd = server->control, .events = POLLIN },
		{ .fd = server->link.fd, .events = link_events(&server->link) },
	};
	enum control_verdict verdict = CONTROL_GOES_ON;

	for (size_t i = 0; i < ASKERS; i++)
		fds[3 + i] = (struct pollfd){ .fd = server->askers[i].fd, .events = POLLIN };
	if (poll(fds, sizeof fds / sizeof fds[0], -1) < 0)
		return CONTROL_GOES_ON;
	server->client.gpu->now_ms = now_ms();
	if (fds[2].revents != 0)
		serve_client(server);
	for (size_t i = 0; i < ASKERS && verdict == CONTROL_GOES_ON; i++)
		if (fds[3 + i].revents != 0)
			verdict = hear(server, &server->askers[i]);
	if (fds[0].revents != 0)
		accept_client(server);
	if (fds[1].revents != 0)
		accept_asker(server);
	return verdict;
}

int serve(const struct options *options, struct gpu *gpu)
{
	struct server *server = calloc(1, sizeof *server);

	if (server == NULL)
		return -1;
	server->link.fd = -1;
	server->client.gpu = gpu;
	for (size_t i = 0; i < ASKERS; i++)
		server->askers[i].fd = -1;
	server->control = listen_at(options->control);
	server->socket = server->control < 0 ? -1 : listen_at(options->socket);
	if (server->socket < 0) {
		free(server);
		return -1;
	}
	while (turn(server) == CONTROL_GOES_ON)
		;
	/* Everything is the kernel's to close, at the same moment, as if it had crashed. */
	_exit(SERVE_CRASHED);
}

static bool say(int fd, char *const *words)
{
	bool is_said = true;

	for (size_t i = 0; words[i] != NULL && is_said; i++)
		is_said = dprintf(fd, "%s%s", i == 0 ? "" : " ", words[i]) >= 0;
	return is_said && dprintf(fd, "\n") > 0;
}

int serve_ask(const char *path, char *const *words)
{
	struct timeval patience = { .tv_sec = 10 };
	struct sockaddr_un address;
	int fd = open_socket(path, &address), verdict = 1;
	char line[512];
	FILE *stream;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 || !say(fd, words) ||
	    (stream = fdopen(fd, "r")) == NULL) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	while (fgets(line, sizeof line, stream) != NULL) {
		verdict = strcmp(line, "ok\n") == 0 ? 0 : 1;
		if (verdict != 0)
			fputs(line, stdout);
	}
	fclose(stream);
	return verdict;
}
