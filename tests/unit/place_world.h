/* SPDX-License-Identifier: MIT */
/* Hosts made up at random, and the VMs on them; for the tests of place that play streams of requests. */
#ifndef GPUVM_TESTS_PLACE_WORLD_H
#define GPUVM_TESTS_PLACE_WORLD_H

#include "tests/unit/place_hosts.h"

#define VMS_MOST   12
#define CARDS_MOST 8

struct vm {
	struct placement *placement;
	hwloc_bitmap_t cpus; /* and idle siblings if whole */
	enum place_threads threads;
};

struct world {
	uint64_t seed;
	struct shape shape;
	struct card cards[CARDS_MOST + 1];
	char addresses[CARDS_MOST][16], paths[CARDS_MOST][40];
	struct made *made;
	struct place_rules rules;
	struct vm vms[VMS_MOST];
	size_t vm_count;
};

/* A random number below @below; the same on every machine (Knuth's MMIX generator). */
static inline unsigned roll(struct world *world, unsigned below)
{
	world->seed = world->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(world->seed >> 33) % below;
}

static inline void make_shape(struct world *world)
{
	struct shape *shape = &world->shape;

	shape->nodes_per_package = 1 + roll(world, 2);
	shape->nodes = shape->nodes_per_package * (1 + roll(world, 2));
	shape->cores = 3 + roll(world, 6);
	shape->threads = 1 + roll(world, 2);
	shape->l3_cores = 1 + roll(world, shape->cores);
	if (roll(world, 5) == 0)
		shape->slow_cores = 1 + roll(world, 2);
	shape->total_gib = 32;
	shape->available_gib = 4 + roll(world, 12);
	shape->pages_1g = shape->free_1g = roll(world, 2) * 8;
	shape->pages_2m = shape->free_2m = roll(world, 2) * 2048;
	if (roll(world, 6) == 0) {
		shape->closed_from = roll(world, shape->nodes * shape->cores * shape->threads);
		shape->closed_below = shape->closed_from + 2;
	}
}

/* Root complexes of one to four GPUs, some behind a switch, some groups of two. */
static inline void make_cards(struct world *world)
{
	unsigned count = 1 + roll(world, CARDS_MOST);
	unsigned root = 0x80;

	for (unsigned i = 0; i < count; i++) {
		struct card *card = &world->cards[i];

		snprintf(world->addresses[i], sizeof world->addresses[i], "0000:%02x:00.0",
			 0x10 + i);
		if (i == 0 || roll(world, 2) == 0)
			root += 0x10;
		*card = (struct card){ world->addresses[i], 0, (int)i, "H100", NULL };
		card->node = (int)((root >> 4) % world->shape.nodes);
		if (i > 0 && card[-1].node == card->node && roll(world, 6) == 0)
			card->group = card[-1].group;
		snprintf(world->paths[i], sizeof world->paths[i], "%02x:%02x.0/%02x:00.0", root,
			 roll(world, 2), 0x10 + i);
	}
}

static inline void make_rules(struct world *world)
{
	world->rules = (struct place_rules){ .file = "host.ini" };
	world->rules.host_cores_per_node = 1 + (roll(world, 4) == 0);
	world->rules.host_memory_bytes_per_node = roll(world, 3) * SIZE_GIB;
	if (roll(world, 3) == 0)
		world->rules.cpus_per_free_gpu = 1 + roll(world, 3);
	if (roll(world, 3) == 0)
		world->rules.memory_bytes_per_free_gpu = (1 + roll(world, 3)) * SIZE_GIB;
}

static inline void make_world(struct world *world, uint64_t seed)
{
	const char *paths[CARDS_MOST];

	*world = (struct world){ .seed = seed };
	make_shape(world);
	make_cards(world);
	make_rules(world);
	world->made = made_host(&world->shape, world->cards);
	for (size_t i = 0; i < CARDS_MOST; i++)
		paths[i] = world->paths[i];
	made_paths(world->made, paths);
}

/* The VMs as placement is told of them; a CPU or a GPU less if asked for. */
struct told {
	struct place_taken taken;
	struct place_taken_cpus cpus[VMS_MOST];
	struct place_taken_gpu gpus[CARDS_MOST];
};

static inline void tell(const struct world *world, struct told *told)
{
	*told = (struct told){ .taken = { .cpus = told->cpus, .gpus = told->gpus } };
	for (size_t i = 0; i < world->vm_count; i++) {
		const struct vm *vm = &world->vms[i];

		told->cpus[told->taken.cpus_count++] = (struct place_taken_cpus){ vm->cpus,
										  "VM \"a\"" };
		for (size_t j = 0; j < vm->placement->gpu_count; j++)
			told->gpus[told->taken.gpu_count++] = (struct place_taken_gpu){
				.address = vm->placement->gpus[j].gpu->device->address,
				.holder = "VM \"a\""
			};
	}
}

