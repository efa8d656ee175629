// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"

static const struct place_taken nothing;

static void gather_memory(struct place_view *view)
{
	const uint64_t sizes[] = { SIZE_GIB, 2 * SIZE_MIB, 0 };
	size_t count = view->machine->node_count;

	view->open_bytes = mem_alloc(count, sizeof *view->open_bytes);
	view->most_bytes[0] = mem_alloc(count, sizeof *view->most_bytes[0]);
	view->most_bytes[1] = mem_alloc(count, sizeof *view->most_bytes[1]);
	for (size_t node = 0; node < count; node++) {
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
			view->open_bytes[node] += place_memory_room(view, node, sizes[i]);
		view->most_bytes[0][node] = place_memory_most(view, node, SIZE_GIB);
		view->most_bytes[1][node] = place_memory_most(view, node, 2 * SIZE_MIB);
	}
}

struct place_view *place_view_new(const struct place_request *request, const struct host *host,
				  const struct place_taken *taken, bool empty)
{
	struct place_view *view = mem_alloc(1, sizeof *view);

	view->request = request;
	view->rules = place_rules_of(request);
	view->host = host;
	view->machine = host->machine;
	view->taken = empty ? &nothing : taken;
	view->empty = empty;
	place_cpus_gather(view);
	gather_memory(view);
	place_gpus_gather(view);
	return view;
}

void place_view_free(struct place_view *view)
{
	if (view == NULL)
		return;
	place_gpus_done(view);
	place_cpus_done(view);
	free(view->open_bytes);
	free(view->most_bytes[0]);
	free(view->most_bytes[1]);
	free(view);
}

enum place_width place_view_widest(const struct place_view *view)
{
	switch (view->request->policy) {
	case PLACE_REQUIRED:
		return PLACE_OWN_UNION;
	case PLACE_SOCKET:
		return PLACE_PACKAGE;
	case PLACE_PREFERRED:
		return PLACE_ANYWHERE;
	}
	return PLACE_OWN_UNION;
}
