// SPDX-License-Identifier: MIT
#include "tests/unit/place_world.h"

#include "topo/place_internal.h"

/*
 * The GPUs chosen, against every other set of them: none is nearer together, and of the equally near ones
 * none leaves larger sets of free GPUs to others. Distances and sets are told from the paths anew here.
 */

/* Pairs of GPUs in different root complexes, behind different ports of one, behind one port. */
struct score {
	unsigned far, root, port;
	unsigned port_sets, root_sets, node_sets; /* squares of the sets of free GPUs that stay */
};

static bool same_prefix(const char *a, const char *b, char end)
{
	size_t length = (size_t)(strchr(a, end) - a) + 1;

	return strncmp(a, b, length) == 0;
}

static bool is_in(unsigned set, size_t at)
{
	return (set >> at & 1) != 0;
}

static void score_pair(const char *a, const char *b, bool both_taken, bool both_stay,
		       struct score *score)
{
	bool same_root = same_prefix(a, b, ':');
	bool same_port = same_root && same_prefix(a, b, '/');

	if (both_taken) {
		score->far += !same_root;
		score->root += same_root && !same_port;
		score->port += same_port;
	}
	/* Sum of squares, but for a constant: twice the pairs plus the number. */
	if (both_stay) {
		score->port_sets += same_port;
		score->root_sets += same_root;
		score->node_sets++;
	}
}

static struct score score_of(const struct world *world, unsigned set, unsigned free_set)
{
	struct score score = { 0 };

	for (size_t i = 0; i < world->made->host.gpus->count; i++)
		for (size_t j = 0; j < i; j++)
			score_pair(world->paths[i], world->paths[j], is_in(set, i) && is_in(set, j),
				   is_in(free_set & ~set, i) && is_in(free_set & ~set, j), &score);
	return score;
}

/* Less than 0: @a is better. Root complexes of one port and sets of one are no matter. */
static int compare(const struct score *a, const struct score *b)
{
	const int differences[] = { (int)a->far - (int)b->far, (int)a->root - (int)b->root,
				    (int)b->port_sets - (int)a->port_sets };

	for (size_t i = 0; i < sizeof differences / sizeof *differences; i++)
		if (differences[i] != 0)
			return differences[i];
	return 0;
}

static unsigned node_set(const struct world *world, int node)
{
	unsigned set = 0;

	for (size_t i = 0; i < world->made->host.gpus->count; i++)
		if (world->made->host.gpus->gpus[i].device->numa_node == node)
			set |= 1U << i;
	return set;
}

static void check_best(const struct world *world, const struct placement *placement,
		       unsigned free_set)
{
	int node = placement->gpus[0].gpu->device->numa_node;
	unsigned here = node_set(world, node) & free_set;
	unsigned chosen = 0;
	struct score best;

	for (size_t i = 0; i < placement->gpu_count; i++)
		chosen |= 1U << (placement->gpus[i].gpu - world->made->host.gpus->gpus);
	if ((chosen & ~here) != 0)
		return; /* over several nodes: the split decides first */
	best = score_of(world, chosen, here);
	for (unsigned set = 1; set < 1U << CARDS_MOST; set++) {
		struct score other;

		if ((set & ~here) != 0 || __builtin_popcount(set) != __builtin_popcount(chosen))
			continue;
		other = score_of(world, set, here);
		assert_true(compare(&best, &other) <= 0);
	}
}

/* Every GPU in a group of its own: then every set of them may be given. */
static void ungroup(struct world *world)
{
	for (size_t i = 0; i < world->made->devices.count; i++)
		world->made->devices.devices[i].iommu_group = (int)i;
	gpu_list_free(world->made->host.gpus);
	world->made->host.gpus = gpu_list_build(&world->made->devices);
}

static bool play(struct world *world)
{
	struct place_gpu_request gpus = { .count = 1 + roll(world, 4),
					  .label = "[gpu]",
					  .file = "random.ini" };
	struct place_request request = {
		.vcpus = 2, .memory_bytes = SIZE_GIB, .gpus = &gpus, .gpu_count = 1
	};
	struct place_taken_gpu taken_gpus[CARDS_MOST];
	struct place_taken taken = { .gpus = taken_gpus };
	CLEANUP(placement) struct placement *placement = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	unsigned free_set = 0;

	for (size_t i = 0; i < world->made->host.gpus->count; i++) {
		if (roll(world, 4) == 0)
			taken_gpus[taken.gpu_count++] = (struct place_taken_gpu){
				.address = world->addresses[i], .holder = "VM \"a\""
			};
		else
			free_set |= 1U << i;
	}
	if (place(&request, &world->made->host, &taken, &placement, &fail) < 0)
		return false;
	check_best(world, placement, free_set);
	return placement->gpu_count > 1;
}

