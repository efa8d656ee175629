// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/verify_internal.h"

#define NORMAL_PAGE 4096

static uint64_t page_bytes_of(const struct guest_memory *memory)
{
	return memory->page_bytes == 0 ? NORMAL_PAGE : memory->page_bytes;
}

/*
 * What of QEMU's memory is the guest's: QEMU's own heap, stacks and program files are never, and no other mapping
 * of it comes near half of a cell (tens of MiB: firmware, display, dirty bitmaps). So what lies elsewhere of a
 * mapping that counts is the guest's, to the page.
 */
static bool is_guests(const struct numa_mapping *mapping, uint64_t page_bytes, uint64_t least_bytes)
{
	return !mapping->is_program && mapping->page_bytes == page_bytes &&
	       (page_bytes != NORMAL_PAGE || mapping->bytes >= least_bytes);
}

/* Half of the smallest cell in pages of this size. */
static uint64_t least_bytes_of(const struct guest *guest, uint64_t page_bytes)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < guest->memory_count; i++)
		if (page_bytes_of(&guest->memory[i]) == page_bytes && guest->memory[i].bytes > 0 &&
		    guest->memory[i].bytes / 2 < least)
			least = guest->memory[i].bytes / 2;
	return least;
}

/* What lies in or out of @nodes, NULL all nodes, of the guest's memory in pages of this size. */
static uint64_t bytes_on(const struct verify_evidence *evidence, uint64_t page_bytes,
			 hwloc_const_bitmap_t nodes)
{
	uint64_t least = least_bytes_of(evidence->guest, page_bytes);
	uint64_t bytes = 0;

	for (size_t i = 0; i < evidence->maps->count; i++) {
		const struct numa_mapping *mapping = &evidence->maps->mappings[i];

		if (!is_guests(mapping, page_bytes, least))
			continue;
		for (size_t j = 0; j < mapping->share_count; j++)
			if (nodes == NULL || hwloc_bitmap_isset(nodes, mapping->shares[j].node))
				bytes += mapping->shares[j].bytes;
	}
	return bytes;
}

/* "512 MiB on node 1, 4 MiB on node 0" */
static char *where_it_is(const struct verify_evidence *evidence, uint64_t page_bytes)
{
	hwloc_bitmap_t node = hwloc_bitmap_alloc();
	char *text = NULL;

	for (size_t i = 0; i < evidence->host->machine->node_count; i++) {
		unsigned os_index = evidence->host->machine->nodes[i].os_index;
		CLEANUP(text) char *size = NULL;
		uint64_t bytes;

		hwloc_bitmap_only(node, os_index);
		bytes = bytes_on(evidence, page_bytes, node);
		if (bytes == 0)
			continue;
		size = size_format_about(bytes);
		text_add(&text, "%s%s on node %u", text == NULL ? "" : ", ", size, os_index);
	}
	hwloc_bitmap_free(node);
	return text == NULL ? mem_strdup("none of it was found") : text;
}

static struct finding *add(const struct verify_evidence *evidence, enum finding_state state,
			   uint64_t page_bytes, struct findings *findings)
{
	CLEANUP(text) char *size = size_format(page_bytes);
	CLEANUP(text) char *subject = text_format("%s pages", size);
	struct finding *row = findings_add(findings, state, subject);

	row->source = numa_maps_path(evidence->pid);
	row->found = where_it_is(evidence, page_bytes);
	return row;
}

/* The cells in pages of this size that may lie on no node but of @nodes. */
static uint64_t planned_within(const struct guest *guest, uint64_t page_bytes,
			       hwloc_const_bitmap_t nodes)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < guest->memory_count; i++)
		if (page_bytes_of(&guest->memory[i]) == page_bytes &&
		    !hwloc_bitmap_iszero(guest->memory[i].nodes) &&
		    hwloc_bitmap_isincluded(guest->memory[i].nodes, nodes))
			bytes += guest->memory[i].bytes;
	return bytes;
}

