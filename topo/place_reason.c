// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdarg.h>
#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"

void place_reason_add(struct placement *placement, const char *choice, const char *format, ...)
{
	struct place_reason *reason = MEM_APPEND(placement->reasons, placement->reason_count);
	va_list args;

	reason->choice = choice;
	va_start(args, format);
	reason->why = text_vformat(format, args);
	va_end(args);
}

static char *addresses_of(const struct placement *placement, size_t request)
{
	char **items = mem_alloc(placement->gpu_count, sizeof *items);
	size_t count = 0;
	char *list;

	for (size_t i = 0; i < placement->gpu_count; i++)
		if (placement->gpus[i].request == request)
			items[count++] = mem_strdup(placement->gpus[i].gpu->device->address);
	list = place_words_list(items, count);
	place_words_free(items, count);
	return list;
}

/* GPUs that the request could have had. */
static unsigned free_matches(const struct place_view *view, size_t request)
{
	const struct place_class *class = &view->classes[view->request_class[request]];
	unsigned count = 0;

	for (size_t i = 0; i < view->host->gpus->count; i++)
		count += class->matched[i] == '1' && view->states[i] == PLACE_GPU_FREE;
	return count;
}

static void tell_gpus(const struct place_view *view, struct placement *placement)
{
	for (size_t i = 0; i < view->request->gpu_count; i++) {
		const struct place_gpu_request *wanted = &view->request->gpus[i];
		unsigned free_count = wanted->address_count > 0 ? 0 : free_matches(view, i);
		CLEANUP(text) char *taken = addresses_of(placement, i);
		CLEANUP(text) char *that_match = place_words_that_match(wanted, free_count);

		if (wanted->address_count > 0) {
			place_reason_add(placement, "gpus", "%s gets %s, which the spec names",
					 wanted->label, taken);
		} else if (free_count == wanted->count) {
			place_reason_add(
				placement, "gpus", "%s gets %s, %s%s", wanted->label, taken,
				wanted->count == 1 ? "the only free GPU" : "the only free GPUs",
				that_match);
		} else {
			place_reason_add(placement, "gpus", "%s gets %s of the %u free GPUs%s",
					 wanted->label, taken, free_count, that_match);
		}
	}
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

/* What the best rejected node or set of nodes loses by. */
static char *against_rival(const struct place_view *view, const struct place_choice *choice)
{
	const struct place_choice *rival = choice->rival;
	size_t count;
	CLEANUP(text) char *nodes = gpu_nodes(view, rival->gpus_at, &count);

	if (nodes == NULL)
		return text_format("the other GPUs' node is unknown");
	if (rival->distance != choice->distance)
		return text_format(
			"%s would do too, but farther apart (distances sum to %u, not %u)", nodes,
			rival->distance, choice->distance);
	if (rival->left_over != choice->left_over)
		return text_format("on %s it would be %u, a larger set better kept whole", nodes,
				   rival->left_over);
	if (rival->cpus_left != choice->cpus_left)
		return text_format("on %s it would be as many, but only %u free CPUs, not %u",
				   nodes, rival->cpus_left, choice->cpus_left);
	return text_format("%s would do as well, and the lower number decides", nodes);
}

static void tell_one_node(const struct place_view *view, const struct place_choice *choice,
			  const char *node, struct placement *placement)
{
	CLEANUP(text) char *memory = size_format(view->request->memory_bytes);
	CLEANUP(text) char *rival = NULL;
	bool insisted = false;

	for (size_t i = 0; i < view->request->gpu_count; i++)
		insisted |= view->request->gpus[i].address_count > 0;
	if (view->machine->node_count == 1) {
		place_reason_add(placement, "node",
				 "the host has one NUMA node, so all its CPUs and memory "
				 "are equally near the GPUs");
	} else if (choice->rival != NULL) {
		rival = against_rival(view, choice);
		place_reason_add(placement, "node", "%s fits best: %u free GPU%s there; %s", node,
				 choice->left_over,
				 choice->left_over == 1 ? " stays behind" : "s stay behind", rival);
	} else if (insisted) {
		place_reason_add(placement, "node",
				 "%s it is, because that is where the named GPU lies", node);
	} else {
		place_reason_add(placement, "node",
				 "%s is the only one with the GPUs and room for %u vCPUs and %s",
				 node, view->request->vcpus, memory);
	}
}

static void tell_nodes(const struct place_view *view, const struct place_choice *choice,
		       struct placement *placement)
{
	size_t count;
	CLEANUP(text) char *nodes = gpu_nodes(view, choice->gpus_at, &count);
	CLEANUP(text) char *rival = NULL;
	CLEANUP(text) char *counts = NULL;

	if (count == 1) {
		tell_one_node(view, choice, nodes, placement);
		return;
	}
	if (count == 0)
		return;
	for (size_t i = 0; i < view->machine->node_count; i++) {
		if (choice->gpus_at[i] > 0) {
			CLEANUP(text)
			char *item = text_format("%u on node %u", choice->gpus_at[i],
						 view->machine->nodes[i].os_index);

			text_join(&counts, ", ", item);
		}
	}
	place_reason_add(placement, "node",
			 "no %s has all %u GPUs free with room for the rest of the VM, so they "
			 "come from %s (%s), one guest cell for each",
			 count == 2 ? "single node" : "smaller set of nodes", view->gpu_wanted,
			 nodes, counts);
	if (choice->rival != NULL) {
		rival = against_rival(view, choice);
		place_reason_add(placement, "node",
				 "of %zu such sets %s fit best: %u free GPU%s there; %s",
				 choice->rivals + 1, nodes, choice->left_over,
				 choice->left_over == 1 ? " stays behind" : "s stay behind", rival);
	}
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
	tell_gpus(view, placement);
	tell_nodes(view, choice, placement);
	tell_unknown(view, choice, placement);
	place_reason_cells(view, choice, placement);
}
