// SPDX-License-Identifier: MIT
#include "vmm/owner.h"

#include "tests/unit/scratch.h"

struct caller {
	const char *about, *sudo_uid; /* NULL: not set */
	uid_t uid;                    /* the process's; 0: root */
	unsigned owner;
};

static int caller_is(const void *data)
{
	const struct caller *caller = data;
	CLEANUP(owner) struct owner *owner = NULL;

	if (caller->sudo_uid == NULL)
		unsetenv("SUDO_UID");
	else
		setenv("SUDO_UID", caller->sudo_uid, 1);
	owner = owner_of_caller();
	return owner->uid != caller->owner || owner->name == NULL || *owner->name == '\0';
}

static void the_caller_is_found_through_sudo(void **state)
{
	static const struct caller cases[] = {
		{ "root", NULL, 0, 0 },
		{ "root by sudo of a user", "1000", 0, 1000 },
		{ "root by sudo of root", "0", 0, 0 },
		{ "a user", NULL, SCRATCH_NOBODY, SCRATCH_NOBODY },
		{ "a user who says that he is root", "0", SCRATCH_NOBODY, SCRATCH_NOBODY },
		{ "a user who says that he is another", "1000", SCRATCH_NOBODY, SCRATCH_NOBODY },
		{ "no number", "alice", 0, 0 },
		{ "empty", "", 0, 0 },
		{ "negative", "-1", 0, 0 },
		{ "nobody at all", "4294967295", 0, 0 },
		{ "too large", "4294967296", 0, 0 },
		{ "much too large", "99999999999999999999999", 0, 0 },
	};

	(void)state;
	if (!scratch_is_root())
		skip();
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s\n", cases[i].about);
		assert_int_equal(scratch_as(cases[i].uid, caller_is, &cases[i]), 0);
	}
}

static int account_is_unknown(const void *data)
{
	CLEANUP(owner) struct owner *owner = owner_of_caller();

	return !text_equal(owner->name, data);
}

static void an_account_without_name_is_its_number(void **state)
{
	(void)state;
	if (!scratch_is_root())
		skip();
	assert_int_equal(scratch_as(3999999999U, account_is_unknown, "uid 3999999999"), 0);
}

static void only_ones_own_vm_may_be_touched(void **state)
{
	static const struct {
		const char *about;
		bool is_ours;
		unsigned vm_uid, caller_uid;
		bool force, may;
		const char *word;
		const char *uri; /* NULL: the default */
	} cases[] = {
		{ "one's own", true, 1000, 1000, false, true, NULL, NULL },
		{ "one's own by force", true, 1000, 1000, true, true, NULL, NULL },
		{ "another's", true, 1000, 1001, false, false, "belongs to alice", NULL },
		{ "another's", true, 1000, 1001, false, false, "gpuvm stop --force 'vm \\x1b[2J'",
		  NULL },
		{ "another's, by root", true, 1000, 0, false, false, "you are bob", NULL },
		{ "another's by force", true, 1000, 1001, true, true, NULL, NULL },
		{ "nobody's, as the record is damaged", true, UINT32_MAX, 0, false, false,
		  "belongs to", NULL },
		{ "another tool's", false, 0, 0, false, false, "is not gpuvm's", NULL },
		{ "another tool's, the default daemon's", false, 0, 0, false, false,
		  "virsh -c qemu:///system dominfo 'vm \\x1b[2J'", NULL },
		{ "another tool's, another daemon's", false, 0, 0, false, false,
		  "virsh -c qemu+unix:///system dominfo", "qemu+unix:///system" },
		{ "another tool's by force", false, 0, 0, true, false, "another tool", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct owner owner = { cases[i].caller_uid, (char *)"bob" };
		const struct guest guest = { .name = (char *)"vm \x1b[2J",
					     .is_ours = cases[i].is_ours,
					     .user = cases[i].is_ours ? (char *)"alice" : NULL,
					     .uid = cases[i].vm_uid };
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", cases[i].about);
		assert_int_equal(
			owner_may(&owner, &guest, cases[i].uri, "stop", cases[i].force, &fail),
			cases[i].may ? 0 : -1);
		if (!cases[i].may)
			assert_fails(&fail, FAIL_REFUSED, cases[i].word);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_caller_is_found_through_sudo),
		cmocka_unit_test(an_account_without_name_is_its_number),
		cmocka_unit_test(only_ones_own_vm_may_be_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
