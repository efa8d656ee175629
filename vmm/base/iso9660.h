/* SPDX-License-Identifier: MIT */
/*
 * A small disk image with files in it, for a guest to read: ISO 9660 with Rock Ridge and Joliet, written by
 * libarchive (archive_write_set_options(3), "Format iso9660"; on its way it passes an unnamed file in $TMPDIR).
 */
#ifndef GPUVM_BASE_ISO9660_H
#define GPUVM_BASE_ISO9660_H

#include <stddef.h>

#include "vmm/base/fail.h"

/* Texts are borrowed. */
struct iso9660_file {
	const char *name; /* of a file in the top folder */
	const void *bytes;
	size_t length;
};

/*
 * An image labelled @label with the @count @files, all dated 1980: same files, same bytes, as long as libarchive is
 * the same. FAIL_FAIL with libarchive's words. The caller frees *@ret_bytes.
 */
int iso9660_build(const char *label, const struct iso9660_file *files, size_t count,
		  unsigned char **ret_bytes, size_t *ret_length, struct fail *fail);

#endif
