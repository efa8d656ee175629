// SPDX-License-Identifier: MIT
/* Disk images: whether they are there, and whether QEMU may reach them. */
#include "vmm/preflight.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "tests/unit/scratch.h"

#define QEMU_ID   64055
#define IMAGE     "image.qcow2"
#define FILE_SPEC "configs/vm.ini"

/* The account that QEMU runs as, on whatever machine the test runs; GPUVM_TEST_NO_QEMU: none. */
struct passwd *getpwnam(const char *name)
{
	static struct passwd account = { .pw_name = (char *)"libvirt-qemu",
					 .pw_uid = QEMU_ID,
					 .pw_gid = QEMU_ID };

	return strcmp(name, account.pw_name) == 0 && getenv("GPUVM_TEST_NO_QEMU") == NULL ? &account
											  : NULL;
}

/* Each makes what an image's path may lead to, in @directory; false: not possible here. */
static bool make_file(const char *directory, const char *path)
{
	free(scratch_write(directory, IMAGE, ""));
	return access(path, F_OK) == 0;
}

static bool make_nothing(const char *directory, const char *path)
{
	(void)directory;
	return access(path, F_OK) != 0;
}

static bool make_folder(const char *directory, const char *path)
{
	(void)directory;
	return mkdir(path, 0755) == 0;
}

static bool make_fifo(const char *directory, const char *path)
{
	(void)directory;
	return mkfifo(path, 0644) == 0;
}

static bool make_block(const char *directory, const char *path)
{
	(void)directory;
	return mknod(path, S_IFBLK | 0600, makedev(7, 0)) == 0;
}

static bool make_character(const char *directory, const char *path)
{
	(void)directory;
	return symlink("/dev/null", path) == 0;
}

static bool make_dangling(const char *directory, const char *path)
{
	(void)directory;
	return symlink("nowhere", path) == 0;
}

static bool make_link(const char *directory, const char *path)
{
	free(scratch_write(directory, "other.qcow2", ""));
	return symlink("other.qcow2", path) == 0;
}

static bool make_closed(const char *directory, const char *path)
{
	return make_file(directory, path) && chmod(directory, 0700) == 0;
}

static bool make_qemus(const char *directory, const char *path)
{
	return make_closed(directory, path) && chown(directory, QEMU_ID, (gid_t)-1) == 0;
}

static bool make_qemus_without_x(const char *directory, const char *path)
{
	return make_qemus(directory, path) && chmod(directory, 0677) == 0;
}

static bool make_of_qemus_group(const char *directory, const char *path)
{
	return make_file(directory, path) && chown(directory, (uid_t)-1, QEMU_ID) == 0 &&
	       chmod(directory, 0710) == 0;
}

static bool make_of_another_group(const char *directory, const char *path)
{
	return make_file(directory, path) && chmod(directory, 0710) == 0;
}

/* setfacl -m u:64055:x as the kernel stores it: linux/posix_acl_xattr.h. */
static bool make_with_acl(const char *directory, const char *path)
{
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag, permissions;
			uint32_t id;
		} entries[5];
	} acl = { 2,
		  { { 0x01, 7, UINT32_MAX },
		    { 0x02, 1, QEMU_ID },
		    { 0x04, 0, UINT32_MAX },
		    { 0x10, 1, UINT32_MAX },
		    { 0x20, 0, UINT32_MAX } } };

	return make_file(directory, path) && chmod(directory, 0700) == 0 &&
	       setxattr(directory, "system.posix_acl_access", &acl, sizeof acl, 0) == 0;
}

struct image {
	const char *about;
	bool (*make)(const char *directory, const char *path);
	enum fail_kind kind; /* FAIL_NONE: it is one */
	const char *word;
	bool is_block;
};

static const struct image images[] = {
	{ "a file", make_file, FAIL_NONE, NULL, false },
	{ "a link to a file", make_link, FAIL_NONE, NULL, false },
	{ "a block device", make_block, FAIL_NONE, NULL, true },
	{ "nothing", make_nothing, FAIL_SPEC, "there is no such disk image", false },
	{ "a link to nothing", make_dangling, FAIL_SPEC, "No such file", false },
	{ "a folder", make_folder, FAIL_SPEC, "neither a file nor a block device", false },
	{ "a FIFO", make_fifo, FAIL_SPEC, "neither a file nor a block device", false },
	{ "a character device", make_character, FAIL_SPEC, "neither a file", false },
	{ "in a folder of the caller alone", make_closed, FAIL_HOST,
	  "(libvirt-qemu) may not enter ", false },
	{ "in a folder of the caller alone", make_closed, FAIL_HOST, "sudo mv", false },
	{ "in QEMU's own folder", make_qemus, FAIL_NONE, NULL, false },
	{ "in QEMU's folder that all but QEMU may enter", make_qemus_without_x, FAIL_HOST,
	  "may not enter", false },
	{ "in a folder of QEMU's group", make_of_qemus_group, FAIL_NONE, NULL, false },
	{ "in a folder of another group", make_of_another_group, FAIL_HOST, "may not enter",
	  false },
	{ "in a folder opened to QEMU by an ACL", make_with_acl, FAIL_NONE, NULL, false },
};

