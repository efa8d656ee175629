/* SPDX-License-Identifier: MIT */
/* What the host's package database has installed: dpkg's; hosts with another one tell nothing here. */
#ifndef GPUVM_BASE_PACKAGE_H
#define GPUVM_BASE_PACKAGE_H

#include "vmm/base/root.h"

#define PACKAGE_DATABASE "/var/lib/dpkg/status"

/* The version of @package behind @root ("1:7.2+dfsg-7+deb12u18", deb-control(5)), or NULL. Printable. The caller
 * frees. */
char *package_version(const struct root *root, const char *package);

/* The upstream part of @version as libvirt counts, 7002000 for the above (libvirt API reference, virGetVersion);
 * 0 for NULL and for what is no version. */
unsigned long package_number(const char *version);

#endif
