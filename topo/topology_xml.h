/* SPDX-License-Identifier: MIT */
/* The machine as hwloc's XML, with who holds what, for `lstopo -i FILE`. */
#ifndef GPUVM_TOPO_TOPOLOGY_XML_H
#define GPUVM_TOPO_TOPOLOGY_XML_H

#include "topo/host.h"
#include "topo/place.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"

/*
 * The topology behind @root with all PCI functions. What @taken names gets the info "VM" with its holder and a
 * colour of its own (lstopoStyle), and each holder is a Misc object where its CPUs are and at each of its
 * functions. Functions get their pci.ids names from @host, @host_cpus the info "gpuvm" = "host".
 * FAIL_FAIL if hwloc finds nothing or cannot export. The caller frees.
 * Source: hwloc 2.9, export.h; lstopo(1), "CUSTOM COLORS".
 */
int topology_xml(const struct root *root, const struct host *host, const struct place_taken *taken,
		 hwloc_const_bitmap_t host_cpus, char **ret_xml, struct fail *fail);

#endif
