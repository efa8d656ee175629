// SPDX-License-Identifier: MIT
#include "vmm/cli/init_share.h"

#include "vmm/base/size.h"

#define ANY_NODE     (-1)
#define VCPUS_MOST   1024 /* as the key's row has it */
#define LEAST_MEMORY (256 * SIZE_MIB)

/* What is free near, before it is divided. */
struct room {
	unsigned cpus;
	uint64_t memory_bytes;
	unsigned gpus;
};

bool init_share_is_free(const struct init_host *on, const struct gpu *gpu)
{
	return gpu->offer == GPU_OFFERED && place_gpu_taken(gpu, on->taken) == NULL;
}

static uint64_t minus(uint64_t from, uint64_t bytes)
{
	return from > bytes ? from - bytes : 0;
}

static uint64_t promised(const struct init_host *on, unsigned node, uint64_t page_bytes)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < on->taken->memory_count; i++)
		if (on->taken->memory[i].node == node &&
		    on->taken->memory[i].page_bytes == page_bytes)
			bytes += on->taken->memory[i].bytes;
	return bytes;
}

static uint64_t free_memory(const struct init_host *on, const struct machine_node *node)
{
	uint64_t most = minus(
		minus(node->memory_available_bytes, on->rules->host_memory_bytes_per_node),
		promised(on, node->os_index, 0));

	most -= most / 16;
	for (size_t i = 0; i < node->page_count; i++) {
		uint64_t bytes = minus(node->pages[i].free * node->pages[i].page_bytes,
				       promised(on, node->os_index, node->pages[i].page_bytes));

		most = bytes > most ? bytes : most;
	}
	return most;
}

/* A guest sees CPUs of one kind: how many of @kind are free. */
static unsigned free_cpus(const struct init_host *on, size_t node, int kind)
{
	const struct machine *machine = on->host->machine;
	hwloc_bitmap_t closed = place_host_cpus(machine, on->rules, node);
	unsigned count = 0;

	for (size_t i = 0; i < on->taken->cpus_count; i++)
		hwloc_bitmap_or(closed, closed, on->taken->cpus[i].cpus);
	machine_widen_to_cores(machine, closed);
	for (size_t i = 0; i < machine->cpu_count; i++)
		if (machine->cpus[i].node == node && machine->cpus[i].kind == kind &&
		    machine->cpus[i].usable &&
		    !hwloc_bitmap_isset(closed, machine->cpus[i].os_index))
			count++;
	hwloc_bitmap_free(closed);
	return count;
}

static bool is_near(const struct machine *machine, size_t at, int node)
{
	return node == ANY_NODE || (int)machine->nodes[at].os_index == node;
}

/* Of the kind that there are most of. */
static unsigned cpus_near(const struct init_host *on, int node)
{
	const struct machine *machine = on->host->machine;
	unsigned most = 0;
	int last = 0;

	for (size_t i = 0; i < machine->cpu_count; i++)
		last = machine->cpus[i].kind > last ? machine->cpus[i].kind : last;
	for (int kind = 0; kind <= last; kind++) {
		unsigned count = 0;

		for (size_t i = 0; i < machine->node_count; i++)
			if (is_near(machine, i, node))
				count += free_cpus(on, i, kind);
		most = count > most ? count : most;
	}
	return most;
}

static struct room room_on(const struct init_host *on, int node)
{
	const struct machine *machine = on->host->machine;
	const struct gpu_list *gpus = on->host->gpus;
	struct room room = { .cpus = cpus_near(on, node) };

	for (size_t i = 0; i < machine->node_count; i++)
		if (is_near(machine, i, node))
			room.memory_bytes += free_memory(on, &machine->nodes[i]);
	for (size_t i = 0; i < gpus->count; i++)
		if (init_share_is_free(on, &gpus->gpus[i]) &&
		    (node == ANY_NODE || host_gpu_node(on->host, &gpus->gpus[i]) == node))
			room.gpus++;
	/* One that only an address can name is none of them. */
	room.gpus += room.gpus == 0;
	return room;
}

/* Threads of the machine's widest core. */
static unsigned threads_per_core(const struct machine *machine)
{
	unsigned most = 1;

	for (size_t i = 0; i < machine->cpu_count; i++) {
		unsigned threads = 0;

		for (size_t j = 0; j < machine->cpu_count; j++)
			threads += machine->cpus[j].core == machine->cpus[i].core;
		most = threads > most ? threads : most;
	}
	return most;
}

/* Whole cores, and whole gibibytes if there are some. */
static struct init_share rounded(const struct machine *machine, unsigned vcpus, uint64_t bytes)
{
	unsigned threads = threads_per_core(machine);
	uint64_t unit = bytes >= SIZE_GIB ? SIZE_GIB : 2 * SIZE_MIB;
	struct init_share share = { .vcpus = vcpus, .memory_bytes = bytes / unit * unit };

	if (vcpus > threads)
		share.vcpus -= vcpus % threads;
	if (share.vcpus == 0)
		share.vcpus = 1;
	if (share.vcpus > VCPUS_MOST)
		share.vcpus = VCPUS_MOST;
	if (share.memory_bytes < LEAST_MEMORY)
		share.memory_bytes = LEAST_MEMORY;
	return share;
}

struct init_share init_share_of(const struct init_host *on, const struct gpu *gpu)
{
	int node = host_gpu_node(on->host, gpu);
	struct room room = room_on(on, node);

	if (room.cpus == 0)
		room = room_on(on, ANY_NODE);
	return rounded(on->host->machine, room.cpus / room.gpus, room.memory_bytes / room.gpus);
}

static size_t count_on(const struct init_host *on, const struct gpu *const *gpus, size_t gpu_count,
		       int node)
{
	size_t count = 0;

	for (size_t i = 0; i < gpu_count; i++)
		count += host_gpu_node(on->host, gpus[i]) == node;
	return count;
}

static struct init_share lesser(struct init_share a, struct init_share b)
{
	a.vcpus = b.vcpus < a.vcpus ? b.vcpus : a.vcpus;
	a.memory_bytes = b.memory_bytes < a.memory_bytes ? b.memory_bytes : a.memory_bytes;
	return a;
}

struct init_share init_share_sum(const struct init_host *on, const struct gpu *const *gpus,
				 size_t gpu_count, size_t count)
{
	struct init_share best = { 0 };
	struct init_share least = { .vcpus = VCPUS_MOST, .memory_bytes = UINT64_MAX >> 11 };
	struct init_share one;

	for (size_t i = 0; i < gpu_count; i++) {
		one = init_share_of(on, gpus[i]);
		least = lesser(least, one);
		if (count_on(on, gpus, gpu_count, host_gpu_node(on->host, gpus[i])) >= count &&
		    one.vcpus > best.vcpus)
			best = one;
	}
	one = best.vcpus > 0 ? best : gpu_count > 0 ? least : (struct init_share){ 0 };
	return rounded(on->host->machine, one.vcpus * (unsigned)count, one.memory_bytes * count);
}