static void images_must_be_reachable(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(images); i++) {
		CLEANUP(scratch) char *directory = scratch_new();
		CLEANUP(scratch) char *open = scratch_new();
		CLEANUP(text) char *sound = scratch_write(open, IMAGE, "");
		CLEANUP(text) char *path = text_format("%s/" IMAGE, directory);
		struct spec_disk disks[2] = {
			{ .label = (char *)"[disk]", .line = 3, .image = sound },
			{ .label = (char *)"[disk:data]", .line = 7, .image = path },
		};
		const struct spec spec = { .file = (char *)FILE_SPEC,
					   .disks = disks,
					   .disk_count = 2 };
		bool is_block[2] = { true, true };
		CLEANUP(fail) struct fail fail = { 0 };

		if (!images[i].make(directory, path)) {
			print_message("  skipped: %s: %s\n", images[i].about, strerror(errno));
			continue;
		}
		print_message("  %s\n", images[i].about);
		assert_result(preflight_images(&spec, is_block, &fail), &fail, images[i].kind,
			      images[i].word);
		assert_false(is_block[0]);
		if (images[i].kind == FAIL_NONE) {
			assert_int_equal(is_block[1], images[i].is_block);
			continue;
		}
		assert_true(text_starts(fail.items[0].what, "[disk:data] image = /tmp/"));
		assert_string_equal(fail.items[0].file, FILE_SPEC);
		assert_int_equal(fail.items[0].line, 7);
	}
}

static void a_comment_is_no_part_of_an_image(void **state)
{
	struct spec_disk disk = { .label = (char *)"[disk]",
				  .line = 3,
				  .image = (char *)"/nonexistent # mine" };
	const struct spec spec = { .disks = &disk, .disk_count = 1 };
	CLEANUP(fail) struct fail fail = { 0 };
	bool is_block = false;

	(void)state;
	assert_int_equal(preflight_images(&spec, &is_block, &fail), -1);
	assert_fails(&fail, FAIL_SPEC, "a comment behind a value starts with ;");
}

static void without_qemus_account_nothing_is_closed(void **state)
{
	CLEANUP(scratch) char *directory = scratch_new();
	CLEANUP(text) char *path = text_format("%s/" IMAGE, directory);
	struct spec_disk disk = { .label = (char *)"[disk]", .line = 3, .image = path };
	const struct spec spec = { .disks = &disk, .disk_count = 1 };
	struct fail fail = { 0 };
	bool is_block = false;

	(void)state;
	assert_true(make_closed(directory, path));
	setenv("GPUVM_TEST_NO_QEMU", "yes", 1);
	assert_int_equal(preflight_images(&spec, &is_block, &fail), 0);
	unsetenv("GPUVM_TEST_NO_QEMU");
}

/* What the caller may not see may be there: the folder that keeps him out may keep QEMU out too. */
static int unseen_image_is_judged_by_its_folder(const void *directory)
{
	CLEANUP(text) char *path = text_format("%s/" IMAGE, (const char *)directory);
	struct spec_disk disk = { .label = (char *)"[disk]", .line = 3, .image = path };
	const struct spec spec = { .disks = &disk, .disk_count = 1 };
	CLEANUP(fail) struct fail fail = { 0 };
	bool is_block = true;

	if (preflight_images(&spec, &is_block, &fail) == 0)
		return is_block;
	return fail.kind == FAIL_HOST ? 10 : 20;
}

static void images_out_of_sight_are_believed(void **state)
{
	CLEANUP(scratch) char *directory = scratch_new();
	CLEANUP(text) char *path = text_format("%s/" IMAGE, directory);

	(void)state;
	if (!scratch_is_root())
		skip();
	assert_true(make_qemus(directory, path));
	assert_int_equal(
		scratch_as(SCRATCH_NOBODY, unseen_image_is_judged_by_its_folder, directory), 0);
	assert_int_equal(chown(directory, 0, 0), 0);
	assert_int_equal(
		scratch_as(SCRATCH_NOBODY, unseen_image_is_judged_by_its_folder, directory), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_must_be_reachable),
		cmocka_unit_test(a_comment_is_no_part_of_an_image),
		cmocka_unit_test(without_qemus_account_nothing_is_closed),
		cmocka_unit_test(images_out_of_sight_are_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
