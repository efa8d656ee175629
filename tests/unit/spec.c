// SPDX-License-Identifier: MIT
#include "vmm/spec.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/messages.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/keys_type.h"
#include "vmm/keys_value.h"
#include "vmm/spec_keys.h"

#define VM    "[vm]\nname = train\nvcpus = 16\nmemory = 128 GiB\n"
#define DISK  "[disk]\nimage = train.qcow2\n"
#define WHOLE VM "[gpu]\n" DISK

static struct spec *parse(const char *text)
{
	CLEANUP(fail) struct fail fail = { 0 };
	struct spec *spec = NULL;

	if (spec_parse("a.ini", "/specs", text, &spec, &fail) < 0)
		fail_msg("%s\nline %u: %s", text, fail.items[0].line, fail.items[0].what);
	assert_int_equal(fail.item_count, 0);
	return spec;
}

static void expect_cpus(hwloc_const_bitmap_t cpus, const char *expected)
{
	CLEANUP(text) char *text = machine_cpus_format(cpus);

	assert_string_equal(text, expected);
}

static void test_defaults(void **state)
{
	CLEANUP(spec) struct spec *spec = parse(WHOLE);

	(void)state;
	assert_string_equal(spec->file, "a.ini");
	assert_string_equal(spec->directory, "/specs");
	assert_string_equal(spec->text, WHOLE);
	assert_string_equal(spec->name, "train");
	assert_int_equal(spec->vcpus, 16);
	assert_int_equal(spec->vcpus_line, 3);
	assert_int_equal(spec->memory_bytes, 128 * SIZE_GIB);
	assert_int_equal(spec->memory_line, 4);
	assert_false(spec->autostart);
	assert_int_equal(spec->gpu_count, 1);
	assert_string_equal(spec->gpus[0].label, "[gpu]");
	assert_int_equal(spec->gpus[0].line, 5);
	assert_int_equal(spec->gpus[0].count, 1);
	assert_null(spec->gpus[0].match);
	assert_int_equal(spec->gpus[0].address_count, 0);
	assert_int_equal(spec->policy, PLACE_REQUIRED);
	assert_int_equal(spec->policy_line, 0);
	assert_int_equal(spec->hugepages, PLACE_PAGES_AUTO);
	assert_null(spec->firmware_code);
	assert_null(spec->firmware_vars);
	assert_false(spec->secure_boot);
	assert_int_equal(spec->disk_count, 1);
	assert_string_equal(spec->disks[0].image, "/specs/train.qcow2");
	assert_int_equal(spec->disks[0].format, SPEC_DISK_AUTO);
	assert_int_equal(spec->disks[0].line, 7);
	assert_int_equal(spec->network, SPEC_NETWORK_LIBVIRT);
	assert_string_equal(spec->network_source, "default");
	assert_int_equal(spec->network_line, 0);
	assert_int_equal(spec->threads, PLACE_WHOLE_CORES);
	assert_null(spec->pin);
	assert_null(spec->emulator);
	assert_int_equal(spec->threads_line, 0);
	assert_int_equal(spec->pin_line, 0);
	assert_int_equal(spec->emulator_line, 0);
	assert_int_equal(spec->gpus[0].p2p, SPEC_P2P_NO);
	assert_false(spec->cloud_init.is_written);
	assert_null(spec->cloud_init.user);
	assert_int_equal(spec->cloud_init.ssh_key, SPEC_SSH_KEY_AUTO);
}

static void test_cloud_init(void **state)
{
	CLEANUP(spec) struct spec *bare = parse(WHOLE "[cloud-init]\n");
	CLEANUP(spec)
	struct spec *spec = parse(WHOLE "[cloud-init]\nuser = _a-1\nssh_key = keys//a.pub\n"
					"hostname = A-1.example\npackages = git ,g++,0ad\n"
					"user_data = ./run.sh\n");
	CLEANUP(spec) struct spec *none = parse(WHOLE "[cloud-init]\nssh_key = none\n");

	(void)state;
	assert_true(bare->cloud_init.is_written);
	assert_int_equal(bare->cloud_init.line, 8);
	assert_int_equal(bare->cloud_init.ssh_key, SPEC_SSH_KEY_AUTO);
	assert_int_equal(bare->cloud_init.ssh_key_line, 0);
	assert_true(spec->cloud_init.is_written);
	assert_string_equal(spec->cloud_init.user, "_a-1");
	assert_int_equal(spec->cloud_init.ssh_key, SPEC_SSH_KEY_FILE);
	assert_string_equal(spec->cloud_init.ssh_key_file, "/specs/keys/a.pub");
	assert_int_equal(spec->cloud_init.ssh_key_line, 10);
	assert_string_equal(spec->cloud_init.hostname, "A-1.example");
	assert_int_equal(spec->cloud_init.package_count, 3);
	assert_string_equal(spec->cloud_init.packages[1], "g++");
	assert_string_equal(spec->cloud_init.user_data, "/specs/run.sh");
	assert_int_equal(spec->cloud_init.user_data_line, 13);
	assert_int_equal(none->cloud_init.ssh_key, SPEC_SSH_KEY_NONE);
	assert_null(none->cloud_init.ssh_key_file);
}

