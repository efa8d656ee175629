// SPDX-License-Identifier: MIT
#include "topo/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"

#define NODE "/sys/devices/system/node"

static uint64_t plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* The bytes of "... @key:   123 kB" in @meminfo, 0 if there is no such line. */
static uint64_t meminfo_bytes(const char *meminfo, const char *key)
{
	CLEANUP(text) char *label = text_format("%s:", key);
	const char *at = meminfo;
	unsigned long long count;

	while ((at = strstr(at, label)) != NULL) {
		bool is_word = at == meminfo || at[-1] == ' ' || at[-1] == '\n';

		at += strlen(label);
		if (!is_word)
			continue;
		/* 15 digits cannot overflow; no machine needs them */
		return sscanf(at, " %15llu kB", &count) == 1 ? count * SIZE_KIB : 0;
	}
	return 0;
}

static void read_meminfo(const char *meminfo, struct machine_node *node)
{
	uint64_t file = plus(meminfo_bytes(meminfo, "Active(file)"),
			     meminfo_bytes(meminfo, "Inactive(file)"));
	uint64_t unwritten = plus(meminfo_bytes(meminfo, "Dirty"),
				  meminfo_bytes(meminfo, "Writeback"));

	node->memory_total_bytes = meminfo_bytes(meminfo, "MemTotal");
	node->memory_available_bytes = plus(meminfo_bytes(meminfo, "MemFree"),
					    less(file, unwritten));
	if (node->memory_available_bytes > node->memory_total_bytes)
		node->memory_available_bytes = node->memory_total_bytes;
}

static int largest_first(const void *a, const void *b)
{
	uint64_t left = ((const struct machine_pages *)a)->page_bytes;
	uint64_t right = ((const struct machine_pages *)b)->page_bytes;

	return (left < right) - (left > right);
}

static uint64_t read_count(const struct root *root, const char *folder, const char *size,
			   const char *file)
{
	int64_t count = root_number(root, 0, "%s/%s/%s", folder, size, file);

	return count < 0 ? 0 : (uint64_t)count;
}

static void read_pages(const struct root *root, const char *folder, struct machine_node *node)
{
	CLEANUP(root_names) char **sizes = root_names(root, "%s", folder);

	for (char **size = sizes; *size != NULL; size++) {
		struct machine_pages *pages;
		unsigned long long kib;
		char end;

		if (sscanf(*size, "hugepages-%12llukB%c", &kib, &end) != 1 || kib == 0)
			continue;
		pages = MEM_APPEND(node->pages, node->page_count);
		pages->page_bytes = kib * SIZE_KIB;
		pages->total = read_count(root, folder, *size, "nr_hugepages");
		pages->free = read_count(root, folder, *size, "free_hugepages");
	}
	if (node->page_count > 1)
		qsort(node->pages, node->page_count, sizeof *node->pages, largest_first);
}

void memory_read(const struct root *root, struct machine_node *node)
{
	bool has_nodes = root_exists(root, NODE "/node%u", node->os_index);
	CLEANUP(text)
	char *folder = has_nodes ? text_format(NODE "/node%u/hugepages", node->os_index)
				 : mem_strdup("/sys/kernel/mm/hugepages");
	CLEANUP(text)
	char *meminfo = has_nodes ? root_text(root, NODE "/node%u/meminfo", node->os_index)
				  : root_text(root, "/proc/meminfo");

	if (meminfo != NULL)
		read_meminfo(meminfo, node);
	read_pages(root, folder, node);
}

uint64_t memory_node_bytes(const struct root *root, unsigned node)
{
	struct machine_node memory = { .os_index = node };

	if (!root_exists(root, NODE "/node%u", node) && (node > 0 || root_exists(root, NODE)))
		return 0;
	memory_read(root, &memory);
	free(memory.pages);
	return memory.memory_total_bytes;
}
