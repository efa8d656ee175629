// SPDX-License-Identifier: MIT
#include "tests/unit/place_world.h"

/*
 * VMs that come and go on hosts made up at random: what must hold of every placement, whatever it is.
 * A placed VM is what its caller would say of it: its CPUs with the siblings that it leaves idle, its
 * GPUs, and memory that is gone from the host's.
 */

struct tally {
	size_t placed, refused, freed_cpus, freed_memory, freed_gpus, guarded, blocks, pinned;
};

static void roll_request(struct world *world, struct place_gpu_request *gpus,
			 struct place_request *request)
{
	/* One roll to a statement: the order of initialisers is the compiler's. */
	*gpus = (struct place_gpu_request){ .label = "[gpu]", .file = "random.ini" };
	gpus->count = 1 + roll(world, 3);
	if (roll(world, 6) == 0)
		gpus->count = 1 + roll(world, 8);
	*request = (struct place_request){
		.gpus = gpus, .gpu_count = 1, .rules = &world->rules, .file = "random.ini"
	};
	request->vcpus = 1 + roll(world, world->shape.cores * world->shape.threads);
	request->memory_bytes = (1 + roll(world, 16)) * SIZE_GIB / 2;
	request->policy = (enum place_policy)roll(world, 3);
	request->hugepages = (enum place_hugepages)roll(world, 4);
	request->threads = (enum place_threads)(roll(world, 4) == 0);
	request->p2p = roll(world, 2) == 0;
}

static char *everything(const struct placement *placement)
{
	char *text = placement_text(placement);

	text_add(&text, " %u/%u/%u/%u", placement->topology.sockets, placement->topology.dies,
		 placement->topology.cores, placement->topology.threads);
	for (size_t i = 0; i < placement->gpu_count; i++)
		text_add(&text, " %d", placement->gpus[i].clique);
	for (size_t i = 0; i < placement->reason_count; i++) {
		const struct place_reason *reason = &placement->reasons[i];

		text_add(&text, "\n%s: %s (%s)", reason->choice, reason->why,
			 reason->rejected == NULL ? "-" : reason->rejected);
	}
	return text;
}

static bool would(const struct place_request *request, const struct host *host,
		  const struct place_taken *taken, char **ret_text)
{
	CLEANUP(placement) struct placement *placement = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	bool fits = place(request, host, taken, &placement, &fail) == 0;

	if (ret_text != NULL)
		*ret_text = fits ? everything(placement) : mem_strdup(fail.items[0].what);
	return fits;
}

/* What fits still fits when a random CPU, a random GPU or some memory is given back. */
static void check_monotone(struct world *world, const struct place_request *request,
			   struct tally *tally)
{
	struct machine_node *node = &world->made->machine.nodes[roll(world, world->shape.nodes)];
	uint64_t *memory[] = { &node->memory_available_bytes, &node->pages[0].free,
			       &node->pages[1].free };
	const uint64_t steps[] = { SIZE_GIB / 2, 1, 256 };
	unsigned kind = roll(world, 3);
	uint64_t more = (1 + roll(world, 7)) * steps[kind];
	struct told told;

	tell(world, &told);
	*memory[kind] += more;
	assert_true(would(request, &world->made->host, &told.taken, NULL));
	*memory[kind] -= more;
	tally->freed_memory++;
	if (told.taken.cpus_count > 0) {
		size_t at = roll(world, (unsigned)told.taken.cpus_count);
		hwloc_bitmap_t fewer = hwloc_bitmap_dup(told.cpus[at].cpus);
		int cpu = hwloc_bitmap_first(fewer);

		for (unsigned skip = roll(world, 4); skip > 0; skip--)
			cpu = hwloc_bitmap_next(fewer, cpu) < 0 ? cpu
								: hwloc_bitmap_next(fewer, cpu);
		hwloc_bitmap_clr(fewer, (unsigned)cpu);
		told.cpus[at].cpus = fewer;
		assert_true(would(request, &world->made->host, &told.taken, NULL));
		hwloc_bitmap_free(fewer);
		tally->freed_cpus++;
	}
	tell(world, &told);
	if (told.taken.gpu_count > 0 && world->rules.cpus_per_free_gpu == 0 &&
	    world->rules.memory_bytes_per_free_gpu == 0) {
		size_t at = roll(world, (unsigned)told.taken.gpu_count);

		told.gpus[at] = told.gpus[--told.taken.gpu_count];
		assert_true(would(request, &world->made->host, &told.taken, NULL));
		tally->freed_gpus++;
	}
}

