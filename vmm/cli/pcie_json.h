/* SPDX-License-Identifier: MIT */
/* GPUs and the PCIe tree as `gpus` and `topo` both tell them. */
#ifndef GPUVM_CLI_PCIE_JSON_H
#define GPUVM_CLI_PCIE_JSON_H

#include <jansson.h>

#include "topo/pcie.h"
#include "topo/place.h"

/* "free", "held", "drained", "quarantined" or "not offered". Static. */
const char *pcie_json_state(const struct gpu *gpu, const struct place_taken *taken);

/* Who holds @gpu, or whom it is held for; NULL in any state but "held". Borrows from @taken. */
const char *pcie_json_holder(const struct gpu *gpu, const struct place_taken *taken);

/* Speeds in GT/s and widths, now and at most, each null if unknown. @node may be NULL. New reference. */
json_t *pcie_json_link(const struct pcie_node *node);

/* Name and role of each node above @node, from the root bus down; empty for NULL. New reference. */
json_t *pcie_json_path(const struct pcie *pcie, const struct pcie_node *node);

/* The tree: an array of root buses, each node with its children. New reference. */
json_t *pcie_json_tree(const struct pcie *pcie, const struct host *host,
		       const struct place_taken *taken);

#endif
