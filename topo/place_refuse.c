// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"

/* Words for: the GPUs are there, but not the CPUs or the memory with them. */

enum fail_kind place_refuse_kind(const struct place_view *view)
{
	return view->empty ? FAIL_HOST : FAIL_BUSY;
}

static void add_cpus(char **text, const char *before, hwloc_const_bitmap_t cpus, const char *after)
{
	CLEANUP(text) char *list = NULL;

	if (hwloc_bitmap_iszero(cpus))
		return;
	list = machine_cpus_format(cpus);
	text_add(text, "%s%s %s", before, list, after);
}

/* `node 0 has CPUs 0-15: 0,8 kept for the host, 2-5 in use by VM "a" of alice`. The caller frees. */
static char *describe_node(const struct place_view *view, size_t at)
{
	const struct machine_node *node = &view->machine->nodes[at];
	hwloc_bitmap_t own = place_host_cpus(view->machine, view->rules, at);
	hwloc_bitmap_t part = hwloc_bitmap_dup(node->cpus);
	char *text = text_format("node %u has ", node->os_index);

	if (hwloc_bitmap_iszero(node->cpus))
		text_add(&text, "no CPUs");
	else
		add_cpus(&text, "CPUs ", node->cpus, "in all");
	add_cpus(&text, ", ", own, "kept for the host");
	if (view->rules->file != NULL && !hwloc_bitmap_iszero(own))
		text_add(&text, " (%s)", view->rules->file);
	for (size_t i = 0; i < view->machine->cpu_count; i++)
		if (view->machine->cpus[i].usable)
			hwloc_bitmap_clr(part, view->machine->cpus[i].os_index);
	add_cpus(&text, ", ", part, "closed to VMs (isolated, or outside machine.slice)");
	for (size_t i = 0; i < view->taken->cpus_count; i++) {
		CLEANUP(text) char *who = text_format("in use by %s", view->taken->cpus[i].holder);

		hwloc_bitmap_and(part, node->cpus, view->taken->cpus[i].cpus);
		hwloc_bitmap_andnot(part, part, own);
		add_cpus(&text, ", ", part, who);
	}
	hwloc_bitmap_free(own);
	hwloc_bitmap_free(part);
	return text;
}

static char *describe_nodes(const struct place_view *view, const struct place_shortage *shortage)
{
	char *text = NULL;

	for (size_t i = 0; i < shortage->node_count; i++) {
		CLEANUP(text) char *node = describe_node(view, shortage->nodes[i]);

		text_join(&text, "; ", node);
	}
	return text;
}

static void refuse_cpus(const struct place_view *view, const struct place_shortage *shortage,
			struct fail *fail)
{
	const struct place_request *request = view->request;
	CLEANUP(text) char *where = place_words_nodes(view, shortage->nodes, shortage->node_count);
	CLEANUP(text) char *nodes = describe_nodes(view, shortage);
	const char *has = shortage->node_count == 1 ? "has" : "have";

	/* Fast and slow cores do not share a VM. */
	const char *of_one_kind = view->kind_count > 1 && request->pin == NULL ? " of one kind"
									       : "";

	if (shortage->node_count == 0)
		fail_add(fail, place_refuse_kind(view), "vcpus = %u: no node has free CPUs",
			 request->vcpus);
	else if (view->empty)
		fail_add(fail, place_refuse_kind(view), "vcpus = %u: %s %s only %u CPU%s%s for VMs",
			 request->vcpus, where, has, shortage->cpus, shortage->cpus == 1 ? "" : "s",
			 of_one_kind);
	else
		fail_add(fail, place_refuse_kind(view), "vcpus = %u: %s %s only %u free CPU%s%s",
			 request->vcpus, where, has, shortage->cpus, shortage->cpus == 1 ? "" : "s",
			 of_one_kind);
	fail_cause(fail, "%s%s", nodes == NULL ? "" : nodes, place_words_best(view, shortage));
	fail_at(fail, request->file, request->vcpus_line);
}

