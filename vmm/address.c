// SPDX-License-Identifier: MIT
#include "vmm/address.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "vmm/hv_address.h"

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
