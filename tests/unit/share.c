// SPDX-License-Identifier: MIT
#include "vmm/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

static void expect_has(const char *text, const char *part)
{
	assert_non_null(text);
	if (strstr(text, part) == NULL)
		fail_msg("no \"%s\" in: %s", part, text);
}

/* A host whose tree is made as the test goes, and a spec that shares one of its folders. */
struct world {
	char *dir;
	struct root root;
	struct spec_share shares[2];
	struct spec spec;
};

static void put(const struct world *world, const char *path, const char *text)
{
	CLEANUP(text) char *whole = text_format("%s%s", world->dir, path);
	CLEANUP(text) char *make = text_format("mkdir -p $(dirname %s)", whole);
	FILE *file;

	assert_int_equal(system(make), 0);
	file = fopen(whole, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	fclose(file);
}

static int begin(void **state)
{
	struct world *world = mem_alloc(1, sizeof *world);

	world->dir = mem_strdup("/tmp/gpuvm-test-XXXXXX");
	if (mkdtemp(world->dir) == NULL)
		return -1;
	world->root.dir = world->dir;
	world->shares[0] = (struct spec_share){ .label = (char *)"[share:data]",
						.line = 9,
						.source = world->dir,
						.target = (char *)"data" };
	world->spec.file = (char *)"a.ini";
	world->spec.shares = world->shares;
	world->spec.share_count = 1;
	put(world, "/usr/libexec/virtiofsd", "");
	put(world, "/usr/share/qemu/vhost-user/50-virtiofsd.json",
	    "{\"description\": \"x\", \"type\": \"fs\", \"binary\": \"/usr/libexec/virtiofsd\"}");
	*state = world;
	return 0;
}

static int end(void **state)
{
	struct world *world = *state;
	CLEANUP(text) char *command = text_format("rm -rf %s", world->dir);
	int status = system(command);

	free(world->dir);
	free(world);
	return status;
}

static void a_folder_is_shared(void **state)
{
	struct world *world = *state;
	CLEANUP(fail) struct fail fail = { 0 };

	assert_int_equal(share_check(&world->spec, &world->root, 9000000, &fail), 0);
	world->shares[0].readonly = true;
	assert_int_equal(share_check(&world->spec, &world->root, 11000000, &fail), 0);
	world->spec.share_count = 0;
	assert_int_equal(share_check(&world->spec, &world->root, 0, &fail), 0);
	assert_int_equal(fail.item_count, 0);
}

/* Never a mount option in the guest that the guest can change. */
static void what_cannot_be_kept_read_only_is_refused(void **state)
{
	static const unsigned long too_old[] = { 0, 9000000, 10010000, 10999999 };
	struct world *world = *state;

	world->shares[0].readonly = true;
	for (size_t i = 0; i < sizeof too_old / sizeof *too_old; i++) {
		CLEANUP(fail) struct fail fail = { 0 };

		assert_int_equal(share_check(&world->spec, &world->root, too_old[i], &fail), -1);
		assert_int_equal(fail.kind, FAIL_HOST);
		assert_int_equal(fail.items[0].line, 9);
		expect_has(fail.items[0].what, "readonly = yes");
		expect_has(fail.items[0].hint, "mount -o bind,ro");
	}
}

static void a_folder_that_is_not_there_is_the_specs_fault(void **state)
{
	struct world *world = *state;
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(fail) struct fail second = { 0 };
	CLEANUP(text) char *gone = text_format("%s/gone", world->dir);
	CLEANUP(text) char *file = text_format("%s/usr/libexec/virtiofsd", world->dir);

	world->shares[0].source = gone;
	assert_int_equal(share_check(&world->spec, &world->root, 11000000, &fail), -1);
	assert_int_equal(fail.kind, FAIL_SPEC);
	expect_has(fail.items[0].what, "there is no such folder");
	world->shares[0].source = file;
	assert_int_equal(share_check(&world->spec, &world->root, 11000000, &second), -1);
	assert_int_equal(second.kind, FAIL_SPEC);
	expect_has(second.items[0].cause, "it is a file");
}

/* A descriptor alone is no program, and others serve other things. */
static void without_virtiofsd_nothing_is_shared(void **state)
{
	static const char *const others[] = {
		"",
		"[]",
		"{\"type\": \"fs\"}",
		"{\"type\": \"fs\", \"binary\": 7}",
		"{\"type\": \"fs\", \"binary\": \"usr/libexec/virtiofsd\"}",
		"{\"type\": \"fs\", \"binary\": \"/usr/libexec/gone\"}",
		"{\"type\": \"gpu\", \"binary\": \"/usr/libexec/virtiofsd\"}",
	};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		CLEANUP(fail) struct fail fail = { 0 };

		put(world, "/usr/share/qemu/vhost-user/50-virtiofsd.json", others[i]);
		assert_int_equal(share_check(&world->spec, &world->root, 11000000, &fail), -1);
		assert_int_equal(fail.kind, FAIL_HOST);
		expect_has(fail.items[0].hint, "apt install virtiofsd");
	}
}

static void the_guest_is_told_how_to_mount_it(void **state)
{
	struct world *world = *state;
	CLEANUP(text) char *point = share_mount_point(&world->shares[0]);
	CLEANUP(text) char *command = share_mount_command(&world->shares[0]);

	assert_string_equal(point, "/mnt/data");
	assert_string_equal(command, "mkdir -p /mnt/data && mount -t virtiofs data /mnt/data");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_folder_is_shared, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_kept_read_only_is_refused, begin,
						end),
		cmocka_unit_test_setup_teardown(a_folder_that_is_not_there_is_the_specs_fault,
						begin, end),
		cmocka_unit_test_setup_teardown(without_virtiofsd_nothing_is_shared, begin, end),
		cmocka_unit_test_setup_teardown(the_guest_is_told_how_to_mount_it, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
