// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"

bool place_reason_all_named(const struct place_request *request)
{
	for (size_t i = 0; i < request->gpu_count; i++)
		if (request->gpus[i].address_count == 0)
			return false;
	return true;
}

void place_reason_add(struct placement *placement, const char *choice, const char *format, ...)
{
	struct place_reason *reason = MEM_APPEND(placement->reasons, placement->reason_count);
	va_list args;

	reason->choice = choice;
	va_start(args, format);
	reason->why = text_vformat(format, args);
	va_end(args);
}

void place_reason_reject(struct placement *placement, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	placement->reasons[placement->reason_count - 1].rejected = text_vformat(format, args);
	va_end(args);
}

/* The nodes of the GPUs; NULL if none is known. The caller frees. */
static char *gpu_nodes(const struct place_view *view, const unsigned *gpus_at, size_t *ret_count)
{
	size_t *nodes = mem_alloc(view->machine->node_count, sizeof *nodes);
	char *text = NULL;

	*ret_count = 0;
	for (size_t i = 0; i < view->machine->node_count; i++)
		if (gpus_at[i] > 0)
			nodes[(*ret_count)++] = i;
	if (*ret_count > 0)
		text = place_words_nodes(view, nodes, *ret_count);
	free(nodes);
	return text;
}

static const char *across(unsigned diameter)
{
	return diameter >= PLACE_OTHER_PACKAGE ? " across packages" : "";
}

/* What the best rejected node or set of nodes loses by. */
static char *against_rival(const struct place_view *view, const struct place_choice *choice)
{
	const struct place_choice *rival = choice->rival;
	size_t count;
	CLEANUP(text) char *nodes = gpu_nodes(view, rival->gpus_at, &count);

	if (nodes == NULL)
		return text_format("the other GPUs' node is unknown");
	switch (place_key_point(choice, rival)) {
	case PLACE_POINT_UNKNOWN:
		return text_format("%s: the node of some of the GPUs would be unknown", nodes);
	case PLACE_POINT_DIAMETER:
		return text_format("%s: farther apart (up to distance %u%s, not %u%s)", nodes,
				   rival->diameter % PLACE_OTHER_PACKAGE, across(rival->diameter),
				   choice->diameter % PLACE_OTHER_PACKAGE,
				   across(choice->diameter));
	case PLACE_POINT_DISTANCE:
		return text_format("%s: farther apart (distances sum to %u, not %u)", nodes,
				   rival->distance, choice->distance);
	case PLACE_POINT_WIDTH:
	case PLACE_POINT_EVEN:
		return text_format("%s: CPUs and memory would lie less well with the GPUs", nodes);
	case PLACE_POINT_REACH:
	case PLACE_POINT_SPREAD:
		return text_format("%s: the GPUs would be farther apart", nodes);
	case PLACE_POINT_SETS:
		return text_format("%s: of 1, 2, 4 and 8 GPUs with a fair share of CPUs and memory "
				   "the nodes would still have %u sets, not %u",
				   nodes, rival->sets_left, choice->sets_left);
	case PLACE_POINT_SERVED:
		return text_format("%s: %" PRIu64 " free GPUs would keep a fair share of CPUs and "
				   "memory, not %" PRIu64,
				   nodes, rival->served, choice->served);
	case PLACE_POINT_COST:
		break;
	}
	return text_format("%s: %s", nodes, place_reason_fault(&rival->cost, &choice->cost));
}

/* What the first other node with such GPUs lacks; NULL if there is none. */
static char *lack_elsewhere(const struct place_view *view, const struct place_choice *choice)
{
	for (size_t i = 0; i < view->place_count; i++) {
		size_t node = view->places[i];
		unsigned gpus = 0;
		uint64_t most;
		CLEANUP(text) char *bytes = NULL;

		if (node == view->machine->node_count || choice->gpus_at[node] > 0)
			continue;
		for (size_t j = 0; j < view->unit_count; j++)
			gpus += view->units[j].node == node ? (unsigned)view->units[j].count : 0;
		most = view->most_bytes[1][node] > view->most_bytes[0][node]
			       ? view->most_bytes[1][node]
			       : view->most_bytes[0][node];
		bytes = size_format_about(most);
		return text_format("node %u: %u free GPU%s, %u CPUs and %s free for the VM",
				   view->machine->nodes[node].os_index, gpus, gpus == 1 ? "" : "s",
				   place_cpus_room(view, node, view->kind_count), bytes);
	}
	return NULL;
}

