// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/cpulist.h"
#include "vmm/guest_internal.h"

enum {
	MOST_CELLS = 1024,
	NORMAL_PAGE = 4096,
};

/* What there is about cells, to be looked up by their numbers. */
struct cells {
	xmlXPathObject *memnodes, *pages;
	hwloc_bitmap_t nodes; /* of cells that have none of their own */
	bool has_hugepages;
};

/* The size in @name, in libvirt's canonical unit if there is no other. 0: none. */
static uint64_t read_bytes(xmlNode *node, const char *name)
{
	CLEANUP(text) char *number = guest_attribute(node, name);
	CLEANUP(text) char *unit = guest_attribute(node, "unit");
	CLEANUP(text) char *size = NULL;
	uint64_t bytes = 0;

	if (number == NULL)
		return 0;
	size = text_format("%s %s", number, unit == NULL ? "KiB" : unit);
	return size_parse(size, &bytes) == NULL ? bytes : 0;
}

/* Empty if @list is NULL or malformed: any node. New bitmap. */
static hwloc_bitmap_t read_nodes(const char *list)
{
	hwloc_bitmap_t nodes = hwloc_bitmap_alloc();

	if (list != NULL)
		(void)cpulist_parse(list, nodes);
	return nodes;
}

static bool lists(xmlNode *node, const char *name, unsigned number)
{
	CLEANUP(text) char *list = guest_attribute(node, name);
	hwloc_bitmap_t numbers = read_nodes(list);
	bool is_in = hwloc_bitmap_isset(numbers, number);

	hwloc_bitmap_free(numbers);
	return is_in;
}

/* A <page> without nodeset is for the cells that no other one names. */
static uint64_t page_bytes_of(const struct cells *cells, unsigned cell)
{
	/* A bare <hugepages/> means the kernel's default size. */
	uint64_t bytes = cells->has_hugepages && guest_found_count(cells->pages) == 0 ? 2 * SIZE_MIB
										      : 0;

	for (size_t i = 0; i < guest_found_count(cells->pages) && i < MOST_CELLS; i++) {
		xmlNode *page = cells->pages->nodesetval->nodeTab[i];
		CLEANUP(text) char *list = guest_attribute(page, "nodeset");

		if (list != NULL && !lists(page, "nodeset", cell))
			continue;
		bytes = read_bytes(page, "size");
		if (list != NULL)
			break;
	}
	return bytes <= NORMAL_PAGE ? 0 : bytes;
}

static hwloc_bitmap_t nodes_of(const struct cells *cells, unsigned cell)
{
	for (size_t i = 0; i < guest_found_count(cells->memnodes) && i < MOST_CELLS; i++) {
		xmlNode *memnode = cells->memnodes->nodesetval->nodeTab[i];
		CLEANUP(text) char *list = guest_attribute(memnode, "nodeset");

		if (lists(memnode, "cellid", cell))
			return read_nodes(list);
	}
	return hwloc_bitmap_dup(cells->nodes);
}

static void add_memory(struct guest *guest, hwloc_bitmap_t nodes, uint64_t page_bytes,
		       uint64_t bytes)
{
	*MEM_APPEND(guest->memory, guest->memory_count) =
		(struct guest_memory){ .nodes = nodes, .page_bytes = page_bytes, .bytes = bytes };
}

static void add_cells(struct guest *guest, const struct cells *cells, const xmlXPathObject *found)
{
	uint64_t left = guest->memory_bytes;

	for (size_t i = 0; i < guest_found_count(found) && i < MOST_CELLS; i++) {
		xmlNode *node = found->nodesetval->nodeTab[i];
		uint64_t bytes = read_bytes(node, "memory");
		CLEANUP(text) char *id = guest_attribute(node, "id");
		unsigned cell = (unsigned)i;

		if (id != NULL && guest_read_unsigned(id, &cell) < 0)
			cell = (unsigned)i;
		if (bytes == 0 || bytes > left)
			continue;
		left -= bytes;
		add_memory(guest, nodes_of(cells, cell), page_bytes_of(cells, cell), bytes);
	}
	/* No cells; or memory modules besides them. */
	if (left > 0 || guest->memory_count == 0)
		add_memory(guest, hwloc_bitmap_dup(cells->nodes), page_bytes_of(cells, 0), left);
}

static bool is_there(xmlXPathContext *context, const char *path)
{
	CLEANUP(found) xmlXPathObject *found = guest_find(context, path);

	return guest_found_count(found) > 0;
}

void guest_read_memory(struct guest *guest, xmlXPathContext *context)
{
	CLEANUP(text) char *nodeset = guest_text_at(context, "/domain/numatune/memory/@nodeset");
	CLEANUP(found) xmlXPathObject *found = guest_find(context, "/domain/cpu/numa/cell");
	CLEANUP(found)
	xmlXPathObject *memnodes = guest_find(context, "/domain/numatune/memnode");
	CLEANUP(found)
	xmlXPathObject *pages = guest_find(context, "/domain/memoryBacking/hugepages/page");
	struct cells cells = { .memnodes = memnodes,
			       .pages = pages,
			       .nodes = read_nodes(nodeset),
			       .has_hugepages = is_there(context,
							 "/domain/memoryBacking/hugepages") };

	add_cells(guest, &cells, found);
	hwloc_bitmap_free(cells.nodes);
	guest->allocates_at_start = guest->hostdev_count > 0 ||
				    is_there(context,
					     "/domain/memoryBacking/allocation[@mode='immediate'] |"
					     "/domain/memoryBacking/locked");
}
