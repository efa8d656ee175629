/* SPDX-License-Identifier: MIT */
/* What a GPU's fair part of its host is: the defaults of init. */
#ifndef GPUVM_CLI_INIT_SHARE_H
#define GPUVM_CLI_INIT_SHARE_H

#include <stdint.h>

#include "topo/host.h"
#include "topo/place.h"

/* All borrowed. */
struct init_host {
	const struct host *host;
	const struct place_rules *rules;
	const struct place_taken *taken;
};

struct init_share {
	unsigned vcpus; /* at least 1 */
	uint64_t
		memory_bytes; /* at least 256 MiB; a multiple of 2 MiB, or of 1 GiB if it has some */
};

/* Whether words can choose @gpu now: it is offered, and nobody has it. */
bool init_share_is_free(const struct init_host *on, const struct gpu *gpu);

/*
 * Of the CPUs that are free near @gpu (those of the host's and of other VMs left out), and of the memory there (of
 * the kind of pages that there is most of, a sixteenth of normal ones left), the part of one of the GPUs that are
 * free near it. Near is its node; the whole machine if the node is unknown or has no CPU left.
 */
struct init_share init_share_of(const struct init_host *on, const struct gpu *gpu);

/*
 * The same for @count of @gpus: the best single node that has so many of them; else @count times the least that any
 * of them has.
 */
struct init_share init_share_sum(const struct init_host *on, const struct gpu *const *gpus,
				 size_t gpu_count, size_t count);

#endif
