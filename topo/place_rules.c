// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

/* What the host's admin keeps back: for the host, and for every GPU that is still free. */

static const struct place_rules defaults = {
	.host_cores_per_node = 1,
	.host_memory_bytes_per_node = PLACE_NODE_RESERVE_BYTES,
};

const struct place_rules *place_rules_of(const struct place_request *request)
{
	return request->rules == NULL ? &defaults : request->rules;
}

/* QEMU needs its own memory even where the admin keeps none. */
uint64_t place_rules_reserve(const struct place_view *view)
{
	uint64_t kept = view->rules->host_memory_bytes_per_node;

	return kept < PLACE_OVERHEAD_BYTES ? PLACE_OVERHEAD_BYTES : kept;
}

bool place_rules_guarantee(const struct place_rules *rules)
{
	return rules->cpus_per_free_gpu > 0 || rules->memory_bytes_per_free_gpu > 0;
}

/*
 * A VM may take the share of its own GPUs, and what no free GPU is promised. So it leaves every other free
 * GPU its share if that had it before; and where the admin promises more than there is, shares are still
 * to be had.
 */
static uint64_t most(uint64_t open, uint64_t share, unsigned free_gpus, unsigned gpus)
{
	uint64_t promised = share * free_gpus;

	return share * gpus + (open > promised ? open - promised : 0);
}

uint64_t place_rules_cpus_most(const struct place_view *view, size_t node, unsigned gpus)
{
	if (view->rules->cpus_per_free_gpu == 0)
		return UINT64_MAX;
	return most(view->open_cpus[node], view->rules->cpus_per_free_gpu, view->free_gpus[node],
		    gpus);
}

uint64_t place_rules_bytes_most(const struct place_view *view, size_t node, unsigned gpus)
{
	if (view->rules->memory_bytes_per_free_gpu == 0)
		return UINT64_MAX;
	return most(view->open_bytes[node], view->rules->memory_bytes_per_free_gpu,
		    view->free_gpus[node], gpus);
}

static bool is_kept(const struct machine *machine, const struct place_rules *rules, size_t node,
		    unsigned core)
{
	unsigned before = 0;
	unsigned last = UINT32_MAX;

	/* The cores of a node that are usable, in the order of their first CPU. */
	for (size_t i = 0; i < machine->cpu_count; i++) {
		const struct machine_cpu *cpu = &machine->cpus[i];

		if (!cpu->usable || cpu->node != node || cpu->core == last)
			continue;
		if (cpu->core == core)
			return true;
		last = cpu->core;
		if (++before >= rules->host_cores_per_node)
			return false;
	}
	return false;
}

hwloc_bitmap_t place_host_cpus(const struct machine *machine, const struct place_rules *rules,
			       size_t node)
{
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();

	rules = rules == NULL ? &defaults : rules;
	if (rules->host_cpus != NULL) {
		hwloc_bitmap_and(cpus, rules->host_cpus, machine->nodes[node].cpus);
		return cpus;
	}
	for (size_t i = 0; i < machine->cpu_count; i++) {
		const struct machine_cpu *cpu = &machine->cpus[i];

		if (cpu->usable && cpu->node == node && is_kept(machine, rules, node, cpu->core))
			hwloc_bitmap_set(cpus, cpu->os_index);
	}
	return cpus;
}
