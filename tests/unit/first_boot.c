// SPDX-License-Identifier: MIT
#include "vmm/cli/first_boot.h"

#include <stdio.h>

#include "tests/unit/keys_public.h"
#include "tests/unit/scratch.h"

static char *packages[] = { "git", "g++" };

/* What is printed of @launch. The caller frees. */
static char *lines_of(const struct launch *launch)
{
	json_t *first_boot = first_boot_json(launch);
	FILE *before = stdout;
	char *text = NULL;
	size_t length = 0;

	assert_non_null(first_boot);
	stdout = open_memstream(&text, &length);
	first_boot_print(first_boot);
	fclose(stdout);
	stdout = before;
	json_decref(first_boot);
	return text;
}

static void what_is_known_is_told(void **state)
{
	CLEANUP(fail) struct fail fail = { 0 };
	static const char keys[] = KEY_ED25519 " alice@box\n" KEY_RSA "\n";
	struct spec spec = { .cloud_init = { .packages = packages,
					     .package_count = COUNT(packages),
					     .user_data = (char *)"/home/alice/run.sh" } };
	struct seed seed = { .spec = &spec,
			     .is_read = true,
			     .user = (char *)"alice",
			     .hostname = (char *)"train",
			     .user_data_kind = "script",
			     .brings_agent = true };
	const struct launch launch = { .spec = &spec,
				       .seed = &seed,
				       .seed_pool = (char *)"default",
				       .seed_volume = (char *)"train-seed.iso" };
	CLEANUP(text) char *text = NULL;

	(void)state;
	assert_works(sshkey_read("k.pub", keys, strlen(keys), &seed.keys, &fail), &fail);
	text = lines_of(&launch);
	assert_string_equal(text, "Guest    named train at its first boot, by cloud-init\n"
				  "           account alice, who may use sudo, by 2 SSH keys:\n"
				  "             ssh-ed25519 alice@box from k.pub\n"
				  "             ssh-rsa from k.pub\n"
				  "           installs git, g++\n"
				  "           installs QEMU's guest agent if it is missing\n"
				  "           does what /home/alice/run.sh says (script)\n");
	sshkeys_done(&seed.keys);
}

static void nothing_is_told_of_nothing(void **state)
{
	struct spec spec = { .cloud_init = { .ssh_key = SPEC_SSH_KEY_NONE } };
	struct seed seed = { .spec = &spec, .hostname = (char *)"train" };
	const struct launch without = { .spec = &spec };
	const struct launch no_account = { .spec = &spec,
					   .seed = &seed,
					   .seed_pool = (char *)"default",
					   .seed_volume = (char *)"train-seed.iso" };
	CLEANUP(text) char *nothing = lines_of(&without);
	CLEANUP(text) char *name = lines_of(&no_account);

	(void)state;
	assert_string_equal(nothing, "");
	assert_string_equal(name, "Guest    named train at its first boot, by cloud-init\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_known_is_told),
					    cmocka_unit_test(nothing_is_told_of_nothing) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
