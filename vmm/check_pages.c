// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/check_internal.h"

#define POOL "/sys/devices/system/node/node%u/hugepages/hugepages-%" PRIu64 "kB/nr_hugepages"

static uint64_t total_pages(const struct machine *machine, uint64_t page_bytes)
{
	uint64_t total = 0;

	for (size_t i = 0; i < machine->node_count; i++) {
		const struct machine_pages *pages = machine_node_pages(&machine->nodes[i],
								       page_bytes);

		total += pages == NULL ? 0 : pages->total;
	}
	return total;
}

/* Whether a GPU that words may choose is near the node. */
static bool has_gpu(const struct check *check, const struct machine_node *node)
{
	for (size_t i = 0; i < check->host->gpus->count; i++) {
		const struct gpu *gpu = &check->host->gpus->gpus[i];

		if (gpu->offer == GPU_OFFERED &&
		    host_gpu_node(check->host, gpu) == (int)node->os_index)
			return true;
	}
	return false;
}

/* setup-host replaces what was asked for at boot: those of the other nodes are said again. The caller frees. */
static char *setup_pages(const struct machine *machine, const struct machine_node *node,
			 uint64_t page_bytes)
{
	char *command = mem_strdup("from the next boot on: sudo gpuvm setup-host --gib-pages ");
	const char *comma = "";

	for (size_t i = 0; i < machine->node_count; i++, comma = ",") {
		const struct machine_node *other = &machine->nodes[i];
		const struct machine_pages *pages = machine_node_pages(other, page_bytes);

		if (other == node)
			text_add(&command, "%s%u:NUMBER", comma, other->os_index);
		else
			text_add(&command, "%s%u:%" PRIu64, comma, other->os_index,
				 pages == NULL ? 0 : pages->total);
	}
	return command;
}

static void judge_node(const struct check *check, const struct machine_node *node,
		       uint64_t page_bytes, uint64_t total, struct findings *findings)
{
	const struct machine_pages *pages = machine_node_pages(node, page_bytes);
	CLEANUP(text) char *size = size_format(page_bytes);
	CLEANUP(text) char *source = text_format(POOL, node->os_index, page_bytes / 1024);

	if ((pages != NULL && pages->total > 0) || !has_gpu(check, node))
		return;
	check_add(findings, FINDING_WARNING, NULL, source,
		  text_format("node %u has GPUs and none of the %" PRIu64 " pages of %s",
			      node->os_index, total, size),
		  page_bytes >= SIZE_GIB ? setup_pages(check->host->machine, node, page_bytes)
					 : text_format("echo NUMBER | sudo tee %s", source));
}

void check_pages(const struct check *check, struct findings *findings)
{
	const struct machine *machine = check->host->machine;
	static const uint64_t sizes[] = { SIZE_GIB, 2 * SIZE_MIB };
	CLEANUP(text) char *all = NULL;
	size_t before = findings->count;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint64_t total = total_pages(machine, sizes[i]);
		CLEANUP(text) char *size = size_format(sizes[i]);

		for (size_t j = 0; total > 0 && j < machine->node_count; j++)
			judge_node(check, &machine->nodes[j], sizes[i], total, findings);
		for (size_t j = 0; total > 0 && j < machine->node_count; j++) {
			const struct machine_pages *pages = machine_node_pages(&machine->nodes[j],
									       sizes[i]);

			if (pages != NULL && pages->total > 0)
				text_add(&all, "%snode %u: %" PRIu64 " of %" PRIu64 " of %s free",
					 all == NULL ? "" : "; ", machine->nodes[j].os_index,
					 pages->free, pages->total, size);
		}
	}
	if (findings->count == before)
		check_add(findings, FINDING_OK, NULL, "/sys/devices/system/node/*/hugepages",
			  all == NULL ? mem_strdup("none are set aside: VMs get normal pages")
				      : STEAL(all),
			  NULL);
}

/* "1G", "2M", "2048k"; 0: none. */
static uint64_t size_of(const char *value)
{
	char *end;
	uint64_t number = strtoull(value, &end, 10);

	switch (*end) {
	case 'G':
	case 'g':
		return number * SIZE_GIB;
	case 'M':
	case 'm':
		return number * SIZE_MIB;
	case 'K':
	case 'k':
		return number * SIZE_KIB;
	default:
		return number;
	}
}

/* "16", or by node "0:8,1:8". */
static uint64_t pages_of(const char *value)
{
	CLEANUP(text) char *copy = mem_strdup(value);
	char *rest = copy;
	char *part;
	uint64_t total = 0;

	while ((part = strsep(&rest, ",")) != NULL) {
		const char *colon = strchr(part, ':');

		total += strtoull(colon == NULL ? part : colon + 1, NULL, 10);
	}
	return total;
}

static void judge_boot(const struct check *check, uint64_t page_bytes, const char *word,
		       uint64_t wanted, struct findings *findings)
{
	uint64_t there = total_pages(check->host->machine, page_bytes);
	CLEANUP(text) char *size = size_format(page_bytes);

	if (there >= wanted)
		check_add(findings, FINDING_OK, NULL, CMDLINE_FILE,
			  text_format("%s: %" PRIu64 " pages of %s are there", word, there, size),
			  NULL);
	else
		check_add(findings, FINDING_WARNING, NULL, CMDLINE_FILE,
			  text_format("%s asks for %" PRIu64 " pages of %s, there are %" PRIu64,
				      word, wanted, size, there),
			  text_format("ask for fewer, or put hugepagesz= right before hugepages=; "
				      "see: sudo dmesg | grep -i hugetlb"));
}

void check_boot_pages(const struct check *check, struct findings *findings)
{
	const struct cmdline *cmdline = check->cmdline;
	const struct cmdline_argument *normal = cmdline_last(cmdline, "default_hugepagesz", NULL);
	uint64_t page_bytes = normal == NULL || normal->value == NULL ? 2 * SIZE_MIB
								      : size_of(normal->value);
	size_t before = findings->count;

	for (size_t i = 0; i < cmdline->count; i++) {
		const struct cmdline_argument *argument = &cmdline->arguments[i];

		if (argument->value == NULL)
			continue;
		if (text_equal(argument->key, "hugepagesz"))
			page_bytes = size_of(argument->value);
		else if (text_equal(argument->key, "hugepages"))
			judge_boot(check, page_bytes, argument->word, pages_of(argument->value),
				   findings);
	}
	if (findings->count > before)
		return;
	if (cmdline->is_known)
		check_add(findings, FINDING_OK, NULL, CMDLINE_FILE,
			  mem_strdup("none are asked for"), NULL);
	else
		check_add_unread(findings, CMDLINE_FILE);
}
