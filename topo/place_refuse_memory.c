// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <inttypes.h>
#include <string.h>

#include "vmm/base/size.h"
#include "vmm/base/text.h"

static void add_promises(const struct place_view *view, size_t node, char **text)
{
	for (size_t i = 0; i < view->taken->memory_count; i++) {
		const struct place_taken_memory *taken = &view->taken->memory[i];
		CLEANUP(text) char *bytes = size_format(taken->bytes);
		CLEANUP(text) char *page = size_format(taken->page_bytes);

		if (taken->node != view->machine->nodes[node].os_index)
			continue;
		if (taken->page_bytes == 0)
			text_add(text, ", %s promised to %s", bytes, taken->holder);
		else
			text_add(text, ", %s in %s pages promised to %s", bytes, page,
				 taken->holder);
	}
}

/* "61.2 GiB available on node 0, 1 GiB of it kept free, no free 1 GiB pages". The caller frees. */
static char *describe_normal(const struct place_view *view, size_t at)
{
	const struct machine_node *node = &view->machine->nodes[at];
	CLEANUP(text) char *normal = size_format_about(place_memory_normal(view, at));
	CLEANUP(text) char *total = size_format_about(node->memory_total_bytes);
	CLEANUP(text) char *kept = size_format(place_rules_reserve(view));
	char *text;

	if (view->empty && strcmp(total, normal) == 0)
		text = text_format("node %u has %s", node->os_index, total);
	else if (view->empty)
		text = text_format("node %u has %s, %s of it in normal pages", node->os_index,
				   total, normal);
	else
		text = text_format("%s of %s are available on node %u", normal, total,
				   node->os_index);
	text_add(&text, ", %s of that stays free for QEMU and the host", kept);
	if (view->rules->file != NULL)
		text_add(&text, " (%s)", view->rules->file);
	for (size_t i = 0; i < node->page_count; i++) {
		const struct machine_pages *pages = &node->pages[i];
		CLEANUP(text) char *size = size_format(pages->page_bytes);

		if (view->request->hugepages == PLACE_PAGES_AUTO && pages->total > 0)
			text_add(&text, ", %" PRIu64 " pages of %s %s",
				 view->empty ? pages->total : pages->free, size,
				 view->empty ? "in all" : "free");
	}
	add_promises(view, at, &text);
	return text;
}

static void refuse_normal(const struct place_view *view, const struct place_shortage *shortage,
			  const char *where, const char *memory, struct fail *fail)
{
	CLEANUP(text) char *room = size_format_about(shortage->bytes);
	CLEANUP(text) char *causes = NULL;

	for (size_t i = 0; i < shortage->node_count; i++) {
		CLEANUP(text) char *cause = describe_normal(view, shortage->nodes[i]);

		text_join(&causes, "; ", cause);
	}
	if (view->empty)
		fail_add(fail, FAIL_HOST, "memory = %s: %s %s only %s for VMs", memory, where,
			 shortage->node_count == 1 ? "has" : "have", room);
	else
		fail_add(fail, FAIL_BUSY, "memory = %s: %s %s only %s free for it", memory, where,
			 shortage->node_count == 1 ? "has" : "have", room);
	fail_cause(fail, "%s%s", causes, place_words_best(view, shortage));
	fail_at(fail, view->request->file, view->request->memory_line);
}

static uint64_t pages_short(const struct place_view *view, size_t node, uint64_t share)
{
	uint64_t page_bytes = place_memory_fixed(view->request);
	uint64_t room = place_memory_room(view, node, page_bytes);

	return room >= share ? 0 : (share - room + page_bytes - 1) / page_bytes;
}

/* The command that provides the pages, on each node an equal share. */
static void hint_pages(const struct place_view *view, const struct place_shortage *shortage,
		       struct fail *fail)
{
	uint64_t page_bytes = place_memory_fixed(view->request);
	uint64_t share = view->request->memory_bytes / shortage->node_count;
	CLEANUP(text) char *commands = NULL;
	CLEANUP(text) char *at_boot = NULL;

