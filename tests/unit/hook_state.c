// SPDX-License-Identifier: MIT
#include "vmm/hook_state.h"

#include <string.h>

#include "tests/unit/processes.h"

#define IN_2100 "4102444800"

#define DAEMON(name) PROCESSES_DAEMON("812", name, "0", "500")
#define BOOTED(at)   "proc/stat\tcpu 1 2\\nbtime " at "\\nprocesses 5\n"

struct state {
	const char *about, *lines;
	int hook_mode, program_mode; /* -1: there is none */
	enum hook_activity activity;
	const char *reason, *remedy;
};

static const struct state states[] = {
	{ "all is well", BOOTED(IN_2100) DAEMON("libvirtd"), 0755, 0755, HOOK_ACTIVE, NULL, NULL },
	{ "the daemon of one driver", BOOTED(IN_2100) DAEMON("virtqemud"), 0755, 0755, HOOK_ACTIVE,
	  NULL, NULL },
	{ "no hook", BOOTED(IN_2100) DAEMON("virtqemud"), -1, 0755, HOOK_ABSENT,
	  "50-gpuvm does not exist", "sudo systemctl restart virtqemud" },
	{ "no hook, no daemon", BOOTED(IN_2100), -1, 0755, HOOK_ABSENT, "50-gpuvm does not exist",
	  "sudo install -D -m 0755 /usr/share/doc/gpuvm/examples/50-gpuvm" },
	{ "switched off", BOOTED(IN_2100) DAEMON("libvirtd"), 0644, 0755, HOOK_NOT_EXECUTABLE,
	  "not an executable file", "sudo chmod 0755" },
	{ "gpuvm is elsewhere", BOOTED(IN_2100) DAEMON("libvirtd"), 0755, -1, HOOK_WITHOUT_PROGRAM,
	  "/usr/bin/gpuvm", "sudo install -m 0755" },
	{ "gpuvm does not run", BOOTED(IN_2100) DAEMON("libvirtd"), 0755, 0644,
	  HOOK_WITHOUT_PROGRAM, "/usr/bin/gpuvm", "sudo install -m 0755" },
	{ "newer than the daemon", BOOTED("1000") DAEMON("libvirtd"), 0755, 0755,
	  HOOK_NEWER_THAN_DAEMON, "newer than the running libvirtd",
	  "sudo systemctl restart libvirtd" },
	{ "newer than one of two daemons",
	  BOOTED("1000") PROCESSES_DAEMON("9", "libvirtd", "0", "500000000000") DAEMON("virtqemud"),
	  0755, 0755, HOOK_NEWER_THAN_DAEMON, "newer than the running virtqemud",
	  "sudo systemctl restart virtqemud" },
	{ "older than a daemon that started long after the boot",
	  BOOTED("1000") PROCESSES_DAEMON("812", "libvirtd", "0", "500000000000"), 0755, 0755,
	  HOOK_ACTIVE, NULL, NULL },
	{ "a user's own daemon", BOOTED(IN_2100) PROCESSES_DAEMON("812", "libvirtd", "1000", "500"),
	  0755, 0755, HOOK_DAEMON_NOT_SEEN, "not seen", "sudo systemctl restart libvirtd" },
	{ "when is not known", DAEMON("libvirtd"), 0755, 0755, HOOK_NEWER_THAN_DAEMON, "newer",
	  "restart libvirtd" },
};

/* The file @name below @root, with this mode; -1: none. */
static void make(const struct root *root, const char *name, int mode)
{
	CLEANUP(text) char *path = text_format("%s%s", root->dir, name);
	CLEANUP(text) char *folder = text_format("%.*s", (int)(strrchr(path, '/') - path), path);
	CLEANUP(file) FILE *file = NULL;

	if (mode < 0)
		return;
	scratch_make_directories(folder);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(chmod(path, (mode_t)mode), 0);
}

static void the_hook_is_active_or_says_why_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(states); i++) {
		CLEANUP(text) char *lines = text_format("sys/\n%s", states[i].lines);
		CLEANUP(root) struct root *root = hosts_write("host", lines);
		CLEANUP(hook_state) struct hook_state *hook = NULL;

		print_message("  %s\n", states[i].about);
		make(root, GPUVM_HOOK, states[i].hook_mode);
		make(root, HOOK_PROGRAM, states[i].program_mode);
		hook = hook_state_read(root);
		assert_int_equal(hook->activity, states[i].activity);
		assert_int_equal(hook->reason == NULL, states[i].reason == NULL);
		assert_int_equal(hook->remedy == NULL, states[i].remedy == NULL);
		if (states[i].reason != NULL && strstr(hook->reason, states[i].reason) == NULL)
			fail_msg("\"%s\" is not in: %s", states[i].reason, hook->reason);
		if (states[i].remedy != NULL && strstr(hook->remedy, states[i].remedy) == NULL)
			fail_msg("\"%s\" is not in: %s", states[i].remedy, hook->remedy);
	}
}

static int is_not_visible(const void *data)
{
	CLEANUP(hook_state) struct hook_state *hook = hook_state_read(data);

	return hook->activity != HOOK_NOT_VISIBLE;
}

/* Some distributions keep libvirt's configuration to root. */
static void a_closed_folder_tells_nothing(void **state)
{
	CLEANUP(root)
	struct root *root = hosts_write("closed", "sys/\n" BOOTED(IN_2100) DAEMON("libvirtd"));
	CLEANUP(text) char *folder = text_format("%s/etc/libvirt", root->dir);

	(void)state;
	make(root, GPUVM_HOOK, 0755);
	make(root, HOOK_PROGRAM, 0755);
	assert_int_equal(chmod(folder, 0), 0);
	assert_int_equal(scratch_as(scratch_is_root() ? SCRATCH_NOBODY : 0, is_not_visible, root),
			 0);
	assert_int_equal(chmod(folder, 0755), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hook_is_active_or_says_why_not),
		cmocka_unit_test(a_closed_folder_tells_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
