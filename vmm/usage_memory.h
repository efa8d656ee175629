/* SPDX-License-Identifier: MIT */
/* Memory that a running domain was promised and has not taken yet: the host still shows it as free. */
#ifndef GPUVM_VMM_USAGE_MEMORY_H
#define GPUVM_VMM_USAGE_MEMORY_H

#include <stdint.h>

#include "topo/machine.h"
#include "topo/place.h"
#include "vmm/guest.h"

/* Whether what an active domain has @taken is worth asking for: else all is, or nothing. */
bool usage_memory_grows(const struct guest *guest);

/*
 * Appends to (*memory, *count) what @guest has yet to take, by node: all of it while it @is_starting, else
 * what exceeds @resident_bytes, huge pages not counted in it. It is spread evenly over the nodes of @machine
 * that it is bound to, or over all. Borrows @holder.
 */
void usage_memory_add(const struct guest *guest, bool is_starting, uint64_t resident_bytes,
		      const struct machine *machine, const char *holder,
		      struct place_taken_memory **memory, size_t *count);

#endif
