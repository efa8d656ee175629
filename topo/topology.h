/* SPDX-License-Identifier: MIT */
/* hwloc's view of the host behind a root, and nothing of the machine that this runs on. */
#ifndef GPUVM_TOPO_TOPOLOGY_H
#define GPUVM_TOPO_TOPOLOGY_H

#include <hwloc.h>
#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"

/*
 * Loads with hwloc's linux component alone, CPUs outside this process's cgroup included, and with every PCI
 * function and room for Misc objects if @with_all. NULL if hwloc finds nothing. Changes the environment for the time of the call, so
 * no other thread may use it. Destroy with hwloc_topology_destroy().
 * Source: hwloc 2.9, hwloc.h and "Environment Variables" of its manual.
 */
hwloc_topology_t topology_load(const struct root *root, bool with_all);

static inline void topology_cleanup(hwloc_topology_t *topology)
{
	if (*topology != NULL)
		hwloc_topology_destroy(*topology);
}

static inline void bitmap_cleanup(hwloc_bitmap_t *bitmap)
{
	hwloc_bitmap_free(*bitmap);
}

#endif
