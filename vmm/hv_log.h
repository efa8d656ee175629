/* SPDX-License-Identifier: MIT */
/*
 * Files of a folder that only root may read, by libvirt's daemon: a pool of the type "dir" on the folder, which lasts
 * as long as somebody reads, and virStorageVolDownload. Needs HV_WRITE, so whoever may do this may do all else too.
 * Sources: libvirt 9.0 API reference (libvirt-storage, libvirt-stream); tried as a member of group libvirt.
 */
#ifndef GPUVM_VMM_HV_LOG_H
#define GPUVM_VMM_HV_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/hv.h"

struct hv_log;

/*
 * The folder @directory. libvirt takes one pool to a folder: if another reader has one there, that is used, and what a
 * killed one left is replaced. Until hv_log_close() the signals that end a process (INT, TERM, HUP, PIPE) are
 * held back, so that the pool does not stay. Borrows @hv.
 */
int hv_log_open(struct hv *hv, const char *directory, struct hv_log **ret_log, struct fail *fail);
void hv_log_close(struct hv_log *log);
CLEANUP_DEFINE(hv_log, struct hv_log, hv_log_close)

/* Bytes of the file @name now. *@ret_exists is false, and *@ret_bytes 0, if there is none. */
int hv_log_size(struct hv_log *log, const char *name, uint64_t *ret_bytes, bool *ret_exists,
		struct fail *fail);

/* Up to @size bytes of it from @offset, which must not be beyond its end; *@ret_count is less at its end. */
int hv_log_read(struct hv_log *log, const char *name, uint64_t offset, char *buffer, size_t size,
		size_t *ret_count, struct fail *fail);

#endif