static void test_everything_written(void **state)
{
	CLEANUP(spec)
	struct spec *spec = parse(
		"[network]\nsource = bridge:br0\n"
		"[firmware]\nuefi = CODE.fd ,/fw//./VARS.fd\nsecure_boot = no\n"
		"[numa]\npolicy = preferred\nhugepages = 1 GiB\n"
		"[disk:data]\nformat = raw\nimage = ./sub//../data.img\n"
		"[gpu:b]\nmatch = any\nallow_boot_vga = yes\naddress = 65:00.0, 10000:CA:00.0\n"
		"[gpu]\ncount = 2\nmatch = 10de:2330\np2p = auto\n" DISK "format = qcow2\n"
		"[vm]\nautostart = yes\nmemory = 65536 mib\nvcpus = 016\nname = 0.a_b-c\n"
		"[cpu]\nthreads = share\npin = 8-11, 4-7,0-4,^0,40-43 ,44\nemulator = 0\n");

	(void)state;
	assert_int_equal(spec->network, SPEC_NETWORK_BRIDGE);
	assert_string_equal(spec->network_source, "br0");
	assert_int_equal(spec->network_line, 2);
	assert_string_equal(spec->firmware_code, "/specs/CODE.fd");
	assert_string_equal(spec->firmware_vars, "/fw/VARS.fd");
	assert_int_equal(spec->policy, PLACE_PREFERRED);
	assert_int_equal(spec->policy_line, 7);
	assert_int_equal(spec->hugepages, PLACE_PAGES_1_GIB);
	assert_int_equal(spec->hugepages_line, 8);
	assert_string_equal(spec->disks[0].label, "[disk:data]");
	assert_string_equal(spec->disks[0].image, "/specs/sub/../data.img");
	assert_int_equal(spec->disks[0].format, SPEC_DISK_RAW);
	assert_int_equal(spec->disks[1].format, SPEC_DISK_QCOW2);
	assert_int_equal(spec->gpus[0].count, 2);
	assert_int_equal(spec->gpus[0].address_count, 2);
	assert_string_equal(spec->gpus[0].addresses[0], "0000:65:00.0");
	assert_string_equal(spec->gpus[0].addresses[1], "10000:ca:00.0");
	assert_int_equal(spec->gpus[0].line, 12);
	assert_int_equal(spec->gpus[0].match_line, 13);
	assert_int_equal(spec->gpus[0].address_line, 15);
	assert_int_equal(spec->gpus[0].count_line, 0);
	assert_string_equal(spec->gpus[1].label, "[gpu]");
	assert_string_equal(spec->gpus[1].match, "10de:2330");
	assert_int_equal(spec->gpus[1].count, 2);
	assert_int_equal(spec->gpus[1].line, 16);
	assert_int_equal(spec->gpus[1].count_line, 17);
	assert_int_equal(spec->gpus[1].match_line, 18);
	assert_true(spec->autostart);
	assert_int_equal(spec->memory_bytes, 64 * SIZE_GIB);
	assert_int_equal(spec->vcpus, 16);
	assert_string_equal(spec->name, "0.a_b-c");
	assert_int_equal(spec->gpus[0].p2p, SPEC_P2P_NO);
	assert_int_equal(spec->gpus[1].p2p, SPEC_P2P_AUTO);
	assert_true(spec->gpus[0].allow_boot_vga);
	assert_false(spec->gpus[1].allow_boot_vga);
	assert_int_equal(spec->threads, PLACE_SHARE);
	expect_cpus(spec->pin, "1-11,40-44");
	expect_cpus(spec->emulator, "0");
	assert_int_equal(spec->threads_line, 29);
	assert_int_equal(spec->pin_line, 30);
	assert_int_equal(spec->emulator_line, 31);
}

