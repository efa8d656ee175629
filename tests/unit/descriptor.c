// SPDX-License-Identifier: MIT
#include <string.h>

#include "firmware/descriptor.h"
#include "tests/unit/hosts.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SHARE        "usr/share/qemu/firmware/"
#define ETC          "etc/qemu/firmware/"

#define DESCRIPTOR(type, machine, mapping, features)                                               \
	"\t{\"interface-types\": [\"" type "\"], \"targets\": [{\"architecture\": \"x86_64\", "    \
	"\"machines\": [\"" machine "\"]}], \"mapping\": {" mapping "}, \"features\": [" features  \
	"]}\n"
#define FLASH(code) "\"device\": \"flash\", \"executable\": {\"filename\": \"" code "\"}, " VARS
#define VARS        "\"nvram-template\": {\"filename\": \"/vars\"}"
#define PLAIN(code) DESCRIPTOR("uefi", "pc-q35-*", FLASH(code), "")

static void debian_chooses_as_libvirt_does(void **state)
{
	static const struct {
		bool secure_boot;
		const char *file, *executable, *nvram_template;
		bool requires_smm;
	} cases[] = {
		{ false, "/usr/share/qemu/firmware/60-edk2-x86_64.json",
		  "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd", false },
		{ true, "/usr/share/qemu/firmware/40-edk2-x86_64-secure-enrolled.json",
		  "/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
		  true },
	};
	CLEANUP(root) struct root *root = hosts_open("gpu8");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(descriptor) struct descriptor *found = NULL;
		struct fail fail = { 0 };

		assert_int_equal(descriptor_select(root, cases[i].secure_boot, &found, &fail), 0);
		assert_string_equal(found->file, cases[i].file);
		assert_string_equal(found->executable, cases[i].executable);
		assert_string_equal(found->nvram_template, cases[i].nvram_template);
		assert_true(found->secure_boot == cases[i].secure_boot);
		assert_true(found->enrolled_keys == cases[i].secure_boot);
		assert_true(found->requires_smm == cases[i].requires_smm);
	}
}

static void the_first_that_fits_is_chosen(void **state)
{
	static const struct {
		const char *about, *lines;
		const char *executable; /* NULL: refused */
	} cases[] = {
		{ "names in order of bytes", SHARE "60" PLAIN("/b") SHARE "100" PLAIN("/a"), "/a" },
		{ "/etc after /usr by name", SHARE "50" PLAIN("/a") ETC "60" PLAIN("/b"), "/a" },
		{ "/etc before /usr by name", SHARE "60" PLAIN("/a") ETC "50" PLAIN("/b"), "/b" },
		{ "/etc replaces", SHARE "60" PLAIN("/a") ETC "60" PLAIN("/b"), "/b" },
		{ "/etc masks", SHARE "60" PLAIN("/a") ETC "60\t\n" SHARE "70" PLAIN("/c"), "/c" },
		{ "/etc masks all", SHARE "60" PLAIN("/a") ETC "60\t\n", NULL },
		{ "hidden", SHARE ".60" PLAIN("/a"), NULL },
		{ "not JSON", SHARE "50\t{\n" SHARE "60" PLAIN("/a"), "/a" },
		{ "other JSON",
		  SHARE "50\t[1, {}]\n" SHARE "55\t{\"mapping\": 3}\n" SHARE "60" PLAIN("/a"),
		  "/a" },
		{ "BIOS", SHARE "50" DESCRIPTOR("bios", "pc-q35-*", FLASH("/a"), ""), NULL },
		{ "i440fx", SHARE "50" DESCRIPTOR("uefi", "pc-i440fx-*", FLASH("/a"), ""), NULL },
		{ "microvm", SHARE "50" DESCRIPTOR("uefi", "microvm", FLASH("/a"), ""), NULL },
		{ "memory",
		  SHARE "50" DESCRIPTOR("uefi", "pc-q35-*",
					"\"device\": \"memory\", \"filename\": \"/a\"", ""),
		  NULL },
		{ "stateless",
		  SHARE
		  "50" DESCRIPTOR("uefi", "pc-q35-*", "\"mode\": \"stateless\", " FLASH("/a"), ""),
		  NULL },
		{ "split",
		  SHARE
		  "50" DESCRIPTOR("uefi", "pc-q35-*", "\"mode\": \"split\", " FLASH("/a"), ""),
		  "/a" },
		{ "unknown feature",
		  SHARE "50" DESCRIPTOR("uefi", "pc-q35-*", FLASH("/a"), "\"quantum\""), "/a" },
		{ "secure",
		  SHARE "50" DESCRIPTOR("uefi", "pc-q35-*", FLASH("/a"), "\"secure-boot\""), NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *lines = text_format("sys/\n%s", cases[i].lines);
		CLEANUP(root) struct root *root = hosts_write("first", lines);
		CLEANUP(descriptor) struct descriptor *found = NULL;
		struct fail fail = { 0 };
		int result = descriptor_select(root, false, &found, &fail);

		if (result != (cases[i].executable == NULL ? -1 : 0))
			fail_msg("%s", cases[i].about);
		assert_true(
			text_equal(found == NULL ? NULL : found->executable, cases[i].executable));
		fail_done(&fail);
	}
}

static void a_refusal_names_what_there_is(void **state)
{
	CLEANUP(root) struct root *none = hosts_write("none", "sys/\n");
	CLEANUP(root)
	struct root *plain = hosts_write("plain", "sys/\n" SHARE "60.json" PLAIN("/a"));
	struct descriptor *found = NULL;
	struct fail fail = { 0 };

	(void)state;
	assert_int_equal(descriptor_select(none, false, &found, &fail), -1);
	assert_int_equal(fail.kind, FAIL_HOST);
	assert_string_equal(fail.items[0].hint, "apt install ovmf");
	fail_done(&fail);
	assert_int_equal(descriptor_select(plain, true, &found, &fail), -1);
	assert_non_null(strstr(fail.items[0].what, "with Secure Boot"));
	assert_non_null(strstr(fail.items[0].cause, "60.json"));
	fail_done(&fail);
	assert_null(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(debian_chooses_as_libvirt_does),
		cmocka_unit_test(the_first_that_fits_is_chosen),
		cmocka_unit_test(a_refusal_names_what_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
