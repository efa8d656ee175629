// SPDX-License-Identifier: MIT
#include "tests/unit/place_examples_others.h"

/* Placements, as text. Refusals are in place_refuse.c. */

static bool has_reason(const struct placement *placement, const char *why, const char *rejected)
{
	bool has_why = why == NULL;
	bool has_rejected = rejected == NULL;

	for (size_t i = 0; i < placement->reason_count; i++) {
		has_why |= text_equal(placement->reasons[i].why, why);
		has_rejected |= text_equal(placement->reasons[i].rejected, rejected);
	}
	return has_why && has_rejected;
}

static bool check_example(const struct example *example, const struct place_request *request,
			  const struct host *host, const struct place_taken *taken)
{
	CLEANUP(placement) struct placement *placement = NULL;
	CLEANUP(placement) struct placement *again = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(text) char *text = NULL;

	if (place(request, host, taken, &placement, &fail) < 0) {
		print_message("%s: refused: %s (%s)\n", example->about, fail.items[0].what,
			      fail.items[0].cause);
		return false;
	}
	placement_check(placement, host, request, taken);
	text = placement_text(placement);
	assert_int_equal(place(request, host, taken, &again, &fail), 0);
	assert_int_equal(placement->reason_count, again->reason_count);
	for (size_t i = 0; i < again->reason_count; i++)
		assert_true(text_equal(placement->reasons[i].choice, again->reasons[i].choice) &&
			    text_equal(placement->reasons[i].why, again->reasons[i].why) &&
			    text_equal(placement->reasons[i].rejected, again->reasons[i].rejected));
	if (strcmp(text, example->expected) == 0 &&
	    has_reason(placement, example->reason, example->rejected))
		return true;
	print_message("%s:\n  is       %s\n  expected %s\n", example->about, text,
		      example->expected);
	for (size_t i = 0; i < placement->reason_count; i++)
		print_message("  - %s\n      rejected: %s\n", placement->reasons[i].why,
			      placement->reasons[i].rejected == NULL
				      ? "-"
				      : placement->reasons[i].rejected);
	return false;
}

static bool check_row(const struct example *example)
{
	struct made *made = made_host(example->shape, example->cards);
	struct place_request request = { .vcpus = example->vcpus,
					 .memory_bytes = example->gib * SIZE_GIB,
					 .policy = example->policy,
					 .hugepages = example->hugepages,
					 .threads = example->threads,
					 .p2p = example->p2p,
					 .gpus = example->gpus,
					 .gpu_count = example->gpu_count,
					 .file = "train.ini" };
	hwloc_bitmap_t pin = list_of(example->pin);
	hwloc_bitmap_t emulator = list_of(example->emulator);
	hwloc_bitmap_t host_cpus = list_of(example->host_cpus);
	const struct place_rules rules = { .host_cores_per_node = example->host_cores,
					   .host_cpus = host_cpus };
	struct taken_lists lists;
	bool same;

	request.pin = pin;
	request.emulator = emulator;
	if (example->host_cores > 0)
		request.rules = &rules;

	made_paths(made, example->paths);
	taken_fill(&lists, &example->has);
	same = check_example(example, &request, &made->host, &lists.taken);
	taken_drop(&lists);
	made_free(made);
	hwloc_bitmap_free(pin);
	hwloc_bitmap_free(emulator);
	hwloc_bitmap_free(host_cpus);
	return same;
}

static void test_examples(void **state)
{
	bool all = true;

	(void)state;
	for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
		all &= check_row(&examples[i]);
	for (size_t i = 0; i < sizeof more_examples / sizeof *more_examples; i++)
		all &= check_row(&more_examples[i]);
	for (size_t i = 0; i < sizeof others_examples / sizeof *others_examples; i++)
		all &= check_row(&others_examples[i]);
	assert_true(all);
}

/* A random number below @below; the same on every machine (Knuth's MMIX generator). */
static unsigned roll(uint64_t *seed, unsigned below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(*seed >> 33) % below;
}

struct game {
	uint64_t seed;
	struct shape shape;
	struct card cards[10];
	char addresses[10][16];
	struct place_gpu_request gpus[2];
	struct place_request request;
	struct has has;
	char cpus[2][32];
};

