// SPDX-License-Identifier: MIT
#include "vmm/hv_address.h"

#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/hv_internal.h"

enum {
	MOST_INTERFACES = 64, /* a guest may invent any number */
	MOST_ADDRESSES = 64,  /* of one interface */
};

static unsigned source_of(enum hv_address_source source)
{
	switch (source) {
	case HV_ADDRESS_AGENT:
		return VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT;
	case HV_ADDRESS_ARP:
		return VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP;
	case HV_ADDRESS_LEASE:
	case HV_ADDRESS_SOURCES:
		break;
	}
	return VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE;
}

static void add_interface(struct hv_addresses *addresses, const virDomainInterface *interface)
{
	for (unsigned i = 0; i < interface->naddrs && i < MOST_ADDRESSES; i++) {
		struct hv_address *address = MEM_APPEND(addresses->addresses, addresses->count);

		address->text = mem_strdup(interface->addrs[i].addr);
		address->mac = mem_strdup(interface->hwaddr);
	}
}

struct hv_addresses *hv_addresses_read(struct hv *hv, const char *uuid,
				       enum hv_address_source source)
{
	CLEANUP(vir_domain) virDomainPtr domain = virDomainLookupByUUIDString(hv->connection, uuid);
	struct hv_addresses *addresses = mem_alloc(1, sizeof *addresses);
	virDomainInterfacePtr *interfaces = NULL;
	int count = domain == NULL ? -1
				   : virDomainInterfaceAddresses(domain, &interfaces,
								 source_of(source), 0);

	for (int i = 0; i < count; i++) {
		if (i < MOST_INTERFACES)
			add_interface(addresses, interfaces[i]);
		virDomainInterfaceFree(interfaces[i]);
	}
	free(interfaces);
	return addresses;
}

void hv_addresses_free(struct hv_addresses *addresses)
{
	if (addresses == NULL)
		return;
	for (size_t i = 0; i < addresses->count; i++) {
		free(addresses->addresses[i].text);
		free(addresses->addresses[i].mac);
	}
	free(addresses->addresses);
	free(addresses);
}
