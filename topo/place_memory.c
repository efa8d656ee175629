// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include "vmm/base/size.h"

uint64_t place_memory_fixed(const struct place_request *request)
{
	switch (request->hugepages) {
	case PLACE_PAGES_AUTO:
	case PLACE_PAGES_NO:
		return 0;
	case PLACE_PAGES_2_MIB:
		return 2 * SIZE_MIB;
	case PLACE_PAGES_1_GIB:
		return SIZE_GIB;
	}
	return 0;
}

static uint64_t minus(uint64_t from, uint64_t bytes)
{
	return from > bytes ? from - bytes : 0;
}

uint64_t place_memory_promised(const struct place_view *view, size_t node, uint64_t page_bytes)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < view->taken->memory_count; i++) {
		const struct place_taken_memory *taken = &view->taken->memory[i];

		if (taken->node == view->machine->nodes[node].os_index &&
		    taken->page_bytes == page_bytes)
			bytes += taken->bytes;
	}
	return bytes;
}

uint64_t place_memory_normal(const struct place_view *view, size_t node)
{
	const struct machine_node *from = &view->machine->nodes[node];
	uint64_t bytes = from->memory_total_bytes;

	if (!view->empty)
		return from->memory_available_bytes;
	/* Freeing VMs does not shrink the administrator's hugepage pools. */
	for (size_t i = 0; i < from->page_count; i++)
		bytes = minus(bytes, from->pages[i].total * from->pages[i].page_bytes);
	return bytes;
}

uint64_t place_memory_room(const struct place_view *view, size_t node, uint64_t page_bytes)
{
	uint64_t promised = place_memory_promised(view, node, page_bytes);
	uint64_t normal = minus(place_memory_normal(view, node),
				place_memory_promised(view, node, 0));
	const struct machine_pages *pages;

	if (page_bytes == 0)
		return minus(normal, place_rules_reserve(view));
	pages = machine_node_pages(&view->machine->nodes[node], page_bytes);
	if (pages == NULL || normal < PLACE_OVERHEAD_BYTES)
		return 0;
	return minus((view->empty ? pages->total : pages->free) * page_bytes, promised);
}

uint64_t place_memory_most(const struct place_view *view, size_t node, uint64_t unit_bytes)
{
	const uint64_t sizes[] = { SIZE_GIB, 2 * SIZE_MIB, 0 };
	uint64_t fixed = place_memory_fixed(view->request);
	uint64_t most = 0;

	if (fixed != 0)
		return place_memory_room(view, node, fixed);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint64_t room;

		if (view->request->hugepages == PLACE_PAGES_NO && sizes[i] != 0)
			continue;
		if (sizes[i] != 0 && unit_bytes % sizes[i] != 0)
			continue;
		room = place_memory_room(view, node, sizes[i]);
		most = room > most ? room : most;
	}
	return most;
}

bool place_memory_pick(const struct place_view *view, size_t node, uint64_t bytes,
		       uint64_t *ret_page_bytes)
{
	const uint64_t sizes[] = { SIZE_GIB, 2 * SIZE_MIB, 0 };
	uint64_t fixed = place_memory_fixed(view->request);

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		if (fixed != 0 && sizes[i] != fixed)
			continue;
		if (view->request->hugepages == PLACE_PAGES_NO && sizes[i] != 0)
			continue;
		if (sizes[i] != 0 && bytes % sizes[i] != 0)
			continue;
		if (place_memory_room(view, node, sizes[i]) < bytes)
			continue;
		*ret_page_bytes = sizes[i];
		return true;
	}
	return false;
}