/* Each is the whole spec with one value at the edge of what is allowed. */
static void test_edges(void **state)
{
	static const char *const texts[] = {
		"[vm]\nname = a\nvcpus = 1\nmemory = 256 MiB\n[gpu]\ncount = 256\n" DISK,
		"[vm]\nname = a\nvcpus = 1024\nmemory = 64 TiB\n[gpu]\ncount = 1\n" DISK,
		WHOLE "[network]\nsource = none\n",
		WHOLE "[network]\nsource = bridge:abcdefghijklmno\n",
		WHOLE "[firmware]\nuefi = auto\nsecure_boot = yes\n",
		WHOLE "[firmware]\nuefi = a.fd, b.fd\nsecure_boot = no\n",
		WHOLE "[numa]\nhugepages = 1 GiB\n",
		WHOLE "[cpu]\npin = 65520-65535\nemulator = 0-65519\n",
		WHOLE "[cpu]\npin = auto\nemulator = auto\nthreads = whole-cores\n",
		VM "[gpu]\ncount = 2\naddress = 17:00.0, 65:00.0\n" DISK,
		VM "[gpu:0_a-b]\n" DISK,
		"\xef\xbb\xbf" VM "[gpu]\r\n" DISK,
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		spec_free(parse(texts[i]));
}

static void test_names(void **state)
{
	static const char *const good[] = {
		"a",
		"0",
		"a.b_c-d",
		"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123",
	};
	static const char *const bad[] = {
		"",    ".a",
		"-a",  "_a",
		"A",   "a/b",
		"a b", "a\n",
		"ä",   "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234",
	};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(spec_name_is_valid(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (spec_name_is_valid(bad[i]))
			fail_msg("\"%s\" is no name", bad[i]);
}

static void expect_number_in_range(const struct keys_row *row)
{
	if (row->type != &keys_type_count && row->type != &keys_type_size)
		return;
	assert_true(row->min <= row->max);
	if (row->type == &keys_type_count)
		assert_true(row->max <= UINT_MAX);
	if (row->step != 0)
		assert_true(row->min % row->step == 0 && row->max % row->step == 0);
}

static void test_tables(void **state)
{
	size_t count = 0;

	(void)state;
	for (const struct keys_section *row = spec_keys()->sections; row->name != NULL; row++) {
		assert_non_null(row->doc);
		assert_ptr_equal(keys_section(spec_keys(), row->name), row);
		assert_true(row->repeatable == (row->target != SPEC_TARGET_SPEC));
	}
	for (const struct keys_row *row = spec_keys()->rows; row->key != NULL; row++, count++) {
		assert_non_null(keys_section(spec_keys(), row->section));
		assert_ptr_equal(keys_find(spec_keys(), row->section, row->key), row);
		assert_non_null(row->doc);
		assert_null(strchr(row->doc, '\n'));
		assert_non_null(row->example);
		assert_non_null(row->type->name);
		assert_true((row->choices != NULL) == (row->type == &keys_type_choice));
		assert_true((row->unit != NULL) == (row->type == &keys_type_size));
		assert_false(row->required && row->fallback != NULL);
		expect_number_in_range(row);
	}
	assert_true(count > 20);
}

/* Every example and default of the table is accepted by its own parser. */
static void test_examples(void **state)
{
	(void)state;
	for (const struct keys_row *row = spec_keys()->rows; row->key != NULL; row++) {
		const char *const texts[] = { row->example, row->fallback };

		for (size_t i = 0; i < 2; i++) {
			struct spec *spec = mem_alloc(1, sizeof *spec);
			CLEANUP(fail) struct fail fail = { 0 };
			struct keys_value value = { .row = row,
						    .file = "a.ini",
						    .directory = "/specs",
						    .label = row->section,
						    .text = texts[i] };
			void *target = spec;
			enum spec_target kind = keys_section(spec_keys(), row->section)->target;

			if (kind == SPEC_TARGET_GPU)
				target = MEM_APPEND(spec->gpus, spec->gpu_count);
			if (kind == SPEC_TARGET_DISK)
				target = MEM_APPEND(spec->disks, spec->disk_count);
			if (texts[i] != NULL && keys_value_store(&value, target, &fail) < 0)
				fail_msg("%s", fail.items[0].what);
			spec_free(spec);
		}
	}
}

static void check_shipped(const char *path, const char *name)
{
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(spec) struct spec *spec = NULL;

	/* The host's policy: tests/unit/policy.c. */
	if (text_equal(name, "host.ini"))
		return;
	if (spec_read(path, &spec, &fail) < 0)
		fail_msg("%s:%u: %s", name, fail.items[0].line, fail.items[0].what);
}

static void test_shipped(void **state)
{
	(void)state;
	for_each_ini("configs", check_shipped);
}

static void test_folder(void **state)
{
	CLEANUP(text) char *source = source_path("configs");
	CLEANUP(text) char *folder = realpath(source, NULL);
	CLEANUP(text) char *before = realpath(".", NULL);
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(spec) struct spec *spec = NULL;

	(void)state;
	assert_int_equal(chdir(source), 0);
	assert_int_equal(spec_read("lab.ini", &spec, &fail), 0);
	assert_string_equal(spec->file, "lab.ini");
	assert_string_equal(spec->directory, folder);
	assert_int_equal(chdir(before), 0);
}

static void check_golden(const char *path, const char *name)
{
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(spec) struct spec *spec = NULL;

	assert_int_equal(spec_read(path, &spec, &fail), -1);
	assert_null(spec);
	assert_int_equal(fail.kind, FAIL_SPEC);
	expect_messages(&fail, path, name);
}

static void test_goldens(void **state)
{
	(void)state;
	for_each_ini("tests/spec", check_golden);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_everything_written),
		cmocka_unit_test(test_edges),    cmocka_unit_test(test_names),
		cmocka_unit_test(test_tables),   cmocka_unit_test(test_examples),
		cmocka_unit_test(test_shipped),  cmocka_unit_test(test_folder),
		cmocka_unit_test(test_goldens),  cmocka_unit_test(test_cloud_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
