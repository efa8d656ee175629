// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"

static const struct place_taken nothing;

static int kind_descending(const void *a, const void *b)
{
	int left = *(const int *)a;
	int right = *(const int *)b;

	return (left < right) - (left > right);
}

static void gather_kinds(struct place_view *view)
{
	const struct machine *machine = view->machine;
	int *kinds = mem_alloc(machine->cpu_count, sizeof *kinds);
	size_t count = 0;

	for (size_t i = 0; i < machine->cpu_count; i++)
		if (machine->cpus[i].usable)
			kinds[count++] = machine->cpus[i].kind;
	qsort(kinds, count, sizeof *kinds, kind_descending);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || kinds[i] != kinds[i - 1])
			kinds[view->kind_count++] = kinds[i];
	view->kinds = kinds;
}

static void gather_free_cpus(struct place_view *view)
{
	const struct machine *machine = view->machine;

	view->free_cpus = hwloc_bitmap_alloc();
	for (size_t i = 0; i < machine->cpu_count; i++)
		if (machine->cpus[i].usable)
			hwloc_bitmap_set(view->free_cpus, machine->cpus[i].os_index);
	for (size_t node = 0; node < machine->node_count; node++) {
		hwloc_bitmap_t own = place_host_cpus(machine, node);

		hwloc_bitmap_andnot(view->free_cpus, view->free_cpus, own);
		hwloc_bitmap_free(own);
	}
	for (size_t i = 0; i < view->taken->cpus_count; i++)
		hwloc_bitmap_andnot(view->free_cpus, view->free_cpus, view->taken->cpus[i].cpus);
}

static void gather_cpus(struct place_view *view)
{
	const struct machine *machine = view->machine;

	gather_kinds(view);
	gather_free_cpus(view);
	view->kind_cpus = mem_alloc(view->kind_count + 1, sizeof *view->kind_cpus);
	for (size_t kind = 0; kind < view->kind_count; kind++) {
		view->kind_cpus[kind] = hwloc_bitmap_alloc();
		for (size_t i = 0; i < machine->cpu_count; i++)
			if (machine->cpus[i].kind == view->kinds[kind] &&
			    hwloc_bitmap_isset(view->free_cpus, machine->cpus[i].os_index))
				hwloc_bitmap_set(view->kind_cpus[kind], machine->cpus[i].os_index);
	}
	view->kind_cpus[view->kind_count] = hwloc_bitmap_dup(view->free_cpus);
}

struct place_view *place_view_new(const struct place_request *request, const struct host *host,
				  const struct place_taken *taken, bool empty)
{
	struct place_view *view = mem_alloc(1, sizeof *view);

	view->request = request;
	view->host = host;
	view->machine = host->machine;
	view->taken = empty ? &nothing : taken;
	view->empty = empty;
	gather_cpus(view);
	place_gpus_gather(view);
	return view;
}

void place_view_free(struct place_view *view)
{
	if (view == NULL)
		return;
	place_gpus_done(view);
	for (size_t kind = 0; kind <= view->kind_count; kind++)
		hwloc_bitmap_free(view->kind_cpus[kind]);
	free(view->kind_cpus);
	free(view->kinds);
	hwloc_bitmap_free(view->free_cpus);
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
