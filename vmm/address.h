/* SPDX-License-Identifier: MIT */
/* The address by which a VM is reached from this host. */
#ifndef GPUVM_VMM_ADDRESS_H
#define GPUVM_VMM_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>

#include "vmm/hv.h"

struct address {
	char text[INET6_ADDRSTRLEN]; /* as inet_ntop(3) writes it */
	bool is_ipv6;
	const char *source; /* "lease", "agent" or "arp". Static */
};

/*
 * The first address of the running domain @uuid that a lease tells, else the guest's agent, else the host's ARP
 * table; IPv6 only if none of them tells an IPv4 address. Loopback, link-local, multicast and unspecified ones do not
 * count, nor those of another MAC than @mac (NULL: any). The agent is asked only if @asks_agent: it can take seconds,
 * and needs HV_WRITE. False if there is none (yet); *@ret is then untouched.
 */
bool address_find(struct hv *hv, const char *uuid, const char *mac, bool asks_agent,
		  struct address *ret);

#endif
