// SPDX-License-Identifier: MIT
#include "topo/backing.h"

#include "tests/unit/scratch.h"

#define MOUNTS                                                                                     \
	"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"                                  \
	"30 22 0:26 / /var/lib rw shared:9 master:2 - xfs /dev/sdb1 rw\n"                          \
	"31 30 0:27 /sub /var/lib/libvirt\\040images rw - tmpfs tmpfs rw,size=4k\n"                \
	"nonsense\n"                                                                               \
	"32 - \n"                                                                                  \
	"33 22 0:28 / /srv rw - ext4 /dev/sdc1 rw\n"                                               \
	"34 33 0:29 / /srv rw - btrfs /dev/sdd1 rw\n"                                              \
	"35 22 0:30 / /srv/deep rw - nfs4 far:/deep rw"

/* A host that has these two files in /proc; NULL: not. */
static struct root host_with(const char *directory, const char *mounts, const char *disabled)
{
	CLEANUP(text) char *proc = text_format("%s/proc", directory);
	CLEANUP(text) char *self = text_format("%s/proc/self", directory);
	CLEANUP(text) char *sys = text_format("%s/proc/sys", directory);
	CLEANUP(text) char *kernel = text_format("%s/proc/sys/kernel", directory);

	assert_int_equal(
		mkdir(proc, 0755) | mkdir(self, 0755) | mkdir(sys, 0755) | mkdir(kernel, 0755), 0);
	if (mounts != NULL)
		free(scratch_write(self, "mountinfo", mounts));
	if (disabled != NULL)
		free(scratch_write(kernel, "io_uring_disabled", disabled));
	return (struct root){ .dir = (char *)directory };
}

static void the_innermost_mount_counts(void **state)
{
	static const struct {
		const char *path, *type;
	} cases[] = {
		{ "/", "ext4" },
		{ "/home/a.qcow2", "ext4" },
		{ "/var/lib", "xfs" },
		{ "/var/lib/libvirt/images/a.qcow2", "xfs" },
		{ "/var/library/a.qcow2", "ext4" },
		{ "/var/lib/libvirt images/a.qcow2", "tmpfs" },
		{ "/srv/a.qcow2", "btrfs" },
		{ "/srv/deep/a.qcow2", "nfs4" },
	};
	CLEANUP(scratch) char *scratch = scratch_new();
	const struct root root = host_with(scratch, MOUNTS, NULL);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *type = backing_filesystem(&root, cases[i].path);

		print_message("  %s\n", cases[i].path);
		assert_string_equal(type, cases[i].type);
	}
}

static void without_mounts_nothing_is_known(void **state)
{
	CLEANUP(scratch) char *scratch = scratch_new();
	const struct root root = host_with(scratch, NULL, NULL);

	(void)state;
	assert_null(backing_filesystem(&root, "/a"));
	assert_true(backing_is_direct(NULL));
	assert_true(backing_is_direct("ext4"));
	assert_false(backing_is_direct("tmpfs"));
}

static void io_uring_is_the_kernels_to_allow(void **state)
{
	static const struct {
		const char *disabled;
		bool has;
	} cases[] = { { NULL, true }, { "0\n", true }, { "1\n", false }, { "2\n", false } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(scratch) char *scratch = scratch_new();
		const struct root root = host_with(scratch, NULL, cases[i].disabled);

		assert_int_equal(backing_has_io_uring(&root), cases[i].has);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_innermost_mount_counts),
		cmocka_unit_test(without_mounts_nothing_is_known),
		cmocka_unit_test(io_uring_is_the_kernels_to_allow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
