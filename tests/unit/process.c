// SPDX-License-Identifier: MIT
#include "topo/process.h"

#include "tests/unit/processes.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define USER(pid)   PROCESSES_BARE(pid, "p" pid, PROCESSES_USER)
#define KERNEL(pid) PROCESSES_BARE(pid, "p" pid, PROCESSES_KERNEL)

/* Kernel threads are told by their own flags, or passed over where kthreadd says that they are its children. */
static void kernel_threads_are_left_out(void **state)
{
	static const struct {
		const char *name, *lines, *pids;
	} cases[] = {
		{ "flags", "sys/\n" USER("1") KERNEL("2") KERNEL("15") USER("812"), "1 812 " },
		{ "children",
		  "sys/\n" USER("1") KERNEL("2") "proc/2/task/2/children\t15 3 4711 \n" USER("15")
			  USER("81") USER("471"),
		  "1 81 471 " },
		{ "container",
		  "sys/\n" USER("1") USER("2") "proc/2/task/2/children\t15 \n" USER("15"),
		  "1 2 15 " },
		{ "garbage",
		  "sys/\n" KERNEL("2") "proc/2/task/2/children\tx -1 4294967297 1x \n" USER("1"),
		  "1 " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CLEANUP(root) struct root *root = hosts_write(cases[i].name, cases[i].lines);
		CLEANUP(process_list) struct process_list *list = process_list_read(root);
		CLEANUP(text) char *pids = mem_strdup("");

		print_message("  %s\n", cases[i].name);
		for (size_t j = 0; j < list->count; j++)
			text_add(&pids, "%d ", (int)list->processes[j].pid);
		assert_string_equal(pids, cases[i].pids);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(kernel_threads_are_left_out) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
