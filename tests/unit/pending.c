// SPDX-License-Identifier: MIT
#include "vmm/pending.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#include "tests/unit/scratch.h"

#define SPEC(name, vcpus)                                                                          \
	"[vm]\nname = " name "\nvcpus = " vcpus                                                    \
	"\nmemory = 4 GiB\n[gpu]\nmatch = any\n[disk]\nimage = a.raw\n"

static struct guest guest_of(const char *file, const char *directory, unsigned uid)
{
	return (struct guest){ .name = (char *)"vm",
			       .is_ours = true,
			       .uid = uid,
			       .spec_text = (char *)SPEC("vm", "4"),
			       .spec_file = (char *)file,
			       .spec_directory = (char *)directory };
}

static void a_changed_file_is_found(void **state)
{
	static const struct {
		const char *about, *file, *text; /* NULL: there is none */
		bool is_pending;
	} cases[] = {
		{ "as it was", "vm.ini", SPEC("vm", "4"), false },
		{ "changed", "vm.ini", SPEC("vm", "8"), true },
		{ "changed, typed with a path", "some/where/vm.ini", SPEC("vm", "8"), true },
		{ "changed, and wrong", "vm.ini", "[vm]\nname = vm\n", true },
		{ "changed, and no INI at all", "vm.ini", "nonsense", true },
		{ "another VM's by now", "vm.ini", SPEC("other", "4"), false },
		{ "empty", "vm.ini", "", false },
		{ "gone", "vm.ini", NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(scratch) char *scratch = scratch_new();
		const struct guest guest = guest_of(cases[i].file, scratch, getuid());
		CLEANUP(text) char *path = text_format("%s/vm.ini", scratch);
		CLEANUP(text) char *file = pending_file(&guest);
		CLEANUP(text) char *text = NULL;

		print_message("  %s\n", cases[i].about);
		if (cases[i].text != NULL)
			free(scratch_write(scratch, "vm.ini", cases[i].text));
		text = pending_spec(&guest);
		assert_string_equal(file, path);
		assert_int_equal(text != NULL, cases[i].is_pending);
		if (text != NULL)
			assert_string_equal(text, cases[i].text);
	}
}

static void what_is_no_file_of_the_owners_is_left_alone(void **state)
{
	CLEANUP(scratch) char *scratch = scratch_new();
	CLEANUP(text) char *path = scratch_write(scratch, "vm.ini", SPEC("vm", "8"));
	CLEANUP(text) char *fifo = text_format("%s/fifo", scratch);
	const struct guest mine = guest_of("vm.ini", scratch, 4711);
	const struct guest pipe = guest_of("fifo", scratch, getuid());
	const struct guest folder = guest_of("", scratch, getuid());
	const struct guest lost = { .name = (char *)"vm", .is_ours = true };
	const struct guest *const guests[] = { &mine, &pipe, &folder, &lost };
	CLEANUP(fd) int opened = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char event[4096];

	(void)state;
	if (!scratch_is_root())
		skip();
	assert_int_equal(chown(path, 4712, 4712), 0);
	assert_int_equal(mkfifo(fifo, 0644), 0);
	assert_true(inotify_add_watch(opened, fifo, IN_OPEN) >= 0);
	for (size_t i = 0; i < COUNT(guests); i++)
		assert_null(pending_spec(guests[i]));
	assert_int_equal(read(opened, event, sizeof event), -1);
	assert_int_equal(errno, EAGAIN);
	/* The same file as its owner's, and as root's. */
	for (unsigned uid = 0; uid <= 4711; uid += 4711) {
		CLEANUP(text) char *text = NULL;

		assert_int_equal(chown(path, uid, uid), 0);
		text = pending_spec(&mine);
		assert_non_null(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_changed_file_is_found),
		cmocka_unit_test(what_is_no_file_of_the_owners_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
