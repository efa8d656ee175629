/* SPDX-License-Identifier: MIT */
/* Lists of CPUs or NUMA nodes as libvirt, hwloc and the kernel write them, from files that anybody wrote. */
#ifndef GPUVM_VMM_CPULIST_H
#define GPUVM_VMM_CPULIST_H

#include <hwloc.h>

/*
 * Reads "0-3,8" (os indexes; "^2" takes one out again, as in libvirt's formatdomain, "cpuset") and adds it
 * to @cpus. Returns NULL, or a static text saying what is wrong and leaves @cpus. A list without an end
 * ("4-") and indexes that no kernel has are wrong.
 */
const char *cpulist_parse(const char *text, hwloc_bitmap_t cpus);

#endif