/* Enough in all, but one of the GPUs' own nodes has none of it, or there are fewer vCPUs than nodes. */
static void refuse_split(const struct place_view *view, const struct place_shortage *shortage,
			 struct fail *fail)
{
	const struct place_request *request = view->request;
	CLEANUP(text) char *where = place_words_nodes(view, shortage->nodes, shortage->node_count);
	CLEANUP(text) char *rooms = NULL;

	for (size_t i = 0; i < shortage->node_count; i++) {
		size_t node = shortage->nodes[i];
		uint64_t bytes = place_memory_most(view, node, SIZE_GIB);
		CLEANUP(text) char *memory = size_format_about(bytes);
		CLEANUP(text)
		char *room = text_format("node %u has %u CPUs and %s for it",
					 view->machine->nodes[node].os_index,
					 place_cpus_room(view, node, view->kind_count), memory);

		text_join(&rooms, "; ", room);
	}
	fail_add(fail, place_refuse_kind(view),
		 "vcpus = %u: the GPUs are on %s, and each node needs CPUs and memory of the VM",
		 request->vcpus, where);
	fail_cause(fail, "%s", rooms);
	fail_at(fail, request->file, request->vcpus_line);
}

/* The GPUs that others have among those that the empty host would give. */
static void add_elsewhere(const struct place_view *now, const struct place_choice *fits_empty,
			  struct fail *fail)
{
	const char *so_far = fail->items[fail->item_count - 1].cause;
	CLEANUP(text) char *held = NULL;

	for (size_t i = 0; i < now->host->gpus->count; i++) {
		const struct gpu *gpu = &now->host->gpus->gpus[i];
		const struct place_taken_gpu *taken = place_gpu_taken(gpu, now->taken);
		CLEANUP(text) char *item = NULL;

		if (fits_empty->picks[i] == SIZE_MAX || taken == NULL)
			continue;
		item = taken->state != NULL
			       ? text_format("%s, which %s", gpu->device->address, taken->state)
			       : text_format("%s, which %s has", gpu->device->address,
					     taken->holder);
		text_join(&held, "; ", item);
	}
	if (held != NULL) {
		CLEANUP(text) char *before = text_format("%s", so_far == NULL ? "" : so_far);

		fail_cause(fail, "%s%sit would fit with %s", before, *before == '\0' ? "" : "; ",
			   held);
	}
}

static void add_hint(const struct place_view *view, const struct place_shortage *shortage,
		     struct fail *fail)
{
	CLEANUP(text) char *memory = size_format_about(shortage->bytes);

	if (view->request->policy != PLACE_PREFERRED &&
	    place_search_would_fit(view, PLACE_PREFERRED))
		fail_hint(fail,
			  "set [numa] policy = preferred to use other nodes too: that would fit");
	else if (!view->empty)
		fail_hint(fail, "gpuvm list shows the VMs; gpuvm stop NAME frees what one has");
	else if (shortage->is_cpus && shortage->cpus > 0)
		fail_hint(fail, "set vcpus = %u or less", shortage->cpus);
	else if (!shortage->is_cpus && shortage->bytes > 0 &&
		 shortage->bytes < view->request->memory_bytes)
		fail_hint(fail, "set memory to %s or less", memory);
	else
		fail_hint(fail, "gpuvm gpus shows which node each GPU is near");
}

int place_refuse(const struct place_view *now, const struct place_view *empty,
		 const struct place_choice *fits_empty, struct fail *fail)
{
	const struct place_view *view = fits_empty == NULL ? empty : now;
	struct place_shortage shortage;

	if (place_refuse_guarantee(view, fail) || place_refuse_pin(view, fail))
		return -1;
	place_search_shortage(view, &shortage);
	if (shortage.mask == 0)
		return place_refuse_gpus(view, fail);
	if (shortage.is_cpus)
		refuse_cpus(view, &shortage, fail);
	else if (shortage.bytes < view->request->memory_bytes)
		place_refuse_memory(view, &shortage, fail);
	else
		refuse_split(view, &shortage, fail);
	if (fits_empty != NULL)
		add_elsewhere(now, fits_empty, fail);
	if (fail->items[fail->item_count - 1].hint == NULL)
		add_hint(view, &shortage, fail);
	place_shortage_done(&shortage);
	return -1;
}
