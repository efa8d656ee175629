/* SPDX-License-Identifier: MIT */
/* What this host can do for the I/O of a VM's disks. */
#ifndef GPUVM_TOPO_BACKING_H
#define GPUVM_TOPO_BACKING_H

#include <stdbool.h>

#include "vmm/base/root.h"

/*
 * The type of the file system that the absolute @path, without links in it, is on: that of the innermost mount
 * point above it, the last mounted of those of one name. NULL: unknown. The caller frees.
 * Source: /proc/self/mountinfo (proc_pid_mountinfo(5)).
 */
char *backing_filesystem(const struct root *root, const char *path);

/*
 * Whether files on a file system of @type can be opened with O_DIRECT on every kernel, which cache=none needs.
 * NULL and types not known to lack it count as such that can. Source: open(2), O_DIRECT; tmpfs takes it from
 * Linux 6.6 on and gains nothing by it (mm/shmem.c), 9p as its cache option says.
 */
bool backing_is_direct(const char *type);

/*
 * Whether QEMU, which runs without privileges, may use io_uring as far as the kernel goes. Source: Linux
 * Documentation/admin-guide/sysctl/kernel.rst, io_uring_disabled (from 6.6 on; not there: allowed).
 */
bool backing_has_io_uring(const struct root *root);

#endif
