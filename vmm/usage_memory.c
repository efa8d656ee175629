// SPDX-License-Identifier: MIT
#include "vmm/usage_memory.h"

#include "vmm/base/mem.h"
#include "vmm/base/size.h"

/* Of normal pages, which alone can be left to be taken when they are first written. */
static uint64_t promised_bytes(const struct guest *guest)
{
	uint64_t bytes = 0;

	for (size_t i = 0; !guest->allocates_at_start && i < guest->memory_count; i++)
		if (guest->memory[i].page_bytes == 0)
			bytes += guest->memory[i].bytes;
	return bytes;
}

bool usage_memory_grows(const struct guest *guest)
{
	return promised_bytes(guest) > 0;
}

static bool may_lie_on(const struct guest_memory *part, const struct machine_node *node)
{
	if (node->memory_total_bytes == 0)
		return false;
	return hwloc_bitmap_iszero(part->nodes) || hwloc_bitmap_isset(part->nodes, node->os_index);
}

static uint64_t round_up(uint64_t bytes, uint64_t step)
{
	return (bytes + step - 1) / step * step;
}

static void spread(const struct guest_memory *part, uint64_t bytes, const struct machine *machine,
		   const char *holder, struct place_taken_memory **memory, size_t *count)
{
	uint64_t nodes = 0;

	for (size_t i = 0; i < machine->node_count; i++)
		nodes += may_lie_on(part, &machine->nodes[i]);
	for (size_t i = 0; bytes > 0 && i < machine->node_count; i++)
		if (may_lie_on(part, &machine->nodes[i]))
			*MEM_APPEND(*memory, *count) = (struct place_taken_memory){
				.node = machine->nodes[i].os_index,
				.page_bytes = part->page_bytes,
				.bytes = round_up(bytes / nodes, part->page_bytes == 0
									 ? 4 * SIZE_KIB
									 : part->page_bytes),
				.holder = holder
			};
}

void usage_memory_add(const struct guest *guest, bool is_starting, uint64_t resident_bytes,
		      const struct machine *machine, const char *holder,
		      struct place_taken_memory **memory, size_t *count)
{
	uint64_t promised = promised_bytes(guest);
	uint64_t missing = resident_bytes < promised ? promised - resident_bytes : 0;

	for (size_t i = 0; i < guest->memory_count; i++) {
		const struct guest_memory *part = &guest->memory[i];

		if (is_starting)
			spread(part, part->bytes, machine, holder, memory, count);
		else if (missing > 0 && part->page_bytes == 0)
			/* Nobody knows which part is resident: each as much as the whole. */
			spread(part,
			       (uint64_t)((double)part->bytes / (double)promised * (double)missing),
			       machine, holder, memory, count);
	}
}