/* @sign 1: given back, -1: taken. Nothing below zero: nothing is given twice. */
static inline void move_memory(struct world *world, const struct placement *placement, int sign)
{
	for (size_t i = 0; i < placement->cell_count; i++) {
		const struct place_cell *cell = &placement->cells[i];
		struct machine_node *node = &world->made->machine.nodes[cell->host_node];
		uint64_t *from = &node->memory_available_bytes;
		uint64_t amount = cell->memory_bytes;

		for (size_t j = 0; j < node->page_count && cell->page_bytes != 0; j++)
			if (node->pages[j].page_bytes == cell->page_bytes) {
				from = &node->pages[j].free;
				amount /= cell->page_bytes;
			}
		assert_true(sign > 0 || *from >= amount);
		*from = sign > 0 ? *from + amount : *from - amount;
	}
}

static inline hwloc_bitmap_t siblings_too(const struct machine *machine, hwloc_const_bitmap_t cpus)
{
	hwloc_bitmap_t wide = hwloc_bitmap_dup(cpus);

	for (size_t i = 0; i < machine->cpu_count; i++)
		for (size_t j = 0; j < machine->cpu_count; j++)
			if (machine->cpus[i].core == machine->cpus[j].core &&
			    hwloc_bitmap_isset(cpus, machine->cpus[j].os_index))
				hwloc_bitmap_set(wide, machine->cpus[i].os_index);
	return wide;
}

static inline struct vm vm_of(const struct world *world, struct placement *placement,
			      enum place_threads threads)
{
	struct vm vm = { .placement = placement, .threads = threads };
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();

	for (size_t i = 0; i < placement->vcpu_count; i++)
		hwloc_bitmap_set(cpus, placement->vcpus[i].cpu);
	vm.cpus = threads == PLACE_WHOLE_CORES ? siblings_too(&world->made->machine, cpus)
					       : hwloc_bitmap_dup(cpus);
	hwloc_bitmap_free(cpus);
	return vm;
}

static inline void drop(struct world *world, size_t at)
{
	move_memory(world, world->vms[at].placement, 1);
	placement_free(world->vms[at].placement);
	hwloc_bitmap_free(world->vms[at].cpus);
	world->vms[at] = world->vms[--world->vm_count];
}

/* CPUs and memory of @node that VMs can still have, and its free GPUs; as @threads sees it. */
struct open {
	uint64_t cpus, bytes, gpus;
};

static inline struct open open_on(const struct world *world, size_t node,
				  enum place_threads threads)
{
	const struct machine *machine = &world->made->machine;
	const struct machine_node *at = &machine->nodes[node];
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();
	hwloc_bitmap_t own = place_host_cpus(machine, &world->rules, node);
	uint64_t kept = world->rules.host_memory_bytes_per_node;
	struct open open = { 0 };
	struct told told;

	kept = kept < SIZE_GIB / 4 ? SIZE_GIB / 4 : kept;
	for (size_t i = 0; i < machine->cpu_count; i++)
		if (machine->cpus[i].usable && machine->cpus[i].node == node)
			hwloc_bitmap_set(cpus, machine->cpus[i].os_index);
	hwloc_bitmap_andnot(cpus, cpus, own);
	for (size_t i = 0; i < world->vm_count; i++) {
		hwloc_bitmap_t wide = threads == PLACE_WHOLE_CORES
					      ? siblings_too(machine, world->vms[i].cpus)
					      : hwloc_bitmap_dup(world->vms[i].cpus);

		hwloc_bitmap_andnot(cpus, cpus, wide);
		hwloc_bitmap_free(wide);
	}
	open.cpus = (uint64_t)hwloc_bitmap_weight(cpus);
	hwloc_bitmap_free(cpus);
	hwloc_bitmap_free(own);
	if (at->memory_available_bytes > kept)
		open.bytes += at->memory_available_bytes - kept;
	for (size_t i = 0; i < at->page_count && at->memory_available_bytes >= SIZE_GIB / 4; i++)
		open.bytes += at->pages[i].free * at->pages[i].page_bytes;
	tell(world, &told);
	for (size_t i = 0; i < world->made->host.gpus->count; i++) {
		const struct gpu *gpu = &world->made->host.gpus->gpus[i];

		open.gpus += gpu->device->numa_node == (int)node &&
			     place_gpu_holder(gpu, &told.taken) == NULL;
	}
	return open;
}

#endif
