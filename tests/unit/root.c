// SPDX-License-Identifier: MIT
#include <string.h>
#include <sys/sysmacros.h>

#include "tests/unit/hosts.h"
#include "vmm/base/mem.h"

static void roots_are_recognised(void **state)
{
	struct fail fail = { 0 };
	CLEANUP(root) struct root *live = NULL;
	struct root *none = NULL;

	(void)state;
	assert_int_equal(root_open(NULL, &live, &fail), 0);
	assert_true(live->live);
	assert_string_equal(live->dir, "");
	assert_int_equal(root_open("/nowhere", &none, &fail), -1);
	assert_int_equal(fail.kind, FAIL_USAGE);
	assert_null(none);
	fail_done(&fail);
}

static void free_names(char **names, int error)
{
	assert_int_equal(errno, error);
	root_names_free(names);
}

/* One byte less, as many and one more than what is taken at first, and the same of its double. */
static void files_are_read_to_their_end(void **state)
{
	static const size_t sizes[] = { 4095, 4096, 4097, 8191, 8192, 8193, 300001 };
	CLEANUP(root) struct root *root = hosts_write("large", "sys/file\t\n");
	CLEANUP(text) char *path = root_path(root, "/sys/file");

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		CLEANUP(text) char *bytes = mem_alloc(sizes[i], 1);
		CLEANUP(text) char *read = NULL;
		FILE *file = fopen(path, "w");
		size_t length = 0;

		for (size_t j = 0; j < sizes[i]; j++)
			bytes[j] = (char)(j % 251);
		assert_int_equal(fwrite(bytes, 1, sizes[i], file), sizes[i]);
		assert_int_equal(fclose(file), 0);
		read = root_bytes(root, &length, "/sys/file");
		assert_int_equal(length, sizes[i]);
		assert_memory_equal(read, bytes, length);
	}
}

/* A file of the kernel says no size, and one that is not what it should be may say any. */
static void sizes_are_not_believed(void **state)
{
	CLEANUP(root) struct root *root = hosts_write("sparse", "sys/file\t\n");
	CLEANUP(root) struct root *live = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(text) char *path = root_path(root, "/sys/file");
	CLEANUP(text) char *large = NULL;
	CLEANUP(text) char *kernels = NULL;
	size_t length = 0;

	(void)state;
	assert_int_equal(truncate(path, (off_t)1 << 40), 0);
	large = root_bytes(root, &length, "/sys/file");
	assert_int_equal(length, (size_t)16 << 20);
	assert_int_equal(root_open(NULL, &live, &fail), 0);
	kernels = root_bytes(live, &length, "/proc/self/smaps");
	assert_true(length > 8192);
	assert_non_null(strstr(kernels + length - 200, "\nVmFlags:"));
	assert_int_equal(kernels[length - 1], '\n');
}

static void roots_are_read(void **state)
{
	CLEANUP(root)
	struct root *root = hosts_write("root", "sys/text\tone\\ntwo  \n"
						"sys/empty\t\n"
						"sys/number\t42\n"
						"sys/hex\t0x1f\n"
						"sys/negative\t-1\n"
						"sys/junk\t12 apples\n"
						"sys/huge\t99999999999999999999\n"
						"sys/raw := 00ff00\n"
						"sys/list/[8-10]\t\n"
						"sys/driver -> bus/drivers/vfio-pci\n");
	CLEANUP(root) struct root *live = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	dev_t number = 0;
	CLEANUP(text) char *text = root_text(root, "/sys/%s", "text");
	CLEANUP(text) char *empty = root_text(root, "/sys/empty");
	CLEANUP(text) char *link = root_link_name(root, "/sys/driver");
	CLEANUP(text) char *path = NULL;
	CLEANUP(text) char *target = root_link(root, "/sys/driver");
	CLEANUP(root_names) char **names = root_names(root, "/sys/list");
	CLEANUP(root_names) char **none = root_names(root, "/sys/none");
	size_t length = 0;
	CLEANUP(text) char *raw = root_bytes(root, &length, "/sys/raw");

	(void)state;
	assert_false(root->live);
	assert_string_equal(target, "bus/drivers/vfio-pci");
	assert_null(root_link(root, "/sys/text"));
	assert_int_equal(root_open(NULL, &live, &fail), 0);
	assert_true(root_character_device(live, &number, "/dev/%s", "null"));
	assert_int_equal(number, makedev(1, 3));
	assert_false(root_character_device(live, &number, "/dev"));
	path = root_path(root, "/sys/null");
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_false(root_character_device(root, &number, "/sys/null"));
	free_names(root_names(root, "/sys/list"), 0);
	free_names(root_names(root, "/sys/none"), ENOENT);
	assert_string_equal(text, "one\ntwo");
	assert_string_equal(empty, "");
	assert_null(root_text(root, "/sys/none"));
	assert_null(root_text(root, "/sys/list"));
	assert_int_equal(root_number(root, 7, "/sys/number"), 42);
	assert_int_equal(root_number(root, 7, "/sys/hex"), 31);
	assert_int_equal(root_number(root, 7, "/sys/negative"), -1);
	assert_int_equal(root_number(root, 7, "/sys/junk"), 7);
	assert_int_equal(root_number(root, 7, "/sys/huge"), 7);
	assert_int_equal(root_number(root, 7, "/sys/empty"), 7);
	assert_int_equal(root_number(root, 7, "/sys/none"), 7);
	assert_int_equal(length, 3);
	assert_memory_equal(raw, "\x00\xff\x00", 4);
	assert_string_equal(link, "vfio-pci");
	assert_null(root_link_name(root, "/sys/text"));
	assert_true(root_exists(root, "/sys/empty"));
	assert_false(root_exists(root, "/sys/none"));
	assert_string_equal(names[0], "8");
	assert_string_equal(names[2], "10");
	assert_null(names[3]);
	assert_null(none[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roots_are_recognised),
		cmocka_unit_test(roots_are_read),
		cmocka_unit_test(files_are_read_to_their_end),
		cmocka_unit_test(sizes_are_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