static void tell_one_node(const struct place_view *view, const struct place_choice *choice,
			  const char *node, struct placement *placement)
{
	CLEANUP(text) char *memory = size_format(view->request->memory_bytes);
	bool insisted = false;

	for (size_t i = 0; i < view->request->gpu_count; i++)
		insisted |= view->request->gpus[i].address_count > 0;
	if (view->machine->node_count == 1)
		place_reason_add(placement, "node",
				 "the host has one NUMA node, so all its CPUs and memory are "
				 "equally near the GPUs");
	else if (choice->rival != NULL)
		place_reason_add(placement, "node", "%s fits best: %u free GPU%s there", node,
				 choice->left_over,
				 choice->left_over == 1 ? " stays behind" : "s stay behind");
	else if (insisted)
		place_reason_add(placement, "node",
				 "%s it is, because that is where the named GPU lies", node);
	else
		place_reason_add(placement, "node",
				 "%s is the only one with the GPUs and room for %u vCPUs and %s",
				 node, view->request->vcpus, memory);
}

static void tell_more_nodes(const struct place_view *view, const struct place_choice *choice,
			    const char *nodes, size_t count, struct placement *placement)
{
	CLEANUP(text) char *counts = NULL;

	for (size_t i = 0; i < view->machine->node_count; i++) {
		if (choice->gpus_at[i] > 0) {
			CLEANUP(text)
			char *item = text_format("%u on node %u", choice->gpus_at[i],
						 view->machine->nodes[i].os_index);

			text_join(&counts, ", ", item);
		}
	}
	if (place_reason_all_named(view->request)) {
		place_reason_add(
			placement, "node",
			"the GPUs that the spec names lie on %s (%s), one guest cell for each",
			nodes, counts);
		return;
	}
	place_reason_add(placement, "node",
			 "no %s has all %u GPUs free with room for the rest of the VM, so they "
			 "come from %s (%s), one guest cell for each",
			 count == 2 ? "single node" : "nearer set of nodes", view->gpu_wanted,
			 nodes, counts);
	if (choice->rival != NULL)
		place_reason_add(placement, "node",
				 "of %zu such splits %s fit best: %u free GPU%s there",
				 choice->rivals + 1, nodes, choice->left_over,
				 choice->left_over == 1 ? " stays behind" : "s stay behind");
}

static void tell_nodes(const struct place_view *view, const struct place_choice *choice,
		       struct placement *placement)
{
	size_t count;
	CLEANUP(text) char *nodes = gpu_nodes(view, choice->gpus_at, &count);
	CLEANUP(text) char *rejected = NULL;

	if (count == 0)
		return;
	if (choice->rival != NULL)
		rejected = against_rival(view, choice);
	else
		rejected = lack_elsewhere(view, choice);
	if (count == 1)
		tell_one_node(view, choice, nodes, placement);
	else
		tell_more_nodes(view, choice, nodes, count, placement);
	if (rejected != NULL)
		place_reason_reject(placement, "%s", rejected);
}

static void tell_unknown(const struct place_view *view, const struct place_choice *choice,
			 struct placement *placement)
{
	for (size_t i = 0; i < view->host->gpus->count; i++)
		if (choice->picks[i] != SIZE_MAX && view->gpu_node[i] == view->machine->node_count)
			place_reason_add(
				placement, "lost",
				"the firmware does not say which node %s is near, so its "
				"transfers may have to cross nodes; CPUs and memory come from "
				"where most CPUs are free",
				view->host->gpus->gpus[i].device->address);
}

void place_reason(const struct place_view *view, const struct place_choice *choice,
		  struct placement *placement)
{
	place_reason_gpus(view, choice, placement);
	tell_nodes(view, choice, placement);
	tell_unknown(view, choice, placement);
	place_reason_cells(view, choice, placement);
	place_reason_guest(view, choice, placement);
}
