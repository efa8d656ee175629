// SPDX-License-Identifier: MIT
#include "vmm/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/messages.h"
#include "vmm/base/size.h"
#include "vmm/keys_type.h"
#include "vmm/keys_value.h"

enum {
	CPUS = 32
};

/* Two nodes of 100 and 300 GiB, one without memory; CPUs 0 to 31, but 5 is offline. */
struct example {
	struct machine_node nodes[3];
	struct machine_cpu cpus[CPUS - 1];
	struct machine machine;
	char folder[64]; /* a host's root */
	struct root root;
};

static void write_policy(const struct example *example, const char *text)
{
	CLEANUP(text) char *path = text_format("%s%s", example->folder, POLICY_FILE);
	CLEANUP(file) FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_not_equal(fputs(text, file), EOF);
}

static int set_up(void **state)
{
	struct example *example = *state = mem_alloc(1, sizeof *example);
	CLEANUP(text) char *etc = NULL;
	CLEANUP(text) char *folder = NULL;

	example->nodes[0].memory_total_bytes = 100 * SIZE_GIB;
	example->nodes[1].memory_total_bytes = 300 * SIZE_GIB;
	for (unsigned i = 0, at = 0; i < CPUS; i++)
		if (i != 5)
			example->cpus[at++].os_index = i;
	example->machine.nodes = example->nodes;
	example->machine.node_count = 3;
	example->machine.cpus = example->cpus;
	example->machine.cpu_count = CPUS - 1;
	strcpy(example->folder, "/tmp/gpuvm-policy-XXXXXX");
	assert_non_null(mkdtemp(example->folder));
	etc = text_format("%s/etc", example->folder);
	folder = text_format("%s/gpuvm", etc);
	assert_int_equal(mkdir(etc, 0700), 0);
	assert_int_equal(mkdir(folder, 0700), 0);
	example->root.dir = example->folder;
	return 0;
}

static int tear_down(void **state)
{
	struct example *example = *state;
	static const char *const parts[] = { POLICY_FILE, "/etc/gpuvm", "/etc", "" };

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		CLEANUP(text) char *path = text_format("%s%s", example->folder, parts[i]);

		remove(path);
	}
	free(example);
	return 0;
}

static struct policy *read_policy(const struct example *example, const char *path)
{
	struct policy *policy = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	if (policy_read(&example->root, path, &example->machine, &policy, &fail) < 0)
		fail_msg("%s:%u: %s", fail.items[0].file, fail.items[0].line, fail.items[0].what);
	assert_int_equal(fail.item_count, 0);
	return policy;
}

static void expect_defaults(const struct policy *policy)
{
	assert_int_equal(policy->rules.host_cores_per_node, 1);
	assert_null(policy->rules.host_cpus);
	assert_int_equal(policy->rules.host_memory_bytes_per_node, PLACE_NODE_RESERVE_BYTES);
	assert_int_equal(policy->rules.cpus_per_free_gpu, 0);
	assert_int_equal(policy->rules.memory_bytes_per_free_gpu, 0);
	assert_int_equal(policy->rules.cpus_per_free_gpu_line, 0);
	assert_int_equal(policy->rules.memory_per_free_gpu_line, 0);
}

static void no_file_and_an_empty_one_are_the_defaults(void **state)
{
	const struct example *example = *state;
	static const char *const texts[] = { "", "; nothing\n", "[host]\n[gpus]\n" };
	CLEANUP(policy) struct policy *policy = read_policy(example, NULL);

	expect_defaults(policy);
	assert_null(policy->file);
	assert_null(policy->rules.file);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		CLEANUP(policy) struct policy *other = NULL;

		write_policy(example, texts[i]);
		other = read_policy(example, NULL);
		expect_defaults(other);
		assert_true((other->rules.file == NULL) == (i == 0));
	}
}

static void everything_written_is_read(void **state)
{
	const struct example *example = *state;
	CLEANUP(policy) struct policy *policy = NULL;
	CLEANUP(text) char *path = text_format("%s%s", example->folder, POLICY_FILE);

	write_policy(example, "[host]\ncores_per_node = 3\nmemory_per_node = 4 GiB\n"
			      "[gpus]\n\ncpus_per_free_gpu = 8\nmemory_per_free_gpu = 64 GiB\n");
	policy = read_policy(example, NULL);
	assert_string_equal(policy->rules.file, path);
	assert_int_equal(policy->rules.host_cores_per_node, 3);
	assert_null(policy->rules.host_cpus);
	assert_int_equal(policy->rules.host_memory_bytes_per_node, 4 * SIZE_GIB);
	assert_int_equal(policy->rules.cpus_per_free_gpu, 8);
	assert_int_equal(policy->rules.cpus_per_free_gpu_line, 6);
	assert_int_equal(policy->rules.memory_bytes_per_free_gpu, 64 * SIZE_GIB);
	assert_int_equal(policy->rules.memory_per_free_gpu_line, 7);
}

