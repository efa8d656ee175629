// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

char *place_words_list(char *const *items, size_t count)
{
	char *list = mem_strdup("");

	for (size_t i = 0; i < count; i++)
		text_join(&list, i + 1 == count ? " and " : ", ", items[i]);
	return list;
}

void place_words_free(char **items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(items[i]);
	free(items);
}

char *place_words_nodes(const struct place_view *view, const size_t *nodes, size_t count)
{
	char **numbers = mem_alloc(count, sizeof *numbers);
	CLEANUP(text) char *list = NULL;

	for (size_t i = 0; i < count; i++)
		numbers[i] = text_format("%u", view->machine->nodes[nodes[i]].os_index);
	list = place_words_list(numbers, count);
	place_words_free(numbers, count);
	return text_format("%s %s", count == 1 ? "node" : "nodes", list);
}

char *place_words_that_match(const struct place_gpu_request *request, unsigned count)
{
	if (request->match == NULL || strcmp(request->match, "any") == 0)
		return mem_strdup("");
	return text_format(" that match%s \"%s\"", count == 1 ? "es" : "", request->match);
}

const char *place_words_best(const struct place_view *view, const struct place_shortage *shortage)
{
	if (shortage->sets < 2 || view->request->policy == PLACE_PREFERRED)
		return "";
	return shortage->node_count == 1 ? "; no other node with such GPUs has more"
					 : "; no other nodes with such GPUs have more";
}

char *place_words_taken(const struct place_taken_gpu *taken)
{
	return taken->state != NULL ? mem_strdup(taken->state)
				    : text_format("is held by %s", taken->holder);
}

char *place_words_cpus(hwloc_const_bitmap_t cpus)
{
	CLEANUP(text) char *list = machine_cpus_format(cpus);

	return text_format("CPU%s %s", hwloc_bitmap_weight(cpus) == 1 ? "" : "s", list);
}