static void test_best(void **state)
{
	size_t several = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 1500; seed++) {
		struct world world;

		make_world(&world, seed * 7907);
		ungroup(&world);
		several += play(&world);
		made_free(world.made);
	}
	assert_true(several > 200);
}

/* The largest hosts there are: 512 CPUs, 8 nodes, 16 GPUs, asked for everything at once. */
static void test_large(void **state)
{
	static const struct shape shape = { .nodes = 8,
					    .nodes_per_package = 4,
					    .cores = 32,
					    .threads = 2,
					    .l3_cores = 8,
					    .total_gib = 256,
					    .available_gib = 250 };
	static const struct place_gpu_request gpus = { .count = 11, .label = "[gpu]" };
	struct place_request request = {
		.memory_bytes = 1024 * SIZE_GIB, .gpus = &gpus, .gpu_count = 1, .file = "large.ini"
	};
	const struct place_taken nothing = { 0 };
	struct card cards[17] = { { .address = NULL } };
	char addresses[16][16];
	struct made *made;

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		snprintf(addresses[i], sizeof addresses[i], "0000:%02x:00.0", 0x10 + i);
		cards[i] = (struct card){ addresses[i], (int)i / 2, (int)i, "H100", NULL };
	}
	made = made_host(&shape, cards);
	for (request.vcpus = 1; request.vcpus <= 512; request.vcpus += 73) {
		CLEANUP(placement) struct placement *placement = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		for (request.policy = PLACE_REQUIRED; request.policy <= PLACE_PREFERRED;
		     request.policy++)
			if (place(&request, &made->host, &nothing, &placement, &fail) == 0) {
				placement_check(placement, &made->host, &request, &nothing);
				placement_free(STEAL(placement));
			}
	}
	made_free(made);
}

/* More nodes with GPUs than a search looks at: what the spec names is looked at all the same. */
static void test_many_nodes(void **state)
{
	static const struct shape shape = { .nodes = 20,
					    .nodes_per_package = 20,
					    .cores = 2,
					    .threads = 1,
					    .l3_cores = 2,
					    .total_gib = 8,
					    .available_gib = 8 };
	const struct place_gpu_request named = { .count = 1,
						 .label = "[gpu:b]",
						 .addresses = NAMED("0000:23:00.0"),
						 .address_count = 1 };
	const struct place_gpu_request any = { .count = 1, .label = "[gpu]" };
	const struct place_gpu_request both[] = { any, named };
	const struct place_request request = {
		.vcpus = 2, .memory_bytes = SIZE_GIB, .gpus = both, .gpu_count = 2
	};
	const struct place_taken nothing = { 0 };
	CLEANUP(placement) struct placement *placement = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	struct card cards[21] = { { .address = NULL } };
	char addresses[20][16];
	struct made *made;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		snprintf(addresses[i], sizeof addresses[i], "0000:%02x:00.0", 0x10 + i);
		cards[i] = (struct card){ addresses[i], (int)i, (int)i, "H100", NULL };
	}
	made = made_host(&shape, cards);
	assert_int_equal(place(&request, &made->host, &nothing, &placement, &fail), 0);
	placement_check(placement, &made->host, &request, &nothing);
	assert_int_equal(placement->cells[1].host_node, 19);
	made_free(made);
}

static void test_shared(void **state)
{
	static const struct {
		uint16_t domains[2];
		const char *paths[2];
		unsigned shared;
	} cases[] = {
		{ { 0, 0 }, { "80:01.0/81:00.0", "90:01.0/91:00.0" }, 0 },
		{ { 0, 0 }, { "80:01.0/81:00.0", "80:02.0/82:00.0" }, 1 },
		{ { 0, 1 }, { "80:01.0/81:00.0", "80:02.0/82:00.0" }, 0 },
		{ { 0, 0 }, { "80:01.0/81:00.0/82:00.0", "80:01.0/81:00.0/83:00.0" }, 3 },
		{ { 0, 0 }, { "80:01.0/81:00.0/82:00.0", "80:01.0/84:00.0" }, 2 },
		{ { 0, 0 }, { "80:01.0/81:00.0/82:00.0", "80:01.0/81:00.0" }, 2 },
		{ { 0, 0 }, { "80:01.0", "80:02.0" }, 1 },
		{ { 0, 0 }, { "", "80:02.0" }, 0 },
		{ { 0, 0 }, { "", "" }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CLEANUP(text) char *left = mem_strdup(cases[i].paths[0]);
		CLEANUP(text) char *right = mem_strdup(cases[i].paths[1]);
		const struct device a = { .domain = cases[i].domains[0], .path = left };
		const struct device b = { .domain = cases[i].domains[1], .path = right };

		assert_int_equal(place_distance_shared(&a, &b), cases[i].shared);
		assert_int_equal(place_distance_shared(&b, &a), cases[i].shared);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_best),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_many_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
