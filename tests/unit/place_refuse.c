// SPDX-License-Identifier: MIT
#include "tests/unit/place_refusals_more.h"
#include "tests/unit/place_refusals_short.h"

/* Refusals of place, word for word. */

static bool same(const char *about, const char *part, const char *is, const char *expected)
{
	if (text_equal(is, expected))
		return true;
	print_message("%s: %s\n  is       %s\n  expected %s\n", about, part, is == NULL ? "" : is,
		      expected == NULL ? "" : expected);
	return false;
}

static bool check_refusal(const struct refusal *refusal, const struct place_request *request,
			  const struct host *host, const struct place_taken *taken)
{
	CLEANUP(placement) struct placement *placement = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	const struct fail_item *item;
	bool all = true;

	if (place(request, host, taken, &placement, &fail) == 0) {
		print_message("%s: placed\n", refusal->about);
		return false;
	}
	assert_null(placement);
	assert_int_equal(fail.item_count, 1);
	item = &fail.items[0];
	all &= same(refusal->about, "kind", fail_kind_row(fail.kind)->name,
		    fail_kind_row(refusal->kind)->name);
	all &= same(refusal->about, "what", item->what, refusal->what);
	all &= same(refusal->about, "cause", item->cause, refusal->cause);
	all &= same(refusal->about, "hint", item->hint, refusal->hint);
	all &= same(refusal->about, "file", item->file,
		    refusal->line == 3 ? "host.ini" : "train.ini");
	if (item->line != refusal->line)
		print_message("%s: line %u, not %u\n", refusal->about, item->line, refusal->line);
	return all && item->line == refusal->line;
}

/* Every line of its own, as rows of refusals tell them apart. The caller frees. */
static struct place_gpu_request *gpus_with_lines(const struct refusal *refusal)
{
	struct place_gpu_request *gpus = mem_alloc(refusal->gpu_count, sizeof *gpus);

	for (size_t i = 0; i < refusal->gpu_count; i++) {
		gpus[i] = refusal->gpus[i];
		gpus[i].line = (unsigned)i * 20 + 1;
		gpus[i].count_line = gpus[i].line + 3;
		gpus[i].match_line = gpus[i].line + 4;
		gpus[i].address_line = gpus[i].line + 5;
	}
	return gpus;
}

static bool check_row(const struct refusal *refusal)
{
	struct made *made = made_host(refusal->shape, refusal->cards);
	char iommu_hint[] = "turn it on";
	hwloc_bitmap_t pin = list_of(refusal->pin);
	hwloc_bitmap_t emulator = list_of(refusal->emulator);
	struct place_gpu_request *gpus = gpus_with_lines(refusal);
	struct place_request request = {
		.vcpus = refusal->vcpus,
		.memory_bytes = refusal->gib == 0 ? SIZE_GIB / 2 : refusal->gib * SIZE_GIB,
		.policy = refusal->policy,
		.hugepages = refusal->hugepages,
		.threads = refusal->threads,
		.pin = pin,
		.emulator = emulator,
		.rules = refusal->rules,
		.gpus = gpus,
		.gpu_count = refusal->gpu_count,
		.file = "train.ini",
		.vcpus_line = 7,
		.memory_line = 8,
		.hugepages_line = 9,
		.pin_line = 10,
		.emulator_line = 11,
	};
	struct taken_lists lists;
	bool same_words;

	made->host.has_iommu = !refusal->no_iommu;
	made->host.iommu_hint = iommu_hint;
	taken_fill(&lists, &refusal->has);
	same_words = check_refusal(refusal, &request, &made->host, &lists.taken);
	taken_drop(&lists);
	made_free(made);
	hwloc_bitmap_free(pin);
	hwloc_bitmap_free(emulator);
	free(gpus);
	return same_words;
}

static void test_refusals(void **state)
{
	bool all = true;

	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
		all &= check_row(&refusals[i]);
	for (size_t i = 0; i < sizeof short_refusals / sizeof *short_refusals; i++)
		all &= check_row(&short_refusals[i]);
	for (size_t i = 0; i < sizeof more_refusals / sizeof *more_refusals; i++)
		all &= check_row(&more_refusals[i]);
	assert_true(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
