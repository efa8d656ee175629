/* SPDX-License-Identifier: MIT */
/* Memory and huge pages of one NUMA node, as the kernel counts them now. */
#ifndef GPUVM_TOPO_MEMORY_H
#define GPUVM_TOPO_MEMORY_H

#include "topo/machine.h"
#include "vmm/base/root.h"

/*
 * Fills the memory and pages of @node, whose os_index is set; the whole machine's if the kernel knows no
 * nodes. What cannot be read stays 0.
 * Source: Documentation/ABI/stable/sysfs-devices-node (meminfo),
 * Documentation/admin-guide/mm/hugetlbpage.rst.
 */
void memory_read(const struct root *root, struct machine_node *node);

/* Memory of NUMA node @node in bytes, 0 if there is no such node. A machine without nodes has one: 0. */
uint64_t memory_node_bytes(const struct root *root, unsigned node);

#endif
