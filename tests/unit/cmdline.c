// SPDX-License-Identifier: MIT
/* The kernel's arguments: how they are split, and what of them leaves the host in a snapshot. */
#include "topo/cmdline.h"

#include "tests/unit/hosts.h"
#include "tests/unit/scratch.h"

static struct cmdline *read_line(const char *line)
{
	CLEANUP(text) char *lines = text_format("sys/\nproc/cmdline\t%s\n", line);
	CLEANUP(root) struct root *root = hosts_write("cmdline", lines);

	return cmdline_read(root);
}

static void arguments_are_split_as_the_kernel_does(void **state)
{
	static const struct {
		const char *line, *key, *value; /* of the last argument @key; NULL: there is none */
	} cases[] = {
		{ "quiet intel_iommu=on", "intel_iommu", "on" },
		{ "intel_iommu=off intel_iommu=on", "intel_iommu", "on" },
		{ "vfio-pci.ids=10de:2684,10de:22ba", "vfio_pci.ids", "10de:2684,10de:22ba" },
		{ "intel-iommu=on", "intel_iommu", "on" },
		{ "hugepages=4 -- intel_iommu=on", "intel_iommu", NULL },
		{ "pci=\"a b\" iommu=pt", "iommu", "pt" },
		{ "pci=\"iommu=off iommu=soft\"", "iommu", NULL },
		{ "xintel_iommu=on", "intel_iommu", NULL },
		{ "intel_iommu_x=on", "intel_iommu", NULL },
		{ "root=/dev/sda", "root", NULL },
		{ "iommu=", "iommu", "" },
		{ "", "iommu", NULL },
		{ "  \\t ", "iommu", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(cmdline) struct cmdline *cmdline = read_line(cases[i].line);
		const struct cmdline_argument *last = cmdline_last(cmdline, cases[i].key, NULL);

		print_message("  %s\n", cases[i].line);
		assert_true(cmdline->is_known);
		assert_int_equal(last != NULL, cases[i].value != NULL);
		if (last != NULL)
			assert_string_equal(last->value, cases[i].value);
	}
}

static void a_flag_has_no_value_and_lists_are_searched_whole(void **state)
{
	CLEANUP(cmdline)
	struct cmdline *cmdline = read_line("nox2apic video=vesafb:off,efifb:off video=x");

	(void)state;
	assert_null(cmdline_last(cmdline, "nox2apic", NULL)->value);
	assert_true(cmdline_has(cmdline, "video", "efifb:off"));
	assert_false(cmdline_has(cmdline, "video", "efifb"));
	assert_string_equal(
		cmdline_last(cmdline, "video", cmdline_last(cmdline, "video", NULL))->word,
		"video=vesafb:off,efifb:off");
}

static void an_unreadable_line_is_not_an_empty_one(void **state)
{
	CLEANUP(root) struct root *root = hosts_write("cmdline", "sys/\n");
	CLEANUP(cmdline) struct cmdline *cmdline = cmdline_read(root);

	(void)state;
	assert_false(cmdline->is_known);
	assert_int_equal(cmdline->count, 0);
}

static void only_what_matters_leaves_the_host(void **state)
{
	static const struct {
		const char *line, *kept;
	} cases[] = {
		{ "root=UUID=1 luks.key=hunter2 intel_iommu=on ip=10.0.0.1 iommu=pt",
		  "intel_iommu=on iommu=pt\n" },
		{ "token=intel_iommu=on", "\n" },
		{ "secret=\"a iommu=x b\" hugepages=2\n", "hugepages=2\n" },
		{ "", "\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *kept = cmdline_filter(cases[i].line);

		assert_string_equal(kept, cases[i].kept);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_are_split_as_the_kernel_does),
		cmocka_unit_test(a_flag_has_no_value_and_lists_are_searched_whole),
		cmocka_unit_test(an_unreadable_line_is_not_an_empty_one),
		cmocka_unit_test(only_what_matters_leaves_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
