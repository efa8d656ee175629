// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/check_internal.h"

#define MEMINFO "/sys/devices/system/node/node%u/meminfo"

/* CAP_SYS_RESOURCE, capability.h. */
#define CAPABILITY_RESOURCE (UINT64_C(1) << 24)

/* What no useful VM starts with less of, beside what the host keeps. */
#define LEAST_BYTES (2 * SIZE_GIB)

static uint64_t pages_free(const struct machine_node *node)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < node->page_count; i++)
		bytes += node->pages[i].free * node->pages[i].page_bytes;
	return bytes;
}

void check_memory(const struct check *check, struct findings *findings)
{
	const struct machine *machine = check->host->machine;

	for (size_t i = 0; i < machine->node_count; i++) {
		const struct machine_node *node = &machine->nodes[i];
		uint64_t huge = pages_free(node);
		bool is_short = node->memory_available_bytes + huge < LEAST_BYTES &&
				node->memory_total_bytes >= LEAST_BYTES;
		CLEANUP(text) char *available = size_format_about(node->memory_available_bytes);
		CLEANUP(text) char *total = size_format_about(node->memory_total_bytes);
		CLEANUP(text) char *pages = size_format_about(huge);
		CLEANUP(text) char *subject = text_format("node %u", node->os_index);
		CLEANUP(text) char *source = text_format(MEMINFO, node->os_index);

		check_add(findings, is_short ? FINDING_WARNING : FINDING_OK, subject, source,
			  huge == 0 ? text_format("%s of %s can be had", available, total)
				    : text_format("%s of %s can be had, and %s in free huge pages",
						  available, total, pages),
			  is_short ? mem_strdup("see who has it: ps axo rss,pid,comm --sort -rss | "
						"head; huge pages that nobody uses: echo 0 | sudo "
						"tee /proc/sys/vm/nr_hugepages")
				   : NULL);
	}
}

/* The value of a line of /proc/PID/status. */
static char *status_value(const char *status, const char *key)
{
	const char *line = strstr(status, key);

	if (line == NULL)
		return NULL;
	line += strlen(key);
	line += strspn(line, " \t");
	return mem_strndup(line, strcspn(line, "\n"));
}

static bool is_daemon(const char *status)
{
	CLEANUP(text) char *name = status_value(status, "Name:");
	CLEANUP(text) char *uid = status_value(status, "Uid:");

	return (text_equal(name, "libvirtd") || text_equal(name, "virtqemud")) && uid != NULL &&
	       strtoul(uid, NULL, 10) == 0;
}

static bool judge_daemon(const struct check *check, const char *pid, struct findings *findings)
{
	CLEANUP(text) char *status = root_text(check->root, "/proc/%s/status", pid);
	CLEANUP(text) char *source = text_format("/proc/%s/status", pid);
	CLEANUP(text) char *name = NULL;
	CLEANUP(text) char *capabilities = NULL;

	if (status == NULL || !is_daemon(status))
		return false;
	name = status_value(status, "Name:");
	capabilities = status_value(status, "CapEff:");
	if (capabilities == NULL || (strtoull(capabilities, NULL, 16) & CAPABILITY_RESOURCE) != 0)
		check_add(findings, FINDING_OK, NULL, source,
			  text_format("%s may raise limits (CAP_SYS_RESOURCE)", name), NULL);
	else
		check_add(findings, FINDING_WARNING, NULL, source,
			  text_format("%s may raise no limits: it has no CAP_SYS_RESOURCE", name),
			  text_format("run it outside of a container, or give its unit "
				      "LimitMEMLOCK=infinity: sudo systemctl edit %s",
				      name));
	return true;
}

