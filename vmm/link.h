/* SPDX-License-Identifier: MIT */
/* A GPU's PCIe link against what it and its port are capable of. */
#ifndef GPUVM_VMM_LINK_H
#define GPUVM_VMM_LINK_H

#include "topo/pcie.h"
#include "vmm/finding.h"

enum link_measure {
	LINK_WIDTH, /* too few lanes: failed */
	LINK_SPEED, /* too slow: a warning */
};

/* Adds one row for the link of @gpu; a note if it has none. Borrows. */
void link_judge(const struct pcie *pcie, const struct gpu *gpu, enum link_measure which,
		struct findings *findings);

#endif
