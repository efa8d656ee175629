// SPDX-License-Identifier: MIT
/* How a veto gets through libvirt to whoever started the VM. */
#include "vmm/hook.h"

#include <string.h>

#include "tests/unit/scratch.h"

#define LIBVIRT                                                                                    \
	"Hook script execution failed: internal error: Child process (LC_ALL=C "                   \
	"/etc/libvirt/hooks/qemu.d/50-gpuvm %s prepare begin -) unexpected exit status 1: gpuvm: "

static void a_veto_comes_back_through_libvirt(void **state)
{
	static const struct {
		enum fail_kind kind;
		const char *what, *cause, *hint, *domain;
	} cases[] = {
		{ FAIL_BUSY, "0000:17:00.0 is in use", "process 812 (a: b) has it", "sudo kill 812",
		  "vm" },
		{ FAIL_HOST, "not viable", NULL, "driverctl", "gpuvm: veto busy: forged" },
		{ FAIL_HV, "it cannot be read", "bad", NULL, "vm" },
		{ FAIL_FAIL, "alone", NULL, NULL, "vm" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(fail) struct fail said = { 0 };
		CLEANUP(fail) struct fail heard = { 0 };
		CLEANUP(text) char *line = NULL;
		CLEANUP(text) char *before = text_format(LIBVIRT, cases[i].domain);
		CLEANUP(text) char *text = NULL;

		fail_add(&said, cases[i].kind, "%s", cases[i].what);
		if (cases[i].cause != NULL)
			fail_cause(&said, "%s", cases[i].cause);
		if (cases[i].hint != NULL)
			fail_hint(&said, "%s", cases[i].hint);
		line = hook_veto(&said);
		assert_null(strchr(line, '\n'));
		text = text_format("%s%s\nmore", before, line);
		assert_true(hook_read_veto(text, &heard));
		assert_int_equal(heard.kind, cases[i].kind);
		assert_string_equal(heard.items[0].what, cases[i].what);
		assert_true(text_equal(heard.items[0].cause, cases[i].cause));
		assert_true(text_equal(heard.items[0].hint, cases[i].hint));
	}
}

static void what_a_veto_quotes_is_no_veto(void **state)
{
	CLEANUP(fail) struct fail said = { 0 };
	CLEANUP(fail) struct fail heard = { 0 };
	CLEANUP(text) char *line = NULL;
	CLEANUP(text) char *text = NULL;

	(void)state;
	fail_add(&said, FAIL_HOST, "domain \"gpuvm: veto busy: a\", gpuvm: veto busy: b");
	line = hook_veto(&said);
	text = text_format(LIBVIRT "%s", "vm", line);
	assert_true(hook_read_veto(text, &heard));
	assert_int_equal(heard.kind, FAIL_HOST);
	assert_true(text_starts(heard.items[0].what, "domain \"gpuvm"));
}

static void other_texts_are_no_veto(void **state)
{
	static const char *const texts[] = {
		"",
		"Hook script execution failed: exit status 127",
		"gpuvm: veto ",
		"gpuvm: veto busy",
		"gpuvm: veto strange: words",
		"gpuvm: veto : words",
		"gpuvm: veto none: words",
		"gpuvm: veto busy\n: words",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct fail fail = { 0 };

		assert_false(hook_read_veto(texts[i], &fail));
		assert_int_equal(fail.item_count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_veto_comes_back_through_libvirt),
		cmocka_unit_test(what_a_veto_quotes_is_no_veto),
		cmocka_unit_test(other_texts_are_no_veto),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
