/* SPDX-License-Identifier: MIT */
/* For unit tests: a guest's ssh port, linked with --wrap=socket and --wrap=connect. The test has sshport_speaks(). */
#ifndef GPUVM_TESTS_SSHPORT_H
#define GPUVM_TESTS_SSHPORT_H

#include <errno.h>
#include <sys/socket.h>

#include <linux/vm_sockets.h>

#include "tests/unit/scratch.h"

/* What a server at @name says first; NULL: nobody listens there. Checks that @name is the guest's. */
static const char *sshport_speaks(const struct sockaddr *name, socklen_t length);

/* How long it takes to say it. */
static unsigned sshport_late_ms;

/* Whether this kernel has vsock. */
static bool sshport_has_vsock = true;

int __wrap_socket(int family, int type, int protocol);
int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol)
{
	if (family == AF_VSOCK && !sshport_has_vsock) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	/* The kernel that the test runs on may have none. */
	return __real_socket(family == AF_VSOCK ? AF_UNIX : family, type, protocol);
}

int __wrap_connect(int fd, const struct sockaddr *name, socklen_t length);
int __wrap_connect(int fd, const struct sockaddr *name, socklen_t length)
{
	const char *words = sshport_speaks(name, length);
	int pair[2];

	if (words == NULL) {
		errno = ECONNREFUSED;
		return -1;
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	if (sshport_late_ms == 0 || fork() == 0) {
		usleep(sshport_late_ms * 1000);
		assert_int_equal(write(pair[1], words, strlen(words)), strlen(words));
		if (sshport_late_ms != 0)
			_exit(0);
	}
	assert_int_equal(dup2(pair[0], fd), fd);
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static inline void sshport_is_vsock(const struct sockaddr *name, socklen_t length, unsigned cid)
{
	const struct sockaddr_vm *vsock = (const struct sockaddr_vm *)name;

	assert_int_equal(length, sizeof *vsock);
	assert_int_equal(vsock->svm_family, AF_VSOCK);
	assert_int_equal(vsock->svm_cid, cid);
	assert_int_equal(vsock->svm_port, 22);
}

#endif
