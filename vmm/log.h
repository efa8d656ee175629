/* SPDX-License-Identifier: MIT */
/*
 * The logs of a VM: what its guest wrote on the serial console, and what QEMU said. virtlogd writes both for root
 * alone (0600); whoever is not root reads them through libvirt (hv_log.h).
 */
#ifndef GPUVM_VMM_LOG_H
#define GPUVM_VMM_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/hv.h"

enum log_kind {
	LOG_SERIAL, /* virtlogd renames it at 2 MiB, and begins anew */
	LOG_QEMU,
};

struct log;

/*
 * That of the VM @name in @directory (NULL: DOMXML_LOG_DIRECTORY). While it is open, signals may be held back, as
 * hv_log_open() says. Borrows @hv. Close with log_close().
 */
int log_open(struct hv *hv, const char *directory, const char *name, enum log_kind kind,
	     struct log **ret_log, struct fail *fail);
void log_close(struct log *log);
CLEANUP_DEFINE(log, struct log, log_close)

/* Its path. Borrows. */
const char *log_path(const struct log *log);

/* How much there is now; *@ret_exists false and 0 bytes: nothing, the VM was never started. */
int log_size(struct log *log, uint64_t *ret_bytes, bool *ret_exists, struct fail *fail);

/* Up to @size bytes from @offset; *@ret_count 0 at the end. */
int log_read(struct log *log, uint64_t offset, char *buffer, size_t size, size_t *ret_count,
	     struct fail *fail);

/* Where the last @lines lines begin; 0 if there are no more than those. A last line need not be ended. */
int log_tail(struct log *log, unsigned lines, uint64_t *ret_offset, struct fail *fail);

/*
 * The @length bytes of one line safe to print: terminals' sequences for colours, cursor and titles (ECMA-48 CSI and OSC)
 * and carriage returns at its end left out, tabs kept, all else as text_printable() has it. The caller frees.
 */
char *log_printable(const char *line, size_t length);

/* The last @lines lines of that log, each printable, in one text, or NULL if there are none or they cannot be read.
 * The caller frees. */
char *log_last(struct hv *hv, const char *directory, const char *name, enum log_kind kind,
	       unsigned lines);

#endif
