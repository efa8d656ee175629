/* SPDX-License-Identifier: MIT */
/*
 * What libvirt knows of a domain's IP addresses. Source: libvirt 9.0 API reference, virDomainInterfaceAddresses.
 */
#ifndef GPUVM_VMM_HV_ADDRESS_H
#define GPUVM_VMM_HV_ADDRESS_H

#include <stddef.h>

#include "vmm/hv.h"

/* Whom libvirt asks. */
enum hv_address_source {
	HV_ADDRESS_LEASE, /* the DHCP server of a network of libvirt's own */
	HV_ADDRESS_AGENT, /* the guest, which may say anything; waits for it; needs HV_WRITE */
	HV_ADDRESS_ARP,   /* the host's kernel: who was heard of lately */
	HV_ADDRESS_SOURCES,
};

/* As it was told, unchecked. Each may be NULL. */
struct hv_address {
	char *text; /* without prefix length */
	char *mac;
};

struct hv_addresses {
	struct hv_address *addresses;
	size_t count;
};

/* Never NULL: empty if @source knows none, or cannot be asked. Release with hv_addresses_free(). */
struct hv_addresses *hv_addresses_read(struct hv *hv, const char *uuid,
				       enum hv_address_source source);
void hv_addresses_free(struct hv_addresses *addresses);
CLEANUP_DEFINE(hv_addresses, struct hv_addresses, hv_addresses_free)

#endif
