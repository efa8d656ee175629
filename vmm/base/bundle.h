/* SPDX-License-Identifier: MIT */
/*
 * Archives of files (tar, gzip): written from pieces in memory, and unpacked although somebody else wrote
 * them. The only file that includes libarchive's headers.
 */
#ifndef GPUVM_BASE_BUNDLE_H
#define GPUVM_BASE_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"

/* What bundle_unpack() lets through: far more than the largest host's, far less than a disk. */
#define BUNDLE_MOST_ENTRIES ((size_t)1 << 20)
#define BUNDLE_MOST_BYTES   ((size_t)256 << 20) /* of all contents */
#define BUNDLE_MOST_PATH    ((size_t)1024)

/*
 * Unpacks the archive at @path into the existing, empty @dir. Only regular files, directories and symbolic
 * links, none of which leads out of @dir; nothing is executable or anybody else's. FAIL_USAGE if it is no
 * archive or holds anything else; @dir may then hold part of it.
 */
int bundle_unpack(const char *path, const char *dir, struct fail *fail);

struct bundle; /* being written */

/*
 * Creates @path, which must not exist, readable by the caller alone. FAIL_USAGE if it cannot be created.
 * The same pieces in the same order give the same bytes. Paths are relative; parents need not be added.
 */
int bundle_create(const char *path, struct bundle **ret_bundle, struct fail *fail);
void bundle_add_file(struct bundle *bundle, const char *path, const char *bytes, size_t length);
void bundle_add_link(struct bundle *bundle, const char *path, const char *target);
void bundle_add_folder(struct bundle *bundle, const char *path);

/* Ends the archive. FAIL_FAIL if anything could not be written; the file is then removed. */
int bundle_finish(struct bundle *bundle, struct fail *fail);

/* Removes what is not finished. */
void bundle_free(struct bundle *bundle);
CLEANUP_DEFINE(bundle, struct bundle, bundle_free)

#endif