static void roll_cards(struct game *game)
{
	unsigned count = 1 + roll(&game->seed, 8);

	for (unsigned i = 0; i < count; i++) {
		struct card *card = &game->cards[i];

		snprintf(game->addresses[i], sizeof game->addresses[i], "0000:%02x:00.0", 0x10 + i);
		card->address = game->addresses[i];
		card->node = (int)roll(&game->seed, game->shape.nodes);
		card->group = (int)i;
		if (roll(&game->seed, 20) == 0)
			card->node = -1;
		if (i > 0 && roll(&game->seed, 4) == 0) {
			card->group = card[-1].group;
			card->node = card[-1].node;
		}
		card->name = roll(&game->seed, 3) == 0 ? "T4" : "H100";
		if (roll(&game->seed, 10) == 0)
			card->name = "AST2500";
	}
	for (unsigned i = 0, held = 0; i < count && held < 8; i++)
		if (roll(&game->seed, 4) == 0)
			game->has.gpus[held++] = (struct place_taken_gpu){
				.address = game->addresses[i], .holder = "VM \"a\""
			};
}

static void roll_request(struct game *game)
{
	struct place_request *request = &game->request;

	*request = (struct place_request){ .gpus = game->gpus, .file = "random.ini" };
	request->vcpus = 1 + roll(&game->seed, game->shape.cores * game->shape.threads);
	request->memory_bytes = (1 + roll(&game->seed, 12)) * SIZE_GIB;
	request->policy = (enum place_policy)roll(&game->seed, 3);
	request->hugepages = (enum place_hugepages)roll(&game->seed, 4);
	request->threads = (enum place_threads)roll(&game->seed, 2);
	request->gpu_count = 1 + (roll(&game->seed, 3) == 0);
}

static void roll_game(struct game *game, uint64_t seed)
{
	static const char *const matches[] = { NULL, "any", "H100", "T4" };
	struct shape *shape = &game->shape;

	*game = (struct game){ .seed = seed };
	shape->nodes_per_package = 1 + roll(&game->seed, 2);
	shape->nodes = shape->nodes_per_package * (1 + roll(&game->seed, 2));
	shape->cores = 3 + roll(&game->seed, 4);
	shape->threads = 1 + roll(&game->seed, 2);
	shape->l3_cores = 1 + roll(&game->seed, shape->cores);
	shape->total_gib = 32;
	shape->available_gib = 2 + roll(&game->seed, 14);
	shape->pages_1g = roll(&game->seed, 2) * 8;
	shape->free_1g = roll(&game->seed, shape->pages_1g + 1);
	shape->pages_2m = roll(&game->seed, 2) * 4096;
	shape->free_2m = roll(&game->seed, shape->pages_2m + 1);
	roll_cards(game);
	for (size_t i = 0; i < 2; i++) {
		/* One roll to a statement: the order of initialisers is the compiler's. */
		game->gpus[i] = (struct place_gpu_request){ .label = "[gpu]",
							    .file = "random.ini" };
		game->gpus[i].count = 1 + roll(&game->seed, 2 + (unsigned)i);
		game->gpus[i].match = matches[roll(&game->seed, 4)];
	}
	roll_request(game);
	for (size_t i = 0; i < 2; i++) {
		unsigned cpu = roll(&game->seed, shape->nodes * shape->cores * shape->threads);

		snprintf(game->cpus[i], sizeof game->cpus[i], "%u-%u", cpu, cpu + 2);
		game->has.cpus[i] = (struct has_cpus){ game->cpus[i], "VM \"c\"" };
	}
	game->has.memory[0] = (struct place_taken_memory){ 0, 0, SIZE_GIB, "VM \"m\"" };
}

static bool is_near(const struct placement *placement, const struct host *host, unsigned node,
		    enum place_policy policy)
{
	for (size_t i = 0; i < placement->gpu_count; i++) {
		int own = host_gpu_node(host, placement->gpus[i].gpu);

		if (policy == PLACE_PREFERRED || own == (int)node)
			return true;
		if (policy == PLACE_SOCKET && machine_node(host->machine, (unsigned)own)->package ==
						      machine_node(host->machine, node)->package)
			return true;
	}
	return false;
}

/* Takes from @left what a VM with @threads cannot have because somebody has @cpus. */
static void without(const struct machine *machine, enum place_threads threads,
		    hwloc_const_bitmap_t cpus, hwloc_bitmap_t left)
{
	for (size_t i = 0; i < machine->cpu_count; i++)
		for (size_t j = 0; j < machine->cpu_count; j++)
			if (hwloc_bitmap_isset(cpus, machine->cpus[j].os_index) &&
			    (i == j || (threads == PLACE_WHOLE_CORES &&
					machine->cpus[i].core == machine->cpus[j].core)))
				hwloc_bitmap_clr(left, machine->cpus[i].os_index);
}

