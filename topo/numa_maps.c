// SPDX-License-Identifier: MIT
#include "topo/numa_maps.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"

#define MOST_MAPPINGS ((size_t)1 << 20)
#define MOST_PAGE_KIB (UINT64_C(1) << 34) /* 16 TiB: more than any architecture has */

/* What the kernel calls files that are memory. */
static const char *const memory_files[] = { "/memfd:",  "/dev/zero",      "/dev/hugepages",
					    "/dev/shm", "/anon_hugepage", "/SYSV" };

static bool is_program_file(const char *path)
{
	for (size_t i = 0; i < sizeof memory_files / sizeof *memory_files; i++)
		if (text_starts(path, memory_files[i]))
			return false;
	return true;
}

/* "N1=512": pages on a node. */
static void read_share(const char *word, struct numa_mapping *mapping)
{
	CLEANUP(text) char *node = mem_strndup(word + 1, strcspn(word + 1, "="));
	unsigned long long number, pages;

	if (text_number(node, &number) && number < 65536 && word[1 + strlen(node)] == '=' &&
	    text_number(word + 2 + strlen(node), &pages))
		*MEM_APPEND(mapping->shares, mapping->share_count) =
			(struct numa_share){ .node = (unsigned)number, .bytes = pages };
}

static void read_word(const char *word, struct numa_mapping *mapping)
{
	unsigned long long kib;

	if (text_equal(word, "heap") || text_equal(word, "stack"))
		mapping->is_program = true;
	else if (text_starts(word, "file="))
		mapping->is_program = is_program_file(word + strlen("file="));
	else if (text_equal(word, "huge"))
		mapping->is_program = false; /* hugetlbfs, wherever it is mounted */
	else if (*word == 'N')
		read_share(word, mapping);
	else if (text_starts(word, "kernelpagesize_kB=") &&
		 text_number(word + strlen("kernelpagesize_kB="), &kib) && kib <= MOST_PAGE_KIB)
		mapping->page_bytes = kib * SIZE_KIB;
}

/* The size of a page stands behind the counts. False if it is none, or there are too many. */
static bool multiply(struct numa_mapping *mapping)
{
	for (size_t i = 0; i < mapping->share_count; i++) {
		uint64_t *bytes = &mapping->shares[i].bytes;

		if (__builtin_mul_overflow(*bytes, mapping->page_bytes, bytes) ||
		    __builtin_add_overflow(mapping->bytes, *bytes, &mapping->bytes))
			return false;
	}
	return mapping->page_bytes > 0 && mapping->bytes > 0;
}

/* "7f3a4c000000 bind:1 file=/memfd:... huge dirty=256 N1=256 kernelpagesize_kB=2048" */
static void add_line(struct numa_maps *maps, char *line)
{
	struct numa_mapping mapping = { 0 };
	char *word;

	while ((word = strsep(&line, " ")) != NULL)
		read_word(word, &mapping);
	if (multiply(&mapping))
		*MEM_APPEND(maps->mappings, maps->count) = mapping;
	else
		free(mapping.shares);
}

struct numa_maps *numa_maps_read(const struct root *root, pid_t pid)
{
	CLEANUP(text) char *text = root_bytes(root, NULL, "/proc/%d/numa_maps", (int)pid);
	struct numa_maps *maps;
	char *rest = text;
	char *line;

	if (text == NULL)
		return NULL;
	maps = mem_alloc(1, sizeof *maps);
	while ((line = strsep(&rest, "\n")) != NULL && maps->count < MOST_MAPPINGS)
		add_line(maps, line);
	return maps;
}

void numa_maps_free(struct numa_maps *maps)
{
	if (maps == NULL)
		return;
	for (size_t i = 0; i < maps->count; i++)
		free(maps->mappings[i].shares);
	free(maps->mappings);
	free(maps);
}

char *numa_maps_path(pid_t pid)
{
	return text_format("/proc/%d/numa_maps", (int)pid);
}