/* Every cell's nodes hold what was planned for them: with that, none of another cell's share is missing there. */
static char *plan_of(const struct verify_evidence *evidence, uint64_t page_bytes, bool *ret_is_kept)
{
	const struct guest *guest = evidence->guest;
	char *text = NULL;

	*ret_is_kept = true;
	for (size_t i = 0; i < guest->memory_count; i++) {
		hwloc_const_bitmap_t nodes = guest->memory[i].nodes;
		CLEANUP(text) char *size = size_format(guest->memory[i].bytes);
		CLEANUP(text) char *list = machine_cpus_format(nodes);

		if (page_bytes_of(&guest->memory[i]) != page_bytes || guest->memory[i].bytes == 0 ||
		    hwloc_bitmap_iszero(nodes))
			continue;
		text_add(&text, "%s%s on node %s", text == NULL ? "" : ", ", size, list);
		if (bytes_on(evidence, page_bytes, nodes) <
		    planned_within(guest, page_bytes, nodes))
			*ret_is_kept = false;
	}
	return text;
}

/* All nodes that a cell in pages of this size may lie on. New bitmap. */
static hwloc_bitmap_t all_nodes(const struct guest *guest, uint64_t page_bytes)
{
	hwloc_bitmap_t nodes = hwloc_bitmap_alloc();

	for (size_t i = 0; i < guest->memory_count; i++) {
		if (page_bytes_of(&guest->memory[i]) != page_bytes)
			continue;
		if (hwloc_bitmap_iszero(guest->memory[i].nodes))
			hwloc_bitmap_fill(nodes);
		hwloc_bitmap_or(nodes, nodes, guest->memory[i].nodes);
	}
	return nodes;
}

static void check_pages(const struct verify_evidence *evidence, uint64_t page_bytes,
			struct findings *findings)
{
	bool is_kept;
	hwloc_bitmap_t nodes = all_nodes(evidence->guest, page_bytes);
	CLEANUP(text) char *plan = plan_of(evidence, page_bytes, &is_kept);
	uint64_t elsewhere = bytes_on(evidence, page_bytes, NULL) -
			     bytes_on(evidence, page_bytes, nodes);
	struct finding *row;

	hwloc_bitmap_free(nodes);
	if (plan == NULL) {
		row = add(evidence, FINDING_WARNING, page_bytes, findings);
		row->expected = mem_strdup("a node: the domain's XML binds it to none");
		row->hint = text_format("gpuvm show %s", evidence->name);
		return;
	}
	row = add(evidence, FINDING_OK, page_bytes, findings);
	row->expected = STEAL(plan);
	if (elsewhere == 0 && is_kept)
		return;
	row->state = FINDING_FAILED;
	row->hint = text_format("it was moved, or taken before it was bound: gpuvm stop %s, then "
				"gpuvm start %s",
				evidence->name, evidence->name);
}

static bool is_first_of_its_pages(const struct guest *guest, size_t cell)
{
	for (size_t i = 0; i < cell; i++)
		if (page_bytes_of(&guest->memory[i]) == page_bytes_of(&guest->memory[cell]))
			return false;
	return true;
}

void verify_check_memory(const struct verify_evidence *evidence, struct findings *findings)
{
	const struct guest *guest = evidence->guest;

	if (evidence->maps == NULL) {
		struct finding *row = findings_add(findings, FINDING_NOT_CHECKED, NULL);

		row->source = evidence->pid == 0 ? NULL : numa_maps_path(evidence->pid);
		row->found = mem_strdup(evidence->maps_problem);
		row->hint = text_format("sudo gpuvm verify %s", evidence->name);
		return;
	}
	for (size_t i = 0; i < guest->memory_count; i++)
		if (is_first_of_its_pages(guest, i))
			check_pages(evidence, page_bytes_of(&guest->memory[i]), findings);
}
