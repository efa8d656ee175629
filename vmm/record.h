/* SPDX-License-Identifier: MIT */
/*
 * What is kept of a GPU while no process lives that could remember it: that it is held for a VM which is
 * off, that it is drained, that it is quarantined. One JSON file for each, named by the GPU's address, in
 * RECORD_DIRECTORY/held, /drained and /quarantined below a root. Every member of the group libvirt may write
 * there, so a file is never followed, never waited for, read up to a limit, and believed only if it is what
 * gpuvm writes. Writers take turns by a lock on the directory and replace a file as a whole (rename(2)).
 */
#ifndef GPUVM_VMM_RECORD_H
#define GPUVM_VMM_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "topo/device.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"

#define RECORD_DIRECTORY "/var/lib/gpuvm"

enum record_kind {
	RECORD_HELD,    /* for the VM with this UUID, and only while libvirt defines it (held.h) */
	RECORD_DRAINED, /* takes no new VM, until somebody ends it */
	RECORD_QUARANTINED, /* takes no VM until it answers again (quarantine.h) */
	RECORD_KINDS,
};

/* A function of the GPU and the driver that it was on before the VM. */
struct record_function {
	char address[DEVICE_ADDRESS_BYTES];
	char *driver; /* NULL: none */
};

/* Texts are printable and may be NULL, except as said. */
struct record {
	enum record_kind kind;
	char address[DEVICE_ADDRESS_BYTES]; /* the GPU's */
	char *problem; /* why the file cannot be believed; NULL: it can. All else is then unknown */
	bool is_damaged; /* the problem is the file, not the caller's rights */
	bool is_stale;   /* a hold that is worth nothing any more: held_judge() */
	char *vm, *uuid; /* held: set. Quarantined: the VM that had it */
	char *section;   /* held: the spec's section that asked for it, "[gpu]" */
	char *user;      /* held: the VM's owner; else who caused it */
	unsigned uid;
	int64_t since;                     /* seconds since 1970, UTC; 0: unknown */
	char *reason;                      /* drained: as given. Quarantined: what was seen */
	struct record_function *functions; /* quarantined */
	size_t function_count;
};

struct record_list {
	struct record *records; /* by kind */
	size_t count;
};

/* "held", "drained", "quarantined": its directory, and its name in JSON. */
const char *record_kind_name(enum record_kind kind);

/*
 * All records below @root. Needs no rights to write; directories that cannot be read, or are missing, hold
 * none. A file that cannot be believed is listed all the same. Cannot fail. Release with record_list_free().
 */
struct record_list *record_scan(const struct root *root);
void record_list_free(struct record_list *list);
CLEANUP_DEFINE(record_list, struct record_list, record_list_free)

/* Releases what @record holds, not itself. */
void record_done(struct record *record);

/* The record of @kind for the GPU at @address, or NULL. Borrows. */
const struct record *record_find(const struct record_list *list, enum record_kind kind,
				 const char *address);

/* Whether the caller can keep records: FAIL_HOST with the command if a directory is missing or forbidden. */
int record_check(const struct root *root, struct fail *fail);

/*
 * Writes @record in the place of the one before, on disk when it returns. Removes what writers that were
 * killed have left. FAIL_HOST if the directory is missing or forbidden, FAIL_BUSY if somebody keeps it locked.
 */
int record_write(const struct root *root, const struct record *record, struct fail *fail);

/*
 * Removes the file of @record, whatever it is by now; if @record can be believed, only if it still says the
 * same. Success too if there is none. Fails as record_write() does.
 */
int record_remove(const struct root *root, const struct record *record, struct fail *fail);

/* Removes what writers that were killed have left. How many there were; 0 too if the caller may not. */
size_t record_sweep(const struct root *root);

#endif
