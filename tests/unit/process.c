// SPDX-License-Identifier: MIT
#include "topo/process.h"

#include "tests/unit/hosts.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define STAT(pid, flags)                                                                           \
	"proc/" pid "/stat\t" pid " (p" pid ") S 1 1 1 0 -1 " flags                                \
	" 1 2 3 4 5 6 7 8 20 0 1 0 5000 1 2\n"
#define USER   "4194304"
#define KERNEL "2129984"

/* Kernel threads are told by their own flags, or passed over where kthreadd says that they are its children. */
static void kernel_threads_are_left_out(void **state)
{
	static const struct {
		const char *name, *lines, *pids;
	} cases[] = {
		{ "flags",
		  "sys/\n" STAT("1", USER) STAT("2", KERNEL) STAT("15", KERNEL) STAT("812", USER),
		  "1 812 " },
		{ "children",
		  "sys/\n" STAT("1", USER)
			  STAT("2", KERNEL) "proc/2/task/2/children\t3 15 4711 \n" STAT("15", USER)
				  STAT("81", USER) STAT("471", USER),
		  "1 81 471 " },
		{ "container",
		  "sys/\n" STAT("1", USER)
			  STAT("2", USER) "proc/2/task/2/children\t15\n" STAT("15", USER),
		  "1 2 15 " },
		{ "garbage",
		  "sys/\n" STAT("2", KERNEL) "proc/2/task/2/children\tx -1 99999999999 1x\n" STAT(
			  "1", USER),
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
