// SPDX-License-Identifier: MIT
#include "vmm/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/keys_read.h"
#include "vmm/keys_type.h"

/* What QEMU and OVMF need of a node besides the guest's memory. */
#define LEAST_MEMORY (256 * SIZE_MIB)

static const struct keys_section sections[] = {
	{ .name = "host", .doc = "what VMs never get" },
	{ .name = "gpus", .doc = "what is kept near each GPU that is still free, for its next VM" },
	{ .name = NULL },
};

static const struct keys_row rows[] = {
	{ .section = "host",
	  .key = "cores_per_node",
	  .type = &keys_type_count,
	  .min = 1,
	  .max = 64,
	  .fallback = "1",
	  .offset = offsetof(struct policy, rules.host_cores_per_node),
	  .example = "2",
	  .doc = "cores of each NUMA node kept for the host and QEMU's own threads" },
	{ .section = "host",
	  .key = "cpus",
	  .type = &keys_type_cpus,
	  .offset = offsetof(struct policy, host_cpus),
	  .example = "0-1,32-33",
	  .doc = "exactly these CPUs instead of cores_per_node" },
	{ .section = "host",
	  .key = "memory_per_node",
	  .type = &keys_type_size,
	  .unit = "bytes",
	  .min = LEAST_MEMORY,
	  .max = SIZE_TIB,
	  .fallback = "1 GiB",
	  .offset = offsetof(struct policy, rules.host_memory_bytes_per_node),
	  .example = "4 GiB",
	  .doc = "memory of each NUMA node kept free of guests" },
	{ .section = "host",
	  .key = "memory_share",
	  .type = &keys_type_share,
	  .min = 1,
	  .max = 50,
	  .offset = offsetof(struct policy, host_memory_share),
	  .example = "2 %",
	  .doc = "instead of memory_per_node: this share of the memory, evenly from each node" },
	{ .section = "gpus",
	  .key = "cpus_per_free_gpu",
	  .type = &keys_type_count,
	  .min = 1,
	  .max = 1024,
	  .offset = offsetof(struct policy, rules.cpus_per_free_gpu),
	  .line_offset = offsetof(struct policy, rules.cpus_per_free_gpu_line),
	  .example = "8",
	  .doc = "CPUs that no VM may take from each GPU still free; not written: none" },
	{ .section = "gpus",
	  .key = "memory_per_free_gpu",
	  .type = &keys_type_size,
	  .unit = "bytes",
	  .min = LEAST_MEMORY,
	  .max = 64 * SIZE_TIB,
	  .offset = offsetof(struct policy, rules.memory_bytes_per_free_gpu),
	  .line_offset = offsetof(struct policy, rules.memory_per_free_gpu_line),
	  .example = "64 GiB",
	  .doc = "memory that no VM may take from each GPU still free; not written: none" },
	{ .key = NULL },
};

const struct keys_table *policy_keys(void)
{
	static const struct keys_table table = {
		.sections = sections,
		.rows = rows,
		.start = "the host's policy starts with [host] or [gpus]",
	};

	return &table;
}

static void check_alternatives(const struct keys_parts *parts, const char *one, const char *other,
			       struct fail *fail)
{
	const struct keys_value *first = keys_read_find(parts, "host", one);
	const struct keys_value *second = keys_read_find(parts, "host", other);

	if (first == NULL || second == NULL)
		return;
	keys_value_refuse(second, fail, "%s is written too", one);
	fail_cause(fail, "line %u; each is instead of the other", first->line);
	fail_hint(fail, "leave one of them out");
}

static void check_cpus(const struct policy *policy, const struct keys_parts *parts,
		       const struct machine *machine, struct fail *fail)
{
	CLEANUP(text) char *unknown = NULL;
	hwloc_bitmap_t left;

	if (policy->host_cpus == NULL)
		return;
	left = hwloc_bitmap_dup(policy->host_cpus);
	for (size_t i = 0; i < machine->cpu_count; i++)
		hwloc_bitmap_clr(left, machine->cpus[i].os_index);
	if (!hwloc_bitmap_iszero(left)) {
		unknown = machine_cpus_format(left);
		keys_value_refuse(keys_read_find(parts, "host", "cpus"), fail,
				  "CPU %s is not online on this host", unknown);
		fail_hint(fail, "see which there are: lscpu --extended");
	}
	hwloc_bitmap_free(left);
}

static uint64_t share_of(const struct machine *machine, unsigned percent)
{
	uint64_t total = 0;
	uint64_t nodes = 0;
	uint64_t bytes;

	for (size_t i = 0; i < machine->node_count; i++) {
		total += machine->nodes[i].memory_total_bytes;
		nodes += machine->nodes[i].memory_total_bytes > 0;
	}
	bytes = nodes == 0 ? 0 : total * percent / 100 / nodes / SIZE_MIB * SIZE_MIB;
	return bytes < LEAST_MEMORY ? LEAST_MEMORY : bytes;
}

static void settle(struct policy *policy, const struct machine *machine)
{
	policy->rules.file = policy->file;
	policy->rules.host_cpus = policy->host_cpus;
	if (policy->host_memory_share > 0)
		policy->rules.host_memory_bytes_per_node = share_of(machine,
								    policy->host_memory_share);
}

/* NULL: there is nothing to read. */
static char *find_file(const struct root *root, const char *path)
{
	CLEANUP(text)
	char *file = path == NULL ? root_path(root, "%s", POLICY_FILE) : mem_strdup(path);
	struct stat about;

	/* Whatever else is wrong with it is for the reader to say: a policy is never passed over. */
	if (stat(file, &about) < 0 ? errno == ENOENT && path == NULL
				   : S_ISREG(about.st_mode) && about.st_size == 0)
		return NULL;
	return STEAL(file);
}

static int read_file(struct policy *policy, const struct machine *machine, struct fail *fail)
{
	CLEANUP(ini) struct ini *ini = NULL;
	CLEANUP(keys_parts) struct keys_parts parts = { 0 };

	/* Without a file, and without anything in it, everything has its default. */
	if (policy->file == NULL)
		ini = mem_alloc(1, sizeof *ini);
	else
		ini_read(policy->file, &ini, fail);
	if (ini == NULL)
		return -1;
	keys_read(policy_keys(), ini, "/", policy, &parts, fail);
	check_alternatives(&parts, "cores_per_node", "cpus", fail);
	check_alternatives(&parts, "memory_per_node", "memory_share", fail);
	check_cpus(policy, &parts, machine, fail);
	fail_sort(fail);
	return fail->kind == FAIL_NONE ? 0 : -1;
}

int policy_read(const struct root *root, const char *path, const struct machine *machine,
		struct policy **ret_policy, struct fail *fail)
{
	CLEANUP(policy) struct policy *policy = mem_alloc(1, sizeof *policy);

	policy->file = find_file(root, path);
	if (read_file(policy, machine, fail) < 0) {
		/* The readers blame the user's spec; this file is the admin's. */
		if (fail->kind == FAIL_SPEC)
			fail->kind = FAIL_HOST;
		return -1;
	}
	settle(policy, machine);
	*ret_policy = STEAL(policy);
	return 0;
}

void policy_free(struct policy *policy)
{
	if (policy == NULL)
		return;
	free(policy->file);
	hwloc_bitmap_free(policy->host_cpus);
	free(policy);
}
