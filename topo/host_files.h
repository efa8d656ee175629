/* SPDX-License-Identifier: MIT */
/*
 * The files that tell what a host is: everything that is read of it behind a root, and nothing else. The one
 * list of them, so what a snapshot holds and what a reader needs are compared here.
 */
#ifndef GPUVM_TOPO_HOST_FILES_H
#define GPUVM_TOPO_HOST_FILES_H

#include <stddef.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"

enum host_file_kind {
	HOST_FILE,
	HOST_LINK,
	HOST_FOLDER, /* that it exists is what counts */
};

struct host_file {
	enum host_file_kind kind;
	char *path;    /* below the root, through no link: "sys/devices/pci0000:16/..." */
	char *bytes;   /* a file's content, a link's target, NULL for a folder */
	size_t length; /* of a file */
};

struct host_files {
	struct host_file *files; /* by path, each path once */
	size_t count;
};

/*
 * Reads them behind @root; what cannot be read is left out, and so is what lies outside @root. Of long files
 * only the lines that are read. UUIDs and MAC addresses are blanked; none of the files holds a serial number.
 * Cannot fail. Release with host_files_free().
 */
struct host_files *host_files_read(const struct root *root);
void host_files_free(struct host_files *files);
CLEANUP_DEFINE(host_files, struct host_files, host_files_free)

#endif