static void cpus_and_shares_stand_for_their_counts(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "[host]\ncpus = 0-1,31,4\nmemory_share = 1 %\n", 2 * SIZE_GIB },
		{ "[host]\nmemory_share = 50%\ncpus = 0,1,4 , 31\n", 100 * SIZE_GIB },
	};
	const struct example *example = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CLEANUP(policy) struct policy *policy = NULL;
		CLEANUP(text) char *cpus = NULL;

		write_policy(example, cases[i].text);
		policy = read_policy(example, NULL);
		cpus = machine_cpus_format(policy->rules.host_cpus);
		assert_string_equal(cpus, "0-1,4,31");
		assert_int_equal(policy->rules.host_memory_bytes_per_node, cases[i].bytes);
	}
}

static void a_share_of_little_is_enough_for_qemu(void **state)
{
	struct example *example = *state;
	CLEANUP(policy) struct policy *policy = NULL;

	example->nodes[0].memory_total_bytes = 8 * SIZE_GIB;
	example->nodes[1].memory_total_bytes = 0;
	write_policy(example, "[host]\nmemory_share = 3 %\n");
	policy = read_policy(example, NULL);
	assert_int_equal(policy->rules.host_memory_bytes_per_node, 256 * SIZE_MIB);
}

/* A rule that cannot be read is no rule to go on without. */
static void what_cannot_be_read_is_the_admins_to_mend(void **state)
{
	const struct example *example = *state;
	CLEANUP(text) char *path = text_format("%s%s", example->folder, POLICY_FILE);
	CLEANUP(text) char *absent = text_format("%s/absent.ini", example->folder);
	const char *const paths[] = { NULL, absent, example->folder };

	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		CLEANUP(fail) struct fail fail = { 0 };
		struct policy *policy = NULL;

		assert_int_equal(
			policy_read(&example->root, paths[i], &example->machine, &policy, &fail),
			-1);
		assert_null(policy);
		assert_int_equal(fail.kind, FAIL_HOST);
		assert_string_equal(fail.items[0].file, paths[i] == NULL ? path : paths[i]);
	}
}

static void check_golden(const char *path, const char *name)
{
	struct example *example = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	struct policy *policy = NULL;

	set_up((void **)&example);
	assert_int_equal(policy_read(&example->root, path, &example->machine, &policy, &fail), -1);
	assert_null(policy);
	assert_int_equal(fail.kind, FAIL_HOST);
	expect_messages(&fail, path, name);
	tear_down((void **)&example);
}

static void errors_are_their_goldens(void **state)
{
	(void)state;
	for_each_ini("tests/policy", check_golden);
}

/* The sample is the defaults, and names every key. */
static void the_sample_is_harmless(void **state)
{
	const struct example *example = *state;
	CLEANUP(text) char *path = source_path("configs/host.ini");
	CLEANUP(text) char *text = slurp(path);
	CLEANUP(policy) struct policy *policy = read_policy(example, path);

	expect_defaults(policy);
	for (const struct keys_row *row = policy_keys()->rows; row->key != NULL; row++) {
		CLEANUP(text) char *commented = text_format("\n;%s ", row->key);

		if (strstr(text, commented) == NULL)
			fail_msg("configs/host.ini does not name %s", row->key);
	}
}

static void the_table_is_whole(void **state)
{
	(void)state;
	for (const struct keys_row *row = policy_keys()->rows; row->key != NULL; row++) {
		const char *const texts[] = { row->example, row->fallback };

		assert_non_null(keys_section(policy_keys(), row->section));
		assert_ptr_equal(keys_find(policy_keys(), row->section, row->key), row);
		assert_null(strchr(row->doc, '\n'));
		assert_true((row->unit != NULL) == (row->type == &keys_type_size));
		assert_true(row->min <= row->max);
		for (size_t i = 0; i < 2; i++) {
			struct policy *policy = mem_alloc(1, sizeof *policy);
			CLEANUP(fail) struct fail fail = { 0 };
			struct keys_value value = { .row = row,
						    .file = "host.ini",
						    .label = row->section,
						    .text = texts[i] };

			if (texts[i] != NULL && keys_value_store(&value, policy, &fail) < 0)
				fail_msg("%s", fail.items[0].what);
			policy_free(policy);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_file_and_an_empty_one_are_the_defaults),
		TEST(everything_written_is_read),
		TEST(cpus_and_shares_stand_for_their_counts),
		TEST(a_share_of_little_is_enough_for_qemu),
		TEST(what_cannot_be_read_is_the_admins_to_mend),
		TEST(the_sample_is_harmless),
		cmocka_unit_test(errors_are_their_goldens),
		cmocka_unit_test(the_table_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
