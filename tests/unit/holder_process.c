// SPDX-License-Identifier: MIT
/* Holders among many processes, and among those of others. */
#include "topo/holder.h"

#include <string.h>

#include "tests/unit/holders.h"

#define GPU   HOLDERS_GPU
#define SOUND HOLDERS_SOUND

static void all_processes_are_asked_once(void **state)
{
	CLEANUP(root)
	struct root *root = hosts_write(
		"many",
		HOLDERS_HOST PROCESSES_SLEEP PROCESSES_WITH_FILES("9", "first", PROCESSES_USER)
			PROCESSES_WITH_FILES("1000", "last", PROCESSES_USER));
	CLEANUP(holder_list) struct holder_list *list = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	struct holders_sample sample;
	const struct gpu *gpus[2] = { &sample.gpu, &sample.gpu };

	(void)state;
	holders_sample_init(&sample, "nouveau", false);
	processes_open(root->dir, "9", "0", "/dev/dri/card77");
	processes_open(root->dir, "9", "1", "/dev/snd/controlC77");
	processes_open(root->dir, "9", "2", "/dev/dri/card77");
	processes_open(root->dir, "1000", "0", "/dev/vfio/177");
	list = holder_list_read(root, gpus, 2);
	assert_int_equal(list->count, 3);
	assert_int_equal(list->holders[0].pid, 9);
	assert_string_equal(list->holders[0].address, GPU);
	assert_int_equal(list->holders[1].pid, 9);
	assert_string_equal(list->holders[1].address, SOUND);
	assert_int_equal(list->holders[2].pid, 1000);
	assert_int_equal(holder_refuse(&list->holders[0], &fail), -1);
	assert_fails(&fail, FAIL_BUSY, GPU " is in use by process 9 (first)");
	assert_string_equal(fail.items[0].cause, "process 9 (first) has /dev/dri/card77 open");
	assert_string_equal(fail.items[0].hint, "end it: sudo kill 9");
}

/* Run as a user who may not see the files of process 812: 0 as promised. */
static int others_are_not_checked(const void *data)
{
	const struct root *root = data;
	struct holders_sample sample;
	const struct gpu *gpu = &sample.gpu;
	CLEANUP(holder_list) struct holder_list *without = NULL;
	CLEANUP(holder_list) struct holder_list *with = NULL;
	bool has_socket = root_exists(root, "/run/nvidia-persistenced/socket");

	holders_sample_init(&sample, "nouveau", false);
	without = holder_list_read(root, &gpu, 1);
	holders_sample_init(&sample, "nvidia", false);
	with = holder_list_read(root, &gpu, 1);
	if (without->not_checked != 1 || with->not_checked != 1 || without->count != 0)
		return 1;
	if (!has_socket)
		return with->count == 0 ? 0 : 2;
	return with->count == 1 && with->holders[0].kind == HOLDER_PERSISTENCED &&
			       with->holders[0].pid == 812 &&
			       strcmp(with->holders[0].address, GPU) == 0 &&
			       strcmp(with->holders[0].remedy,
				      "sudo systemctl stop nvidia-persistenced") == 0
		       ? 0
		       : 3;
}

static void what_the_caller_may_not_see_is_counted(void **state)
{
	static const char *const sockets[] = { "", "run/nvidia-persistenced/socket\t\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(sockets); i++) {
		CLEANUP(text)
		char *lines = text_format(
			"%s%s",
			HOLDERS_HOST PROCESSES_WITH_FILES("812", "nvidia-persiste", PROCESSES_USER),
			sockets[i]);
		CLEANUP(root) struct root *root = hosts_write("closed", lines);
		CLEANUP(text) char *folder = text_format("%s/proc/812/fd", root->dir);

		processes_open(root->dir, "812", "0", "/dev/dri/card77");
		assert_int_equal(chmod(folder, 0), 0);
		assert_int_equal(scratch_as(scratch_is_root() ? SCRATCH_NOBODY : 0,
					    others_are_not_checked, root),
				 0);
		assert_int_equal(chmod(folder, 0755), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_processes_are_asked_once),
		cmocka_unit_test(what_the_caller_may_not_see_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
