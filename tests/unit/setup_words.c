// SPDX-License-Identifier: MIT
/* The words of a kernel command line: what goes, what stays, byte for byte. */
#include "vmm/setup_words.h"

#include "tests/unit/scratch.h"

static const char *const ids[] = { "10de:2330", "10de:22a3", NULL };
static const struct setup_words_rule plain = { 0 };
static const struct setup_words_rule pages = { .drops_gib_pages = true };
static const struct setup_words_rule by_id = { .ids = ids };

static const struct {
	const struct setup_words_rule *rule;
	const char *before, *after;
} words[] = {
	{ &plain, "", "" },
	{ &plain, "  ", "  " },
	{ &plain, "quiet splash", "quiet splash" },
	{ &plain, " quiet   splash \n", " quiet   splash \n" },
	{ &plain, "intel_iommu=off", "" },
	{ &plain, "intel_iommu=off quiet", "quiet" },
	{ &plain, "quiet intel_iommu=off", "quiet" },
	{ &plain, "quiet\tintel-iommu=off  splash\n", "quiet  splash\n" },
	{ &plain, "intel_iommu=off amd_iommu=off iommu=off intremap=off", "" },
	{ &plain, "a intel_iommu=on,off,sm_on b", "a intel_iommu=on,sm_on b" },
	{ &plain, "iommu=pt,off", "iommu=pt" },
	{ &plain, "iommu=pt,,soft", "iommu=pt,,soft" },
	{ &plain, "iommu=", "iommu=" },
	{ &plain, "iommu", "iommu" },
	{ &plain, "intel_iommu=offline", "intel_iommu=offline" },
	{ &plain, "xintel_iommu=off", "xintel_iommu=off" },
	{ &plain, "dyndbg=\"file x iommu=off +p\" iommu=off", "dyndbg=\"file x iommu=off +p\"" },
	{ &plain, "a \"b iommu=off", "a \"b iommu=off" },
	{ &plain, "a \\\n iommu=off \\\n b", "a \\\n b" },
	{ &plain, "vfio-pci.ids=10de:2330", "vfio-pci.ids=10de:2330" },
	{ &plain, "hugepagesz=1G hugepages=4", "hugepagesz=1G hugepages=4" },
	{ &pages, "hugepagesz=1G hugepages=4", "" },
	{ &pages, "a hugepagesz=2M hugepages=8 hugepagesz=1g hugepages=4 b",
	  "a hugepagesz=2M hugepages=8 b" },
	{ &pages, "hugepages=8", "hugepages=8" },
	{ &pages, "hugepagesz=1GB hugepages=4 hugepagesz=0x40000000 hugepages=4", "" },
	{ &pages, "hugepagesz=1048576k hugepages=4", "" },
	{ &pages, "hugepagesz=1T hugepages=4 hugepagesz=10 hugepages=1",
	  "hugepagesz=1T hugepages=4 hugepagesz=10 hugepages=1" },
	{ &pages, "default_hugepagesz=1G hugepages=8 x", "default_hugepagesz=1G x" },
	{ &pages, "default_hugepagesz=1G hugepagesz=2M hugepages=8",
	  "default_hugepagesz=1G hugepagesz=2M hugepages=8" },
	{ &pages, "hugepagesz=1024M hugepages=0:1,1:2", "" },
	{ &by_id, "vfio-pci.ids=10de:2330", "" },
	{ &by_id, "vfio_pci.ids=10de:2330,8086:1533,10de:22a3 x", "vfio_pci.ids=8086:1533 x" },
	{ &by_id, "vfio-pci.ids=8086:1533", "vfio-pci.ids=8086:1533" },
	{ &by_id, "quiet\\ vfio-pci.ids=10de:2330",
	  "quiet\\ " },                           /* else the backslash has the quote */
	{ &by_id, "vfio-pci.ids=10DE:2330", "" }, /* the kernel reads hexadecimal digits */
	{ &by_id, "pci-stub.ids=10de:22A3,8086:1533", "pci-stub.ids=8086:1533" },
};

