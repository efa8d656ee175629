// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <inttypes.h>

#include "vmm/base/size.h"
#include "vmm/base/text.h"

/* Words for: there would be a place, but the admin's guarantee or the spec's own CPU list is in the way. */

static struct place_choice *search_as(const struct place_view *view,
				      const struct place_request *request,
				      struct place_view **ret_other)
{
	*ret_other = place_view_new(request, view->host, view->taken, view->empty);
	return place_search(*ret_other);
}

/* One node's part of a VM that takes more of it than it may. */
struct excess {
	size_t node;
	unsigned gpus_left;  /* free GPUs that stay there */
	uint64_t over, most; /* by how much, and what it may take */
};

static uint64_t cpus_lost(const struct place_view *view, const struct place_choice *choice,
			  size_t cell)
{
	uint64_t width = view->request->threads == PLACE_SHARE ? 1 : view->kind_width[choice->kind];
	uint64_t count = choice->cells[cell].vcpu_count;

	return (count + width - 1) / width * width;
}

/* The cell that is over by most; over 0: none. */
static struct excess worst(const struct place_view *view, const struct place_choice *choice,
			   bool of_cpus)
{
	struct excess worst = { 0 };

	for (size_t i = 0; i < choice->cell_count; i++) {
		size_t node = choice->cell_nodes[i];
		unsigned offered = place_key_offered(view, choice, node);
		uint64_t takes = of_cpus ? cpus_lost(view, choice, i)
					 : choice->cells[i].memory_bytes;
		uint64_t most = of_cpus ? place_rules_cpus_most(view, node, offered)
					: place_rules_bytes_most(view, node, offered);

		if (takes > most && takes - most > worst.over)
			worst = (struct excess){ node, view->free_gpus[node] - offered,
						 takes - most, most };
	}
	return worst;
}

static void raise_cpus(const struct place_view *view, const struct excess *excess,
		       struct fail *fail)
{
	const struct place_rules *rules = view->rules;
	unsigned node = view->machine->nodes[excess->node].os_index;

	fail_add(fail, place_refuse_kind(view),
		 "cpus_per_free_gpu = %u: vcpus = %u is %" PRIu64
		 " CPU%s more than node %u can spare",
		 rules->cpus_per_free_gpu, view->request->vcpus, excess->over,
		 excess->over == 1 ? "" : "s", node);
	fail_cause(fail,
		   "%u CPUs are %s on node %u, and %u GPU%s free there with %u CPUs guaranteed to "
		   "each, so this VM may take %" PRIu64,
		   view->open_cpus[excess->node], view->empty ? "for VMs" : "free", node,
		   excess->gpus_left, excess->gpus_left == 1 ? " stays" : "s stay",
		   rules->cpus_per_free_gpu, excess->most);
	fail_at(fail, rules->file, rules->cpus_per_free_gpu_line);
}

static void raise_memory(const struct place_view *view, const struct excess *excess,
			 struct fail *fail)
{
	const struct place_rules *rules = view->rules;
	unsigned node = view->machine->nodes[excess->node].os_index;
	CLEANUP(text) char *share = size_format(rules->memory_bytes_per_free_gpu);
	CLEANUP(text) char *memory = size_format(view->request->memory_bytes);
	CLEANUP(text) char *over = size_format_about(excess->over);
	CLEANUP(text) char *open = size_format_about(view->open_bytes[excess->node]);
	CLEANUP(text) char *most = size_format_about(excess->most);

	fail_add(fail, place_refuse_kind(view),
		 "memory_per_free_gpu = %s: memory = %s is %s more than node %u can spare", share,
		 memory, over, node);
	fail_cause(fail,
		   "%s are %s on node %u, and %u GPU%s free there with %s guaranteed to each, so "
		   "this VM may take %s",
		   open, view->empty ? "for VMs" : "free", node, excess->gpus_left,
		   excess->gpus_left == 1 ? " stays" : "s stay", share, most);
	fail_at(fail, rules->file, rules->memory_per_free_gpu_line);
}

bool place_refuse_guarantee(const struct place_view *view, struct fail *fail)
{
	struct place_request request = *view->request;
	struct place_rules rules = *view->rules;
	CLEANUP(place_view) struct place_view *other = NULL;
	CLEANUP(place_choice) struct place_choice *choice = NULL;
	CLEANUP(text) char *memory_most = NULL;
	struct excess cpus, memory;

	if (!place_rules_guarantee(view->rules))
		return false;
	request.rules = &rules;
	rules.cpus_per_free_gpu = 0;
	rules.memory_bytes_per_free_gpu = 0;
	choice = search_as(view, &request, &other);
	if (choice == NULL)
		return false;
	cpus = worst(view, choice, true);
	memory = worst(view, choice, false);
	if (cpus.over == 0 && memory.over == 0)
		return false;
	memory_most = size_format_about(memory.most);
	if (cpus.over > 0)
		raise_cpus(view, &cpus, fail);
	else
		raise_memory(view, &memory, fail);
	if (!view->empty)
		fail_hint(fail, "gpuvm list shows the VMs; gpuvm stop NAME frees what one has");
	else if (cpus.over > 0)
		fail_hint(fail, "set vcpus = %" PRIu64 " or less, or ask for more of the GPUs",
			  cpus.most);
	else
		fail_hint(fail, "set memory to %s or less, or ask for more of the GPUs",
			  memory_most);
	return true;
}

bool place_refuse_pin(const struct place_view *view, struct fail *fail)
{
	struct place_request request = *view->request;
	CLEANUP(place_view) struct place_view *other = NULL;
	CLEANUP(place_choice) struct place_choice *choice = NULL;
	CLEANUP(text) char *pin = NULL;
	CLEANUP(text) char *pinned = NULL;
	CLEANUP(text) char *nodes = NULL;
	size_t at[64];
	size_t count = 0;

	if (request.pin == NULL)
		return false;
	request.pin = NULL;
	choice = search_as(view, &request, &other);
	if (choice == NULL)
		return false;
	pin = machine_cpus_format(view->request->pin);
	for (size_t i = 0; i < view->machine->node_count && count < 64; i++)
		if (hwloc_bitmap_intersects(view->machine->nodes[i].cpus, view->request->pin))
			at[count++] = i;
	pinned = place_words_nodes(view, at, count);
	nodes = place_words_nodes(view, choice->cell_nodes, choice->cell_count);
	fail_add(fail, view->empty ? FAIL_SPEC : FAIL_BUSY,
		 "pin = %s: no place for the VM with these CPUs under policy = %s", pin,
		 place_policy_name(request.policy));
	fail_cause(fail, "they are on %s; without pin the VM would go to %s", pinned, nodes);
	if (place_search_would_fit(view, PLACE_PREFERRED))
		fail_hint(fail,
			  "set [numa] policy = preferred to use other nodes too: that would fit");
	else
		fail_hint(fail, "pin CPUs of %s, or set pin = auto", nodes);
	fail_at(fail, request.file, request.pin_line);
	return true;
}
