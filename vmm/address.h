/* SPDX-License-Identifier: MIT */
/* The address by which a VM is reached from this host. */
#ifndef GPUVM_VMM_ADDRESS_H
#define GPUVM_VMM_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>

#include "vmm/guest.h"
#include "vmm/hv.h"

struct address {
	char text[INET6_ADDRSTRLEN]; /* as inet_ntop(3) writes it; "vsock/3" */
	bool is_ipv6;
	unsigned vsock_cid; /* 0: an IP address */
	const char *source; /* "lease", "agent", "arp" or "vsock". Static */
};

/*
 * The first address of the running domain @uuid that a lease tells, else the guest's agent, else the host's ARP
 * table; IPv6 only if none of them tells an IPv4 address. Loopback, link-local, multicast and unspecified ones do not
 * count, nor those of another MAC than @mac (NULL: any). The agent is asked only if @asks_agent: it can take seconds,
 * and needs HV_WRITE. False if there is none (yet); *@ret is then untouched.
 */
bool address_find(struct hv *hv, const char *uuid, const char *mac, bool asks_agent,
		  struct address *ret);

/*
 * The running @guest's vsock address, which needs no network, if its ssh server listens there: OpenSSH under systemd
 * 256 does by itself (systemd-ssh-generator(8)). False, and *@ret untouched, if none does, or it has no such device.
 */
bool address_of_vsock(const struct guest *guest, struct address *ret);

/*
 * Whether an ssh server answers there at its usual port. Waits 2 s at the most for a connection, 10 s for its greeting:
 * behind a socket of systemd's a server is started for each, and a guest that boots has other things to do.
 */
bool address_has_ssh(const struct address *address);

#endif
