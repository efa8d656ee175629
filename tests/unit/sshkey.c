// SPDX-License-Identifier: MIT
#include "vmm/sshkey.h"

#include "tests/unit/keys_public.h"
#include "tests/unit/scratch.h"

static int read_text(const char *text, struct sshkeys *keys, struct fail *fail)
{
	return sshkey_read("/home/alice/x.pub", text, strlen(text), keys, fail);
}

static void keys_are_read(void **state)
{
	CLEANUP(sshkeys) struct sshkeys keys = { 0 };
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(text) char *line = NULL;
	CLEANUP(text) char *bare = NULL;

	(void)state;
	assert_works(read_text("# mine\r\n\n  " KEY_ED25519 "\talice at  home \r\n" KEY_ECDSA
			       "\n" KEY_RSA " \x1b[31m\xc3\xa9\x7f\n" KEY_ED25519 " again",
			       &keys, &fail),
		     &fail);
	assert_int_equal(keys.count, 3);
	assert_string_equal(keys.keys[0].type, "ssh-ed25519");
	assert_string_equal(keys.keys[0].comment, "alice at  home");
	assert_string_equal(keys.keys[0].file, "/home/alice/x.pub");
	assert_string_equal(keys.keys[1].type, "ecdsa-sha2-nistp256");
	assert_string_equal(keys.keys[1].comment, "");
	assert_string_equal(keys.keys[2].comment, "?[31m???");
	line = sshkey_line(&keys.keys[0]);
	assert_string_equal(line, KEY_ED25519 " alice at  home");
	bare = sshkey_line(&keys.keys[1]);
	assert_string_equal(bare, KEY_ECDSA);
}

/* Nothing of the file is in the message, and no key of it is kept. */
static void what_is_none_is_refused(void **state)
{
	static const struct {
		const char *text, *word;
		unsigned line;
	} cases[] = {
		{ "", "no public key in it", 0 },
		{ "# only a comment\n\n", "no public key in it", 0 },
		{ "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n-----END OPENSSH PRIVATE KEY-----\n",
		  "a private key", 0 },
		{ KEY_ED25519 "\n-----BEGIN RSA PRIVATE KEY-----\nsecret\n", "a private key", 0 },
		{ "PuTTY-User-Key-File-3: ssh-ed25519\nsecret\n", "a private key", 0 },
		{ "---- BEGIN SSH2 PUBLIC KEY ----\nsecret\n", "ssh-keygen -i", 0 },
		{ KEY_ED25519 "\nroot:secret:19000:0:99999:7:::\n", "not a public key", 2 },
		{ "ssh-dss AAAA secret", "DSA", 1 },
		{ "ssh-ed25519-cert-v01@openssh.com AAAA secret", "certificate", 1 },
		{ "command=\"secret\" " KEY_ED25519, "options", 1 },
		{ "ssh-ed25519", "damaged", 1 },
		{ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ/6hIMZK8RETjsNkmlt", "damaged", 1 },
		{ KEY_ED25519 "AAAA", "damaged", 1 },
		{ "ssh-ed25519 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEf/", "damaged",
		  1 },
		{ "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJ/6hIMZK8RETjsNkmlt2XEnTGeXgHdHlksKpJjQ+uKs",
		  "damaged", 1 },
		{ "ssh-ed25519 /////3NzaC1lZDI1NTE5AAAAIJ/6hIMZK8RETjsNkmlt2XEnTGeXgHdHlksKpJjQ+uKs",
		  "damaged", 1 },
		{ "ssh-ed25519 - secret: |", "damaged", 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(sshkeys) struct sshkeys keys = { 0 };
		CLEANUP(fail) struct fail fail = { 0 };

		assert_int_equal(read_text(cases[i].text, &keys, &fail), -1);
		assert_fails(&fail, FAIL_SPEC, cases[i].word);
		assert_int_equal(fail.item_count, 1);
		assert_string_equal(fail.items[0].file, "/home/alice/x.pub");
		assert_int_equal(fail.items[0].line, cases[i].line);
		assert_null(strstr(fail.items[0].what, "secret"));
		assert_null(fail.items[0].cause);
		assert_int_equal(keys.count, 0);
	}
}

/* Anybody can call a file so in his own folder. */
static void names_of_files_are_made_printable(void **state)
{
	CLEANUP(sshkeys) struct sshkeys keys = { 0 };
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	assert_works(sshkey_read("id_\xff\x1b.pub", KEY_RSA, strlen(KEY_RSA), &keys, &fail), &fail);
	assert_string_equal(keys.keys[0].file, "id_\\xff\\x1b.pub");
}

static void hostile_bytes_are_refused(void **state)
{
	static const char nul[] = KEY_ED25519 "\0" KEY_RSA;
	CLEANUP(text) char *large = mem_alloc(SSHKEY_FILE_MOST_BYTES + 1, 1);
	CLEANUP(sshkeys) struct sshkeys keys = { 0 };
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(fail) struct fail second = { 0 };

	(void)state;
	assert_int_equal(sshkey_read("x", nul, sizeof nul - 1, &keys, &fail), -1);
	assert_fails(&fail, FAIL_SPEC, "NUL");
	memset(large, '\n', SSHKEY_FILE_MOST_BYTES + 1);
	assert_int_equal(sshkey_read("x", large, SSHKEY_FILE_MOST_BYTES + 1, &keys, &second), -1);
	assert_fails(&second, FAIL_SPEC, "too large");
	assert_int_equal(keys.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_read),
		cmocka_unit_test(what_is_none_is_refused),
		cmocka_unit_test(names_of_files_are_made_printable),
		cmocka_unit_test(hostile_bytes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