/* Whether some set of GPUs would do, tried one by one: `required` with normal pages only. */
static bool exists(const struct game *game, const struct host *host,
		   const struct place_taken *taken)
{
	const struct gpu_list *gpus = host->gpus;
	const struct machine *machine = host->machine;

	for (unsigned set = 1; set < 1U << gpus->count; set++) {
		unsigned nodes = 0, cpus = 0, used = 0;
		uint64_t gib = 0;
		bool fits = (unsigned)__builtin_popcount(set) == game->gpus[0].count;

		for (size_t i = 0; i < gpus->count && fits; i++) {
			const struct gpu *gpu = &gpus->gpus[i];
			const char *match = game->gpus[0].match;

			for (size_t j = 0; j < gpus->count; j++)
				fits &= !gpu_same_group(gpu, &gpus->gpus[j]) ||
					(set >> i & 1) == (set >> j & 1);
			if ((set >> i & 1) == 0)
				continue;
			fits &= gpu->offer == GPU_OFFERED && host_gpu_node(host, gpu) >= 0 &&
				gpu_matches(gpu, match == NULL ? "any" : match) &&
				place_gpu_holder(gpu, taken) == NULL;
			nodes |= fits ? 1U << host_gpu_node(host, gpu) : 0;
		}
		for (unsigned i = 0; i < machine->node_count && fits; i++) {
			hwloc_bitmap_t free_cpus = hwloc_bitmap_dup(machine->nodes[i].cpus);
			hwloc_bitmap_t own = place_host_cpus(machine, NULL, i);
			uint64_t room = game->shape.available_gib - 1 -
					(i == 0 && taken->memory_count > 0 ? 1 : 0);

			hwloc_bitmap_andnot(free_cpus, free_cpus, own);
			for (size_t j = 0; j < taken->cpus_count; j++)
				without(machine, game->request.threads, taken->cpus[j].cpus,
					free_cpus);
			if (nodes >> i & 1) {
				fits &= room > 0 && !hwloc_bitmap_iszero(free_cpus);
				cpus += (unsigned)hwloc_bitmap_weight(free_cpus);
				gib += room;
				used++;
			}
			hwloc_bitmap_free(free_cpus);
			hwloc_bitmap_free(own);
		}
		if (fits && cpus >= game->request.vcpus && used <= game->request.vcpus &&
		    gib * SIZE_GIB >= game->request.memory_bytes)
			return true;
	}
	return false;
}

static enum fail_kind place_freed(const struct game *game, struct made *made)
{
	const struct place_taken nothing = { 0 };
	CLEANUP(placement) struct placement *placement = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	for (size_t i = 0; i < made->machine.node_count; i++) {
		struct machine_node *node = &made->machine.nodes[i];

		node->memory_available_bytes = node->memory_total_bytes;
		for (size_t j = 0; j < node->page_count; j++) {
			node->pages[j].free = node->pages[j].total;
			node->memory_available_bytes -= node->pages[j].total *
							node->pages[j].page_bytes;
		}
	}
	if (place(&game->request, &made->host, &nothing, &placement, &fail) == 0)
		return FAIL_NONE;
	return fail.kind;
}

/* Plays one random host and request; counts the outcome. */
static void play(const struct game *game, size_t *outcomes)
{
	struct made *made = made_host(&game->shape, game->cards);
	CLEANUP(placement) struct placement *placement = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	struct taken_lists lists;

	taken_fill(&lists, &game->has);
	if (place(&game->request, &made->host, &lists.taken, &placement, &fail) == 0) {
		placement_check(placement, &made->host, &game->request, &lists.taken);
		for (size_t i = 0; i < placement->cell_count; i++)
			assert_true(is_near(placement, &made->host, placement->cells[i].host_node,
					    game->request.policy));
	}
	if (game->request.gpu_count == 1 && game->request.policy == PLACE_REQUIRED &&
	    game->request.hugepages == PLACE_PAGES_NO)
		assert_int_equal(exists(game, &made->host, &lists.taken), placement != NULL);
	if (placement == NULL) {
		assert_int_equal(fail.item_count, 1);
		assert_non_null(fail.items[0].hint);
		assert_non_null(fail.items[0].file);
	}
	/* By definition: BUSY if it would fit were everything freed, HOST if not even then. */
	assert_int_equal(place_freed(game, made), fail.kind == FAIL_BUSY ? FAIL_NONE : fail.kind);
	outcomes[fail.kind]++;
	taken_drop(&lists);
	made_free(made);
}

static void test_random(void **state)
{
	size_t outcomes[FAIL_KINDS] = { 0 };

	(void)state;
	for (uint64_t seed = 1; seed <= 4000; seed++) {
		struct game game;

		roll_game(&game, seed * 7919);
		play(&game, outcomes);
	}
	print_message("placed %zu, busy %zu, host %zu\n", outcomes[FAIL_NONE], outcomes[FAIL_BUSY],
		      outcomes[FAIL_HOST]);
	assert_true(outcomes[FAIL_NONE] > 500 && outcomes[FAIL_BUSY] > 500 &&
		    outcomes[FAIL_HOST] > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