static void test_filter(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(words); i++) {
		CLEANUP(text) char *got = setup_words_filter(words[i].before, words[i].rule);
		CLEANUP(text) char *again = setup_words_filter(got, words[i].rule);

		if (!text_equal(got, words[i].after))
			fail_msg("\"%s\" became \"%s\", not \"%s\"", words[i].before, got,
				 words[i].after);
		assert_string_equal(again, got);
	}
}

static void test_add(void **state)
{
	static const struct {
		const char *words, *word, *after;
	} cases[] = {
		{ "", "a", "a" },        { "\n", "a", "a\n" },          { "a", "b", "a b" },
		{ "a\n", "b", "a b\n" }, { "a \n\n", "b", "a b \n\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *got = setup_words_add(cases[i].words, cases[i].word);

		assert_string_equal(got, cases[i].after);
		assert_true(setup_words_has(got, cases[i].word));
	}
	assert_false(setup_words_has("ab b\\\nc", "a"));
	assert_true(setup_words_has("ab \\\nc", "c"));
}

static void test_shell(void **state)
{
	static const struct {
		const char *before, *after; /* NULL: no such file */
		unsigned line;
	} cases[] = {
		{ "", "", 0 },
		{ "# it's a comment\n", "# it's a comment\n", 0 },
		{ "A=b # don't\n", "A=b # don't\n", 0 },
		{ "A=b#don't\n", NULL, 1 },
		{ "GRUB_CMDLINE_LINUX=\"iommu=off\"", "GRUB_CMDLINE_LINUX=\"\"", 0 },
		{ "GRUB_CMDLINE_LINUX=iommu=off", "GRUB_CMDLINE_LINUX=", 0 },
		{ "GRUB_CMDLINE_LINUX='a iommu=off'b", "GRUB_CMDLINE_LINUX='a'b", 0 },
		{ "export GRUB_CMDLINE_LINUX_DEFAULT=\"a iommu=off\"\n",
		  "export GRUB_CMDLINE_LINUX_DEFAULT=\"a\"\n", 0 },
		{ "XGRUB_CMDLINE_LINUX=iommu=off\n", "XGRUB_CMDLINE_LINUX=iommu=off\n", 0 },
		{ "GRUB_CMDLINE_LINUX_XEN=iommu=off\n", "GRUB_CMDLINE_LINUX_XEN=iommu=off\n", 0 },
		{ "A=\"\n\nGRUB_CMDLINE_LINUX=iommu=off\"\n",
		  "A=\"\n\nGRUB_CMDLINE_LINUX=iommu=off\"\n", 0 },
		{ "A=\"\\\"\nGRUB_CMDLINE_LINUX=iommu=off\"\n",
		  "A=\"\\\"\nGRUB_CMDLINE_LINUX=iommu=off\"\n", 0 },
		{ "A=1;GRUB_CMDLINE_LINUX=iommu=off;B=2", "A=1;GRUB_CMDLINE_LINUX=;B=2", 0 },
		{ "\n\nA='", NULL, 3 },
		{ "\n\"\\", NULL, 2 },
		{ "A=\\", "A=\\", 0 },
		{ "A=`lsb_release -i -s 2> /dev/null || echo Debian`\n",
		  "A=`lsb_release -i -s 2> /dev/null || echo Debian`\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned line = 0;
		CLEANUP(text)
		char *got = setup_words_filter_shell(cases[i].before, &plain, &line);

		if (!text_equal(got, cases[i].after) || line != cases[i].line)
			fail_msg("case %zu: \"%s\" became \"%s\", line %u", i, cases[i].before,
				 got == NULL ? "nothing" : got, line);
	}
}

static void test_values(void **state)
{
	CLEANUP(text)
	char *values = setup_words_of_shell("GRUB_CMDLINE_LINUX=\"a b\"\nX=y\n"
					    "GRUB_CMDLINE_LINUX_DEFAULT='$GRUB_CMDLINE_LINUX c'\n");

	(void)state;
	assert_string_equal(values, "a b $GRUB_CMDLINE_LINUX c");
	assert_null(setup_words_of_shell("'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_shell),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
