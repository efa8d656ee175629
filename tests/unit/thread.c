// SPDX-License-Identifier: MIT
/* What the kernel tells of a process's threads, memory and PCI functions, as gpuvm verify reads it. */
#include "topo/thread.h"

#include "tests/unit/hosts.h"
#include "tests/unit/scratch.h"
#include "topo/health.h"
#include "topo/numa_maps.h"

#define THREAD(tid, name, status)                                                                  \
	"proc/7/task/" tid "/comm\t" name "\nproc/7/task/" tid "/status\t" status "\n"
#define ALLOWED(list)                                                                              \
	"Name:\\tx\\nCpus_allowed:\\tff\\nCpus_allowed_list:\\t" list "\\nMems_allowed:\\t1"

static void threads_are_read(void **state)
{
	CLEANUP(root)
	struct root *root = hosts_write(
		"threads",
		"sys/\n" THREAD("7", "qemu-system-x86",
				ALLOWED("0,32-33")) THREAD("10", "CPU 0/KVM", ALLOWED("5"))
			THREAD("8", "\x1b[2J", ALLOWED("1")) THREAD("11", "no list", "Name:\\tx")
				THREAD("12", "x", ALLOWED("all")) THREAD("13", "x", ALLOWED("")));
	CLEANUP(thread_list) struct thread_list *list = thread_list_read(root, 7);
	CLEANUP(thread_list) struct thread_list *none = thread_list_read(root, 9);

	(void)state;
	assert_int_equal(none->count, 0);
	assert_int_equal(list->count, 3);
	assert_int_equal(list->threads[0].tid, 7);
	assert_int_equal(hwloc_bitmap_weight(list->threads[0].cpus), 3);
	assert_true(hwloc_bitmap_isset(list->threads[0].cpus, 33));
	assert_string_equal(list->threads[1].name, "\\x1b[2J");
	assert_string_equal(list->threads[2].name, "CPU 0/KVM");
	assert_int_equal(hwloc_bitmap_first(list->threads[2].cpus), 5);
}

static const struct {
	const char *line;
	uint64_t page_bytes, bytes;
	bool is_program;
	size_t shares;
} lines[] = {
	{ "7f0 bind:1 file=/memfd:ram\\040(deleted) huge dirty=3 N1=3 kernelpagesize_kB=2048",
	  2 << 20, 6 << 20, false, 1 },
	{ "7f0 bind:1 anon=5 dirty=5 N0=2 N1=3 kernelpagesize_kB=4", 4096, 5 * 4096, false, 2 },
	{ "7f0 default heap anon=5 N0=5 kernelpagesize_kB=4", 4096, 5 * 4096, true, 1 },
	{ "7f0 default stack anon=5 N0=5 kernelpagesize_kB=4", 4096, 5 * 4096, true, 1 },
	{ "7f0 default file=/usr/lib/N1=9 mapped=5 N0=5 kernelpagesize_kB=4", 4096, 5 * 4096, true,
	  1 },
	{ "7f0 default file=/mnt/pages/x huge N0=1 kernelpagesize_kB=1048576", 1 << 30, 1 << 30,
	  false, 1 },
	{ "7f0 default file=/dev/zero N0=1 kernelpagesize_kB=4", 4096, 4096, false, 1 },
	/* nothing there, or not understood */
	{ "7f0 default", 0, 0, false, 0 },
	{ "7f0 bind:1 anon=5 N0=5", 0, 0, false, 0 },
	{ "7f0 bind:1 Nx=5 N0=y N=3 N1 kernelpagesize_kB=4", 0, 0, false, 0 },
	{ "7f0 bind:1 N0=18446744073709551615 kernelpagesize_kB=4", 0, 0, false, 0 },
	{ "7f0 bind:1 N0=4503599627370495 N1=4503599627370495 kernelpagesize_kB=4", 0, 0, false,
	  0 },
	{ "7f0 bind:1 N0=5 kernelpagesize_kB=99999999999999999999", 0, 0, false, 0 },
	{ "", 0, 0, false, 0 },
};

static void mappings_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		CLEANUP(root) struct root *root = hosts_write("maps", "sys/\nproc/7/\n");
		CLEANUP(text) char *path = text_format("%s/proc/7/numa_maps", root->dir);
		CLEANUP(numa_maps) struct numa_maps *maps = NULL;

		scratch_fill(path, lines[i].line);
		maps = numa_maps_read(root, 7);
		assert_non_null(maps);
		assert_int_equal(maps->count, lines[i].bytes == 0 ? 0 : 1);
		if (maps->count == 0)
			continue;
		assert_int_equal(maps->mappings[0].page_bytes, lines[i].page_bytes);
		assert_int_equal(maps->mappings[0].bytes, lines[i].bytes);
		assert_int_equal(maps->mappings[0].is_program, lines[i].is_program);
		assert_int_equal(maps->mappings[0].share_count, lines[i].shares);
	}
}

static void what_may_not_be_read_is_none(void **state)
{
	CLEANUP(root) struct root *root = hosts_write("nothing", "sys/\n");

	(void)state;
	assert_null(numa_maps_read(root, 7));
}

#define FUNCTION "sys/bus/pci/devices/0000:17:00.0/"

static void health_is_read(void **state)
{
	CLEANUP(root)
	struct root *root = hosts_write(
		"health",
		FUNCTION "power_state\tD3hot\n" FUNCTION
			 "aer_dev_correctable\tRxErr 1\\nBadTLP 2\\nTOTAL_ERR_COR 3\n" FUNCTION
			 "aer_dev_fatal\tTOTAL_ERR_FATAL many\n");
	CLEANUP(health) struct health *health = health_read(root, "0000:17:00.0");
	CLEANUP(health) struct health *none = health_read(root, "0000:18:00.0");

	(void)state;
	assert_string_equal(health->power_state, "D3hot");
	assert_int_equal(health->errors[HEALTH_CORRECTABLE], 3);
	assert_int_equal(health->errors[HEALTH_NONFATAL], -1);
	assert_int_equal(health->errors[HEALTH_FATAL], -1);
	assert_null(none->power_state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_are_read),
		cmocka_unit_test(mappings_are_read),
		cmocka_unit_test(what_may_not_be_read_is_none),
		cmocka_unit_test(health_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
