// SPDX-License-Identifier: MIT
/* vmm/disk.c, and what vmm/disk_base.c and vmm/disk_users.c find out about images. */
#include "vmm/disk.h"

#include <fcntl.h>
#include <string.h>

#include "tests/unit/scratch.h"
#include "vmm/disk_base.h"
#include "vmm/disk_users.h"

#define GIB (UINT64_C(1) << 30)

static struct spec_disk spec_disk(const char *label, const char *image, uint64_t size_bytes,
				  enum spec_disk_format format)
{
	return (struct spec_disk){ .label = (char *)label,
				   .line = 7,
				   .image = (char *)image,
				   .format = format,
				   .size_bytes = size_bytes,
				   .pool = (char *)"default" };
}

static struct spec spec_of(struct spec_disk *disks, size_t count)
{
	return (struct spec){ .file = (char *)"vm.ini",
			      .name = (char *)"train",
			      .disks = disks,
			      .disk_count = count };
}

static void disks_follow_the_spec(void **state)
{
	static const struct {
		const char *label, *image;
		uint64_t size_bytes;
		enum spec_disk_format format;
		enum disk_kind kind;
		const char *volume, *made, *base;
	} cases[] = {
		{ "[disk]", "/a.qcow2", 0, SPEC_DISK_AUTO, DISK_IMAGE, NULL, "qcow2", NULL },
		{ "[disk]", "/a.img", 0, SPEC_DISK_AUTO, DISK_IMAGE, NULL, "raw", NULL },
		{ "[disk]", "/a.qcow2", GIB, SPEC_DISK_AUTO, DISK_OVERLAY, "train.qcow2", "qcow2",
		  "qcow2" },
		{ "[disk:data]", "/a.img", GIB, SPEC_DISK_AUTO, DISK_OVERLAY, "train-data.qcow2",
		  "qcow2", "raw" },
		{ "[disk:data]", "/a.img", GIB, SPEC_DISK_QCOW2, DISK_OVERLAY, "train-data.qcow2",
		  "qcow2", "qcow2" },
		{ "[disk:x_1]", NULL, GIB, SPEC_DISK_AUTO, DISK_BLANK, "train-x_1.qcow2", "qcow2",
		  NULL },
		{ "[disk:x]", NULL, GIB, SPEC_DISK_RAW, DISK_BLANK, "train-x.img", "raw", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct spec_disk from = spec_disk(cases[i].label, cases[i].image,
						  cases[i].size_bytes, cases[i].format);
		const struct spec spec = spec_of(&from, 1);
		CLEANUP(disks) struct disks *disks = disks_new(&spec);
		const struct disk *disk = &disks->disks[0];

		assert_int_equal(disk->kind, cases[i].kind);
		assert_true(text_equal(disk->volume, cases[i].volume));
		assert_string_equal(disk_format(disk), cases[i].made);
		if (cases[i].base != NULL)
			assert_string_equal(disk_base_format(disk), cases[i].base);
		if (disk->volume != NULL)
			assert_true(disk_volume_is_of(disk->volume, "train"));
	}
}

static void a_volume_tells_whose_it_can_be(void **state)
{
	static const struct {
		const char *volume, *vm;
		bool is;
	} cases[] = {
		{ "train.qcow2", "train", true },        { "train-a.img", "train", true },
		{ "trainer.qcow2", "train", false },     { "other.qcow2", "train", false },
		{ "train.iso", "train", false },         { "train", "train", false },
		{ "train-/../x.qcow2", "train", false }, { "", "train", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(disk_volume_is_of(cases[i].volume, cases[i].vm), cases[i].is);
}

static void allocate(const char *path, bool all)
{
	CLEANUP(fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char block[4096];

	memset(block, 1, sizeof block);
	assert_int_equal(ftruncate(fd, 16 * sizeof block), 0);
	for (int i = 0; all && i < 16; i++)
		assert_int_equal(pwrite(fd, block, sizeof block, i * (off_t)sizeof block),
				 sizeof block);
	assert_int_equal(fsync(fd), 0);
}

static void io_follows_what_is_under_a_disk(void **state)
{
	static const struct {
		const char *about, *image;
		bool is_block, is_made;
		const char *type, *disabled, *cache, *io;
	} cases[] = {
		{ "a device", "/dev/x", true, false, "ext4", "0", "none", "native" },
		{ "a device, /dev on devtmpfs", "/dev/x", true, false, "tmpfs", "0", "none",
		  "native" },
		{ "all its blocks", "full.img", false, false, "ext4", "0", "none", "native" },
		{ "holes", "holes.img", false, false, "ext4", "0", "none", "io_uring" },
		{ "qcow2", "full.qcow2", false, false, "ext4", "0", "none", "io_uring" },
		{ "io_uring forbidden", "holes.img", false, false, "xfs", "2", "none", "threads" },
		{ "no O_DIRECT", "full.img", false, false, "tmpfs", "0", "writeback", "threads" },
		{ "a base without O_DIRECT", "full.img", false, true, "tmpfs", "0", "writeback",
		  "threads" },
		{ "an overlay", "full.img", false, true, "ext4", "0", "none", "io_uring" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(scratch) char *scratch = scratch_new();
		CLEANUP(text) char *proc = text_format("%s/proc/self", scratch);
		CLEANUP(text) char *kernel = text_format("%s/proc/sys/kernel", scratch);
		CLEANUP(text)
		char *make = text_format("mkdir -p '%s' '%s'", proc, kernel);
		CLEANUP(text)
		char *mounts = text_format("1 1 0:1 / / rw - ext4 x rw\n"
					   "2 1 0:2 / /tmp rw - %s x rw\n",
					   cases[i].type);
		CLEANUP(text)
		char *image = cases[i].is_block ? mem_strdup(cases[i].image)
						: text_format("%s/%s", scratch, cases[i].image);
		struct spec_disk from = spec_disk("[disk]", image, cases[i].is_made ? GIB : 0,
						  SPEC_DISK_AUTO);
		const struct spec spec = spec_of(&from, 1);
		CLEANUP(disks) struct disks *disks = disks_new(&spec);
		const struct root root = { .dir = scratch, .live = true };

		print_message("  %s\n", cases[i].about);
		assert_int_equal(system(make), 0);
		free(scratch_write(proc, "mountinfo", mounts));
		free(scratch_write(kernel, "io_uring_disabled", cases[i].disabled));
		if (!cases[i].is_block)
			allocate(image, text_contains(image, "full"));
		disks->disks[0].is_block = cases[i].is_block;
		disks_choose_io(disks, &root);
		assert_string_equal(disks->disks[0].io.cache, cases[i].cache);
		assert_string_equal(disks->disks[0].io.io, cases[i].io);
	}
}

/* The first bytes of an image: magic, version, where the base's name is, and features; the size is 3 GiB. */
struct header {
	const char *about, *magic;
	unsigned char version, backing, features;
	size_t length;
	const char *name;
	enum spec_disk_format format;
	uint64_t bytes;
	const char *word; /* of the refusal */
};

static const struct header headers[] = {
	{ "qcow2", "QFI\xfb", 3, 0, 0, 200, "a.qcow2", SPEC_DISK_AUTO, 3 * GIB, NULL },
	{ "an older one", "QFI\xfb", 2, 0, 4, 200, "a.qcow2", SPEC_DISK_AUTO, 3 * GIB, NULL },
	{ "by its format", "QFI\xfb", 3, 0, 0, 200, "a.img", SPEC_DISK_QCOW2, 3 * GIB, NULL },
	{ "a name that says nothing", "QFI\xfb", 3, 0, 0, 200, "a.img", SPEC_DISK_AUTO, 0,
	  "add format = qcow2" },
	{ "raw, and that is meant", "QFI\xfb", 3, 0, 0, 200, "a.img", SPEC_DISK_RAW, 200, NULL },
	{ "raw", "abcd", 3, 0, 0, 200, "a.img", SPEC_DISK_AUTO, 200, NULL },
	{ "an error page", "<htm", 0, 0, 0, 200, "a.qcow2", SPEC_DISK_AUTO, 0,
	  "not a qcow2 image" },
	{ "cut off", "QFI\xfb", 3, 0, 0, 60, "a.qcow2", SPEC_DISK_AUTO, 0, "not a qcow2 image" },
	{ "empty", "", 0, 0, 0, 0, "a.qcow2", SPEC_DISK_AUTO, 0, "not a qcow2 image" },
	{ "with a base of its own", "QFI\xfb", 3, 1, 0, 200, "a.qcow2", SPEC_DISK_AUTO, 0,
	  "names another file" },
	{ "with its data elsewhere", "QFI\xfb", 3, 0, 4, 200, "a.qcow2", SPEC_DISK_AUTO, 0,
	  "names another file" },
};

static void write_header(const char *path, const struct header *header)
{
	unsigned char bytes[200] = { 0 };
	CLEANUP(fd) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	memcpy(bytes, header->magic, strlen(header->magic));
	bytes[7] = header->version;
	bytes[12] = header->backing;
	bytes[28] = 0xc0;
	bytes[79] = header->features;
	assert_int_equal(write(fd, bytes, header->length), header->length);
}

static void a_base_is_what_it_is_said_to_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		CLEANUP(scratch) char *scratch = scratch_new();
		CLEANUP(text) char *path = text_format("%s/%s", scratch, headers[i].name);
		struct spec_disk from = spec_disk("[disk]", path, 9 * GIB, headers[i].format);
		const struct spec spec = spec_of(&from, 1);
		CLEANUP(disks) struct disks *disks = disks_new(&spec);
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", headers[i].about);
		write_header(path, &headers[i]);
		assert_result(disk_base_read(&disks->disks[0], &spec, NULL, &fail), &fail,
			      headers[i].word == NULL ? FAIL_NONE : FAIL_SPEC, headers[i].word);
		assert_int_equal(disks->disks[0].base_bytes, headers[i].bytes);
		if (headers[i].word != NULL)
			assert_int_equal(fail.items[0].line, 7);
	}
}

static int read_unreadable(const void *path)
{
	struct spec_disk from = spec_disk("[disk]", path, GIB, SPEC_DISK_AUTO);
	const struct spec spec = spec_of(&from, 1);
	CLEANUP(disks) struct disks *disks = disks_new(&spec);
	CLEANUP(fail) struct fail fail = { 0 };

	return !(disk_base_read(&disks->disks[0], &spec, NULL, &fail) < 0 &&
		 fail.kind == FAIL_HOST && text_contains(fail.items[0].hint, "sudo chmod a+r "));
}

static void a_base_that_nobody_tells_of_is_refused(void **state)
{
	CLEANUP(scratch) char *scratch = scratch_new();
	CLEANUP(text) char *path = scratch_write(scratch, "a.qcow2", "");

	(void)state;
	if (!scratch_is_root())
		skip();
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(scratch_as(SCRATCH_NOBODY, read_unreadable, path), 0);
}

#define DOMAIN(metadata, devices)                                                                  \
	"<domain><name>vm</name><memory>1024</memory>" metadata "<devices>" devices                \
	"</devices></domain>"
#define VOLUME(name, path, more)                                                                   \
	"<metadata><g:vm xmlns:g='urn:gpuvm:vm:1'><g:owner uid='1' name='a'/><g:volume "           \
	"pool='default' name='" name "' path='" path "' format='qcow2' " more                      \
	"/></g:vm></metadata>"

static void a_domain_tells_what_it_uses(void **state)
{
	static const struct {
		const char *about, *xml;
		enum disk_use use; /* of /here */
	} cases[] = {
		{ "no disk", DOMAIN("", ""), DISK_UNUSED },
		{ "another", DOMAIN("", "<disk><source file='/there'/></disk>"), DISK_UNUSED },
		{ "a file", DOMAIN("", "<disk><source file='/here'/></disk>"), DISK_WRITTEN },
		{ "a device", DOMAIN("", "<disk><source dev='/here'/></disk>"), DISK_WRITTEN },
		{ "read only", DOMAIN("", "<disk><source file='/here'/><readonly/></disk>"),
		  DISK_READ },
		{ "read only, and another that is not",
		  DOMAIN("", "<disk><source file='/here'/><readonly/></disk><disk><source "
			     "file='/here'/></disk>"),
		  DISK_WRITTEN },
		{ "a base of a base",
		  DOMAIN("", "<disk><source file='/a'/><backingStore><source file='/b'/>"
			     "<backingStore><source file='/here'/></backingStore>"
			     "</backingStore></disk>"),
		  DISK_READ },
		{ "copied to",
		  DOMAIN("", "<disk><source file='/a'/><mirror><source file='/here'/></mirror>"
			     "</disk>"),
		  DISK_WRITTEN },
		{ "a record", DOMAIN(VOLUME("vm.qcow2", "/here", ""), ""), DISK_WRITTEN },
		{ "a record's base", DOMAIN(VOLUME("vm.qcow2", "/a", "backing='/here'"), ""),
		  DISK_READ },
		{ "another VM's record", DOMAIN(VOLUME("wm.qcow2", "/here", ""), ""), DISK_UNUSED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(guest) struct guest *guest = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", cases[i].about);
		assert_works(guest_parse(cases[i].xml, &guest, &fail), &fail);
		assert_int_equal(disk_users_look(guest, NULL, "/here"), cases[i].use);
	}
}

static void damaged_records_are_not_believed(void **state)
{
	static const char *const records[] = {
		VOLUME("../vm.qcow2", "/here", ""),
		VOLUME("vm.qcow2", "here", ""),
		VOLUME("vm.qcow2", "/here", "backing='etc'"),
		VOLUME("other.qcow2", "/here", ""),
		"<metadata><g:vm xmlns:g='urn:gpuvm:vm:1'><g:volume/></g:vm></metadata>",
		"<metadata><g:vm xmlns:g='urn:gpuvm:vm:1'><g:volume pool='p' name='vm.img' "
		"path='/a' format='vmdk'/></g:vm></metadata>",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(records); i++) {
		CLEANUP(text)
		char *xml = text_format("<domain><name>vm</name><memory>1024</memory>%s</domain>",
					records[i]);
		CLEANUP(guest) struct guest *guest = NULL;
		CLEANUP(fail) struct fail fail = { 0 };
		bool is_told = false;

		assert_works(guest_parse(xml, &guest, &fail), &fail);
		assert_int_equal(guest->volumes.count, 0);
		for (size_t j = 0; j < guest->problem_count; j++)
			is_told |= text_contains(guest->problems[j], "record of a disk");
		assert_true(is_told);
	}
}

static void one_file_has_many_names(void **state)
{
	CLEANUP(scratch) char *scratch = scratch_new();
	CLEANUP(text) char *file = scratch_write(scratch, "a", "");
	CLEANUP(text) char *other = scratch_write(scratch, "b", "");
	CLEANUP(text) char *soft = text_format("%s/soft", scratch);
	CLEANUP(text) char *hard = text_format("%s/hard", scratch);

	(void)state;
	assert_int_equal(symlink("a", soft), 0);
	assert_int_equal(link(file, hard), 0);
	assert_true(disk_is_same(file, soft));
	assert_true(disk_is_same(hard, soft));
	assert_false(disk_is_same(file, other));
	assert_true(disk_is_same("/nonexistent/a", "/nonexistent/a"));
	assert_false(disk_is_same("/nonexistent/a", "/nonexistent/b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disks_follow_the_spec),
		cmocka_unit_test(a_volume_tells_whose_it_can_be),
		cmocka_unit_test(io_follows_what_is_under_a_disk),
		cmocka_unit_test(a_base_is_what_it_is_said_to_be),
		cmocka_unit_test(a_base_that_nobody_tells_of_is_refused),
		cmocka_unit_test(a_domain_tells_what_it_uses),
		cmocka_unit_test(damaged_records_are_not_believed),
		cmocka_unit_test(one_file_has_many_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
