// SPDX-License-Identifier: MIT
#include "vmm/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "vmm/base/text.h"
#include "vmm/hv_address.h"

enum {
	CONNECT_MS = 2000,
	GREETING_MS = 10000, /* a busy guest makes a process for it first */
	SSH_PORT = 22,
};

static const char *const sources[HV_ADDRESS_SOURCES] = {
	[HV_ADDRESS_LEASE] = "lease",
	[HV_ADDRESS_AGENT] = "agent",
	[HV_ADDRESS_ARP] = "arp",
};

/* RFC 6890: loopback, "this network", link-local, multicast and reserved. */
static bool is_reachable_4(const struct in_addr *address)
{
	uint32_t number = ntohl(address->s_addr);

	return number >> 24 != 0 && number >> 24 != 127 && number >> 16 != 0xa9fe &&
	       number >> 28 < 0xe;
}

static bool is_reachable_6(const struct in6_addr *address)
{
	return !IN6_IS_ADDR_LOOPBACK(address) && !IN6_IS_ADDR_UNSPECIFIED(address) &&
	       !IN6_IS_ADDR_LINKLOCAL(address) && !IN6_IS_ADDR_MULTICAST(address) &&
	       !IN6_IS_ADDR_V4MAPPED(address);
}

/* What a guest says is an address only if it reads as one. */
static bool read_address(const struct hv_address *told, const char *mac, const char *source,
			 struct address *ret)
{
	struct address address = { .source = source };
	struct in_addr four;
	struct in6_addr six;

	if (told->text == NULL ||
	    (mac != NULL && told->mac != NULL && strcasecmp(mac, told->mac) != 0))
		return false;
	if (inet_pton(AF_INET, told->text, &four) == 1) {
		if (!is_reachable_4(&four))
			return false;
		inet_ntop(AF_INET, &four, address.text, sizeof address.text);
	} else if (inet_pton(AF_INET6, told->text, &six) == 1) {
		if (!is_reachable_6(&six))
			return false;
		inet_ntop(AF_INET6, &six, address.text, sizeof address.text);
		address.is_ipv6 = true;
	} else {
		return false;
	}
	*ret = address;
	return true;
}

bool address_find(struct hv *hv, const char *uuid, const char *mac, bool asks_agent,
		  struct address *ret)
{
	bool found = false;

	for (int source = 0; source < HV_ADDRESS_SOURCES; source++) {
		CLEANUP(hv_addresses) struct hv_addresses *told = NULL;

		if (source == HV_ADDRESS_AGENT && !asks_agent)
			continue;
		told = hv_addresses_read(hv, uuid, (enum hv_address_source)source);
		for (size_t i = 0; i < told->count; i++) {
			struct address address;

			if (!read_address(&told->addresses[i], mac, sources[source], &address))
				continue;
			if (!found || !address.is_ipv6)
				*ret = address;
			found = true;
			if (!address.is_ipv6)
				return true;
		}
	}
	return found;
}

static socklen_t socket_address(const struct address *address, struct sockaddr_storage *ret)
{
	struct sockaddr_in *four = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
	struct sockaddr_vm *vsock = (struct sockaddr_vm *)ret;

	*ret = (struct sockaddr_storage){ 0 };
	if (address->vsock_cid != 0) {
		vsock->svm_family = AF_VSOCK;
		vsock->svm_port = SSH_PORT;
		vsock->svm_cid = address->vsock_cid;
		return sizeof *vsock;
	}
	if (address->is_ipv6) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(SSH_PORT);
		inet_pton(AF_INET6, address->text, &six->sin6_addr);
		return sizeof *six;
	}
	four->sin_family = AF_INET;
	four->sin_port = htons(SSH_PORT);
	inet_pton(AF_INET, address->text, &four->sin_addr);
	return sizeof *four;
}

static bool comes(int fd, short events, int patience_ms)
{
	struct pollfd wanted = { .fd = fd, .events = events };

	return poll(&wanted, 1, patience_ms) == 1;
}

/* By its first words (RFC 4253, 4.2). */
bool address_has_ssh(const struct address *address)
{
	struct sockaddr_storage name;
	socklen_t length = socket_address(address, &name);
	CLEANUP(fd) int fd = socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char words[5] = "";

	if (fd < 0 || (connect(fd, (struct sockaddr *)&name, length) < 0 && errno != EINPROGRESS))
		return false;
	return comes(fd, POLLOUT, CONNECT_MS) && comes(fd, POLLIN, GREETING_MS) &&
	       recv(fd, words, 4, 0) == 4 && text_equal(words, "SSH-");
}

bool address_of_vsock(const struct guest *guest, struct address *ret)
{
	struct address address = { .vsock_cid = guest->vsock_cid, .source = "vsock" };

	if (guest->vsock_cid == 0)
		return false;
	snprintf(address.text, sizeof address.text, "vsock/%u", guest->vsock_cid);
	if (!address_has_ssh(&address))
		return false;
	*ret = address;
	return true;
}