	for (size_t i = 0; i < view->machine->node_count; i++) {
		const struct machine_node *node = &view->machine->nodes[i];
		const struct machine_pages *pages = machine_node_pages(node, page_bytes);
		uint64_t count = pages == NULL ? 0 : pages->total;
		CLEANUP(text) char *command = NULL;
		CLEANUP(text) char *on_node = NULL;
		uint64_t more = 0;

		for (size_t j = 0; j < shortage->node_count; j++)
			if (shortage->nodes[j] == i)
				more = pages_short(view, i, share);
		command = text_format("echo %" PRIu64 " | sudo tee /sys/devices/system/node/node%u/"
				      "hugepages/hugepages-%" PRIu64 "kB/nr_hugepages",
				      count + more, node->os_index, page_bytes / SIZE_KIB);
		on_node = text_format("%u:%" PRIu64, node->os_index, count + more);
		if (more > 0)
			text_join(&commands, " && ", command);
		if (count + more > 0)
			text_join(&at_boot, ",", on_node);
	}
	/* hugepages=NODE:COUNT is of Linux 5.16, admin-guide/mm/hugetlbpage.rst. */
	if (page_bytes == SIZE_GIB)
		fail_hint(fail,
			  "run: %s; if that gives fewer, memory is too fragmented: boot with "
			  "hugepagesz=1G hugepages=%s",
			  commands, at_boot);
	else
		fail_hint(fail, "run: %s", commands);
}

/* "node 0 has 512 pages of 2 MiB, 100 of them free, ...". The caller frees. */
static char *describe_pages(const struct place_view *view, size_t at)
{
	const struct machine_node *node = &view->machine->nodes[at];
	uint64_t page_bytes = place_memory_fixed(view->request);
	const struct machine_pages *pages = machine_node_pages(node, page_bytes);
	CLEANUP(text) char *size = size_format(page_bytes);
	CLEANUP(text) char *overhead = size_format(PLACE_OVERHEAD_BYTES);
	CLEANUP(text) char *normal = size_format_about(place_memory_normal(view, at));
	char *text;

	if (pages == NULL)
		return text_format("the kernel has no %s pages on node %u", size, node->os_index);
	text = text_format("node %u has %" PRIu64 " pages of %s", node->os_index, pages->total,
			   size);
	if (!view->empty)
		text_add(&text, ", %" PRIu64 " of them free", pages->free);
	if (place_memory_normal(view, at) < PLACE_OVERHEAD_BYTES)
		text_add(&text, ", but only %s of normal memory, and QEMU needs %s there", normal,
			 overhead);
	add_promises(view, at, &text);
	return text;
}

static void refuse_pages(const struct place_view *view, const struct place_shortage *shortage,
			 const char *where, const char *memory, struct fail *fail)
{
	uint64_t page_bytes = place_memory_fixed(view->request);
	CLEANUP(text) char *page = size_format(page_bytes);
	CLEANUP(text) char *causes = NULL;
	bool has_normal = true;

	for (size_t i = 0; i < shortage->node_count; i++) {
		CLEANUP(text) char *cause = describe_pages(view, shortage->nodes[i]);

		text_join(&causes, "; ", cause);
		has_normal &= place_memory_normal(view, shortage->nodes[i]) >= PLACE_OVERHEAD_BYTES;
	}
	if (!has_normal) {
		fail_add(fail, place_refuse_kind(view),
			 "hugepages = %s: too little normal memory is left for QEMU on %s", page,
			 where);
		fail_hint(fail, "reserve fewer hugepages there: nr_hugepages in "
				"/sys/devices/system/node/node*/hugepages/*");
	} else {
		fail_add(fail, place_refuse_kind(view),
			 view->empty ? "hugepages = %s: memory = %s needs %" PRIu64
				       " pages, and %s %s %" PRIu64
				     : "hugepages = %s: memory = %s needs %" PRIu64
				       " free pages, and %s %s %" PRIu64,
			 page, memory, view->request->memory_bytes / page_bytes, where,
			 shortage->node_count == 1 ? "has" : "have", shortage->bytes / page_bytes);
		hint_pages(view, shortage, fail);
	}
	fail_cause(fail, "%s%s", causes, place_words_best(view, shortage));
	fail_at(fail, view->request->file, view->request->hugepages_line);
}

int place_refuse_memory(const struct place_view *view, const struct place_shortage *shortage,
			struct fail *fail)
{
	CLEANUP(text) char *where = place_words_nodes(view, shortage->nodes, shortage->node_count);
	CLEANUP(text) char *memory = size_format(view->request->memory_bytes);

	if (place_memory_fixed(view->request) != 0)
		refuse_pages(view, shortage, where, memory, fail);
	else
		refuse_normal(view, shortage, where, memory, fail);
	return -1;
}
