/* SPDX-License-Identifier: MIT */
/* What is kept of the host's long files: the lines that are read, for host_files.c. */
#ifndef GPUVM_TOPO_HOST_FILTER_H
#define GPUVM_TOPO_HOST_FILTER_H

#include "vmm/base/root.h"

/* Each takes a file's text and gives the part to keep, or NULL for nothing. The caller frees. */
char *host_filter_cpuinfo(const struct root *root, const char *text); /* the first processor's */
char *host_filter_meminfo(const struct root *root, const char *text);
char *host_filter_mounts(const struct root *root, const char *text); /* of devices; no options */
char *host_filter_iomem(const struct root *root, const char *text);  /* names, no addresses */
char *host_filter_swaps(const struct root *root, const char *text);  /* of devices */
char *host_filter_route(const struct root *root, const char *text);  /* interfaces, no addresses */
char *host_filter_inet6(const struct root *root, const char *text);  /* likewise */
char *host_filter_vfio(const struct root *root, const char *text);
char *host_filter_pci_ids(const struct root *root,
			  const char *text); /* of functions that are there */
char *host_filter_packages(const struct root *root,
			   const char *text); /* libvirt's, QEMU's, OVMF's */

/* What gpuvm check reads beside. */
char *host_filter_cmdline(const struct root *root, const char *text);
char *host_filter_interrupts(const struct root *root, const char *text); /* kinds of chips */
char *host_filter_config(const struct root *root, const char *text);
char *host_filter_modprobe(const struct root *root, const char *text); /* vfio-pci's options */
char *host_filter_guests(const struct root *root, const char *text);   /* ON_SHUTDOWN */
char *host_filter_group(const struct root *root, const char *text);    /* libvirt, no members */
char *host_filter_status(const struct root *root, const char *text);   /* of libvirt's daemons */
char *host_filter_nvidia(const struct root *root, const char *text);
char *host_filter_fabric(const struct root *root, const char *text);

#endif