/* Of the placed VM alone: nothing of others, cores whole, on its GPUs' nodes, the topology's product. */
static void check_vm(const struct world *world, const struct place_request *request,
		     const struct vm *vm, struct tally *tally)
{
	const struct placement *placement = vm->placement;
	const struct place_topology *guest = &placement->topology;
	struct told told;

	tell(world, &told);
	placement_check(placement, &world->made->host, request, &told.taken);
	for (size_t i = 0; i < world->vm_count; i++)
		assert_false(hwloc_bitmap_intersects(vm->cpus, world->vms[i].cpus));
	for (size_t i = 0; i < placement->cell_count && request->policy == PLACE_REQUIRED; i++) {
		bool is_own = false;

		for (size_t j = 0; j < placement->gpu_count; j++)
			is_own |= placement->gpus[j].cell == (int)i;
		assert_true(is_own);
	}
	assert_int_equal(guest->sockets * guest->dies * guest->cores * guest->threads,
			 request->vcpus);
	for (size_t i = 0; i < request->vcpus && guest->threads > 1; i++)
		assert_int_equal(machine_cpu(&world->made->machine, placement->vcpus[i].cpu)->core,
				 machine_cpu(&world->made->machine,
					     placement->vcpus[i - i % guest->threads].cpu)
					 ->core);
	if (guest->is_host_block) {
		hwloc_bitmap_t wide = siblings_too(&world->made->machine, vm->cpus);

		assert_int_equal(hwloc_bitmap_weight(wide), request->vcpus);
		hwloc_bitmap_free(wide);
		tally->blocks++;
	}
}

/* Every free GPU that had its share before has it afterwards. */
static void check_guarantee(struct world *world, const struct place_request *request,
			    const struct vm *vm, struct tally *tally)
{
	for (size_t node = 0; node < world->shape.nodes; node++) {
		struct open before = open_on(world, node, request->threads);
		struct open after;

		world->vms[world->vm_count++] = *vm;
		move_memory(world, vm->placement, -1);
		after = open_on(world, node, request->threads);
		move_memory(world, vm->placement, 1);
		world->vm_count--;
		if (before.cpus >= before.gpus * world->rules.cpus_per_free_gpu) {
			assert_true(after.cpus >= after.gpus * world->rules.cpus_per_free_gpu);
			tally->guarded += world->rules.cpus_per_free_gpu > 0 && after.gpus > 0;
		}
		if (before.bytes >= before.gpus * world->rules.memory_bytes_per_free_gpu)
			assert_true(after.bytes >=
				    after.gpus * world->rules.memory_bytes_per_free_gpu);
	}
}

/* The CPUs that were chosen, asked for by number, are given again. */
static void check_pin(const struct world *world, const struct place_request *request,
		      const struct vm *vm, struct tally *tally)
{
	struct place_request pinned = *request;
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();
	struct told told;

	for (size_t i = 0; i < vm->placement->vcpu_count; i++)
		hwloc_bitmap_set(cpus, vm->placement->vcpus[i].cpu);
	pinned.pin = cpus;
	tell(world, &told);
	assert_true(would(&pinned, &world->made->host, &told.taken, NULL));
	hwloc_bitmap_free(cpus);
	tally->pinned++;
}

static void arrive(struct world *world, struct tally *tally)
{
	struct place_gpu_request gpus;
	struct place_request request;
	struct told told;
	struct placement *placement = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(text) char *text = NULL;
	CLEANUP(text) char *again = NULL;
	struct vm vm;

	roll_request(world, &gpus, &request);
	tell(world, &told);
	if (!would(&request, &world->made->host, &told.taken, &text)) {
		assert_false(would(&request, &world->made->host, &told.taken, &again));
		assert_string_equal(text, again);
		tally->refused++;
		return;
	}
	assert_int_equal(place(&request, &world->made->host, &told.taken, &placement, &fail), 0);
	again = everything(placement);
	assert_string_equal(text, again);
	vm = vm_of(world, placement, request.threads);
	check_vm(world, &request, &vm, tally);
	check_guarantee(world, &request, &vm, tally);
	check_monotone(world, &request, tally);
	check_pin(world, &request, &vm, tally);
	world->vms[world->vm_count++] = vm;
	move_memory(world, placement, -1);
	tally->placed++;
}

static void test_streams(void **state)
{
	const size_t *worlds = *state;
	struct tally tally = { 0 };

	for (uint64_t seed = 1; seed <= *worlds; seed++) {
		struct world world;

		make_world(&world, seed * 104729);
		for (unsigned event = 0; event < 10; event++) {
			if (world.vm_count == VMS_MOST ||
			    (world.vm_count > 0 && roll(&world, 4) == 0))
				drop(&world, roll(&world, (unsigned)world.vm_count));
			else
				arrive(&world, &tally);
		}
		while (world.vm_count > 0)
			drop(&world, 0);
		made_free(world.made);
	}
	print_message("placed %zu, refused %zu; freed CPUs %zu, memory %zu, GPUs %zu; guarded %zu, "
		      "blocks %zu, pinned %zu\n",
		      tally.placed, tally.refused, tally.freed_cpus, tally.freed_memory,
		      tally.freed_gpus, tally.guarded, tally.blocks, tally.pinned);
	assert_true(tally.placed > *worlds && tally.refused > *worlds &&
		    tally.freed_cpus > *worlds / 3 && tally.freed_gpus > *worlds / 8 &&
		    tally.guarded > *worlds / 8 && tally.blocks > *worlds / 3);
}

/* A number as argument: that many hosts. */
int main(int argc, char **argv)
{
	size_t worlds = argc > 1 ? strtoul(argv[1], NULL, 10) : 600;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_streams, &worlds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
