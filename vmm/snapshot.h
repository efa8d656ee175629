/* SPDX-License-Identifier: MIT */
/*
 * Snapshots: all that planning reads of a host in one archive (bundle.h), for a bug report or a test. The
 * host's files are at their own paths; what libvirt said is in gpuvm/libvirt.json and, one file per domain in
 * the order of that list, gpuvm/domains/1.xml and so on. Records of GPUs (record.h) are at their own paths too.
 */
#ifndef GPUVM_VMM_SNAPSHOT_H
#define GPUVM_VMM_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"
#include "vmm/hv.h"

/* libvirt's side. */
struct snapshot_libvirt {
	unsigned long libvirt_version, qemu_version; /* as hv_libvirt_version; 0: unknown */
	enum hv_network default_network;             /* the state of the network "default" */
	struct hv_domains *domains;
	uint64_t *
		resident_bytes; /* one per domain, as hv_resident_bytes; 0 for those that are off */
};

/*
 * What the snapshot behind @root says of libvirt; *@ret_libvirt is NULL if it says nothing. FAIL_USAGE if it
 * is malformed: --root named it. Release with snapshot_libvirt_free().
 */
int snapshot_libvirt_read(const struct root *root, struct snapshot_libvirt **ret_libvirt,
			  struct fail *fail);

/* The same, asked of @hv. Fails as hv_domains_read does. */
int snapshot_libvirt_ask(struct hv *hv, struct snapshot_libvirt **ret_libvirt, struct fail *fail);

void snapshot_libvirt_free(struct snapshot_libvirt *libvirt);
CLEANUP_DEFINE(snapshot_libvirt, struct snapshot_libvirt, snapshot_libvirt_free)

/*
 * Writes the host behind @root to the new file @path, with @libvirt unless it is NULL, scrubbed (scrub.h,
 * host_files.h; of a drain's reason nothing is kept). The number of files goes to @ret_count. Fails as bundle_create and bundle_finish do.
 */
int snapshot_write(const struct root *root, const struct snapshot_libvirt *libvirt,
		   const char *path, size_t *ret_count, struct fail *fail);

#endif