void check_memlock(const struct check *check, struct findings *findings)
{
	CLEANUP(root_names) char **names = root_names(check->root, "/proc");

	for (char **name = names; *name != NULL; name++)
		if (strspn(*name, "0123456789") == strlen(*name) &&
		    judge_daemon(check, *name, findings))
			return;
	check_add(findings, FINDING_NOT_CHECKED, NULL, "/proc/*/status",
		  mem_strdup("libvirt's daemon is not seen: it starts when it is needed, or /proc "
			     "hides it"),
		  NULL);
}

/* With strict accounting memory must be promised before it is touched. */
static bool judge_commit(const struct check *check, struct findings *findings)
{
	CLEANUP(text) char *meminfo = root_text(check->root, "/proc/meminfo");
	int64_t mode = root_number(check->root, 0, "/proc/sys/vm/overcommit_memory");
	uint64_t normal = 0;
	uint64_t left;
	CLEANUP(text) char *limit = NULL;
	CLEANUP(text) char *committed = NULL;
	CLEANUP(text) char *shown = NULL;
	CLEANUP(text) char *needed = NULL;

	for (size_t i = 0; i < check->vm->placement->cell_count; i++)
		if (check->vm->placement->cells[i].page_bytes == 0)
			normal += check->vm->placement->cells[i].memory_bytes;
	if (mode != 2 || meminfo == NULL || normal == 0)
		return false;
	limit = status_value(meminfo, "CommitLimit:");
	committed = status_value(meminfo, "Committed_AS:");
	if (limit == NULL || committed == NULL)
		return false;
	left = strtoull(limit, NULL, 10) - strtoull(committed, NULL, 10);
	left = (int64_t)left < 0 ? 0 : left * SIZE_KIB;
	if (left >= normal)
		return false;
	shown = size_format_about(left);
	needed = size_format(normal);
	check_add(findings, FINDING_FAILED, NULL, "/proc/sys/vm/overcommit_memory, /proc/meminfo",
		  text_format("the kernel may promise only %s more (CommitLimit), the VM needs %s",
			      shown, needed),
		  mem_strdup("sudo sysctl vm.overcommit_memory=0"));
	return true;
}

static void judge_cell(const struct check *check, const struct place_cell *cell,
		       struct findings *findings)
{
	const struct machine_node *node = machine_node(check->host->machine, cell->host_node);
	const struct machine_pages *pages = node == NULL || cell->page_bytes == 0
						    ? NULL
						    : machine_node_pages(node, cell->page_bytes);
	uint64_t free_bytes = node == NULL ? 0
			      : cell->page_bytes == 0
				      ? node->memory_available_bytes
				      : (pages == NULL ? 0 : pages->free * cell->page_bytes);
	CLEANUP(text) char *needed = size_format(cell->memory_bytes);
	CLEANUP(text) char *there = size_format_about(free_bytes);
	CLEANUP(text)
	char *page = cell->page_bytes == 0 ? mem_strdup("normal pages")
					   : size_format(cell->page_bytes);
	CLEANUP(text) char *subject = text_format("node %u", cell->host_node);
	CLEANUP(text) char *source = text_format(MEMINFO, cell->host_node);
	bool fits = free_bytes >= cell->memory_bytes;

	/* Placement has counted it: if it is not there now, the VM itself has it, or somebody was quicker. */
	check_add(findings, fits ? FINDING_OK : FINDING_WARNING, subject, source,
		  text_format("%s to pin, %s can be had in %s%s", needed, there,
			      cell->page_bytes == 0 ? "" : "pages of ", page),
		  fits ? NULL
		       : mem_strdup("look again: gpuvm plan SPEC tells who has memory there"));
}

void check_pin(const struct check *check, struct findings *findings)
{
	const struct placement *placement = check->vm->placement;

	if (placement == NULL) {
		check_add(findings, FINDING_NOT_CHECKED, NULL, NULL,
			  mem_strdup("there is no placement yet: see placement"), NULL);
		return;
	}
	if (judge_commit(check, findings))
		return;
	for (size_t i = 0; i < placement->cell_count; i++)
		judge_cell(check, &placement->cells[i], findings);
}
