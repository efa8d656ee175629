/* SPDX-License-Identifier: MIT */
/*
 * Who has PCI functions at this moment: active libvirt domains, starts under way, processes with VFIO open.
 * For those who are about to give a function to the host, or to say that it is not where it was.
 */
#ifndef GPUVM_VMM_TAKER_H
#define GPUVM_VMM_TAKER_H

#include <stdbool.h>
#include <stddef.h>

#include "topo/device.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"
#include "vmm/hv.h"

struct taker_list {
	/* A domain's functions one by one; of a claim and a process any function of the slot counts. */
	char (*functions)[DEVICE_ADDRESS_BYTES];
	size_t function_count;
	char (*slots)[DEVICE_ADDRESS_BYTES];
	size_t slot_count;
	bool is_complete; /* false: libvirt did not tell, or a domain cannot be read */
};

/*
 * Asks @hv; if that is NULL, @domains counts, as read before (NULL: none). The domain @except has none
 * (a UUID, may be NULL), nor has the caller's own start of it. @lease_directory as in lease.h. Processes as far as the caller may see their files.
 * Cannot fail. Release with taker_list_free().
 */
struct taker_list *taker_list_read(const struct root *root, struct hv *hv,
				   const struct hv_domains *domains, const char *lease_directory,
				   const char *except);
void taker_list_free(struct taker_list *list);
CLEANUP_DEFINE(taker_list, struct taker_list, taker_list_free)

/* Whether somebody has the function at @address. */
bool taker_has(const struct taker_list *list, const char *address);

#endif
