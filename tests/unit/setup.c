// SPDX-License-Identifier: MIT
/*
 * setup-host killed: before and after each call that changes the tree, and at each program that it runs. The linker's
 * --wrap (tests/meson.build) puts the functions below between vmm/setup*.c and libc. What setup-host makes of files is
 * tests/setup-host's.
 */
#include "vmm/setup.h"

#include <fts.h>

#include "tests/unit/scratch.h"

enum {
	KILLED = 99,
};

/* Call number @at ends the process once it is done. Before it, the tree is as after the one before. */
static struct {
	bool is_armed;
	unsigned at, seen;
} killer;

#define KILL_AFTER(type, name, parameters, arguments)                                              \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		type result = __real_##name arguments;                                             \
                                                                                                   \
		if (killer.is_armed && killer.seen++ == killer.at)                                 \
			_exit(KILLED);                                                             \
		return result;                                                                     \
	}

KILL_AFTER(int, renameat, (int a, const char *b, int c, const char *d), (a, b, c, d))
KILL_AFTER(int, unlinkat, (int a, const char *b, int c), (a, b, c))
KILL_AFTER(int, mkdirat, (int a, const char *b, mode_t c), (a, b, c))
KILL_AFTER(int, fchmod, (int a, mode_t b), (a, b))
KILL_AFTER(ssize_t, write, (int a, const void *b, size_t c), (a, b, c))

/* It counts; what it is for, a host without power, is nobody's here. */
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	(void)fd;
	if (killer.is_armed && killer.seen++ == killer.at)
		_exit(KILLED);
	return 0;
}

struct world {
	char *directory, *start, *top; /* the tree as it was, and the one that is worked on */
	struct root root;
	char *ran;         /* a file: the programs that were run, one a line */
	unsigned fails_at; /* 1..: the program that fails, if any */
};

static const struct setup_options options = { .gib_pages = "0:2",
					      .user = "alice",
					      .is_awake = true };

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
	CLEANUP(text) char *command = NULL;
	va_list args;

	va_start(args, format);
	command = text_vformat(format, args);
	va_end(args);
	assert_int_equal(system(command), 0);
}

static void fresh(struct world *world, const char *from)
{
	shell("rm -rf '%s' && cp -a '%s' '%s'", world->top, from, world->top);
}

/* Debian 12 without PCI, with a rule of an earlier run. */
static int open_world(void **state)
{
	static const char *const programs[] = { "usr/sbin/update-grub", "usr/sbin/update-initramfs",
						"usr/bin/udevadm", "usr/bin/systemd-tmpfiles" };
	struct world *world = mem_alloc(1, sizeof *world);

	world->directory = scratch_new();
	world->start = text_format("%s/start", world->directory);
	world->top = text_format("%s/top", world->directory);
	world->root.dir = world->top;
	world->root.live = true;
	world->ran = text_format("%s/ran", world->directory);
	shell("\"$GPUVM_SOURCE/tests/hosts/unpack\" \"$GPUVM_SOURCE/tests/setup-host/debian-12.tree\" '%s'",
	      world->start);
	shell("cd '%s' && mkdir -p sys/devices/system/node/node0 usr/sbin usr/bin && "
	      "echo 'Node 0 MemTotal: 8388608 kB' >sys/devices/system/node/node0/meminfo && "
	      "echo '# a rule' >etc/udev/rules.d/70-gpuvm.rules && chmod 0640 etc/gshadow && "
	      "rm usr/lib/tmpfiles.d/gpuvm.conf",
	      world->start);
	for (size_t i = 0; i < COUNT(programs); i++)
		shell("touch '%s/%s'", world->start, programs[i]);
	*state = world;
	return 0;
}

static int close_world(void **state)
{
	struct world *world = *state;

	scratch_free(world->directory);
	free(world->start);
	free(world->top);
	free(world->ran);
	free(world);
	return 0;
}

/* All there is below @top, but for gpuvm's journal if @without_journal. The caller frees. */
static char *listing(const char *top, bool without_journal)
{
	char *paths[] = { (char *)top, NULL };
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	char *text = mem_strdup("");
	char **lines = NULL;
	size_t count = 0;
	FTSENT *entry;

	assert_non_null(tree);
	while ((entry = fts_read(tree)) != NULL) {
		const char *name = entry->fts_path + strlen(top);
		CLEANUP(text) char *bytes = NULL;
		struct root root = { .dir = entry->fts_path };

		if (entry->fts_info == FTS_DP ||
		    (without_journal && text_starts(name, "/var/lib/gpuvm")))
			continue;
		if (entry->fts_info == FTS_F)
			bytes = root_bytes(&root, NULL, "%s", "");
		*MEM_APPEND(lines, count) = text_format(
			"%s %o %u %s\n", name, entry->fts_statp->st_mode, entry->fts_statp->st_uid,
			bytes == NULL ? "" : bytes);
	}
	fts_close(tree);
	for (size_t i = 0; i < count; i++) {
		size_t least = i;
		char *moving;

		for (size_t j = i + 1; j < count; j++)
			if (strcmp(lines[j], lines[least]) < 0)
				least = j;
		moving = lines[least];
		lines[least] = lines[i];
		text_add(&text, "%s", moving);
		free(moving);
	}
	free(lines);
	return text;
}

static int remember_program(void *data, const char *const *argv, struct fail *fail)
{
	struct world *world = data;

	if (killer.is_armed && killer.seen++ == killer.at)
		_exit(KILLED);
	if (world->fails_at > 0 && --world->fails_at == 0)
		return fail_add(fail, FAIL_FAIL, "it failed");
	shell("echo '%s' >>'%s'", argv[0], world->ran);
	return 0;
}

static int run(struct world *world, bool undo, struct fail *fail)
{
	CLEANUP(setup_plan) struct setup_plan *plan = NULL;

	if ((undo ? setup_plan_undo(&world->root, &plan, fail)
		  : setup_plan_make(&world->root, &options, &plan, fail)) < 0)
		return -1;
	return setup_apply(plan, remember_program, world, fail);
}

static void must_run(struct world *world, bool undo)
{
	CLEANUP(fail) struct fail fail = { 0 };

	if (run(world, undo, &fail) < 0)
		fail_msg("%s: %s", fail.items[0].what,
			 fail.items[0].cause == NULL ? "" : fail.items[0].cause);
}

/* In a process of its own, which is killed behind call @at. Whether it was. */
static bool killed(struct world *world, bool undo, unsigned at)
{
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		CLEANUP(fail) struct fail fail = { 0 };

		killer.is_armed = true;
		killer.at = at;
		_exit(run(world, undo, &fail) < 0 ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KILLED);
	return WEXITSTATUS(status) == KILLED;
}

static void assert_tree(const char *top, bool without_journal, const char *wanted, const char *what,
			unsigned at)
{
	CLEANUP(text) char *got = listing(top, without_journal);
	size_t same = 0;

	while (got[same] != '\0' && got[same] == wanted[same])
		same++;
	same = same < 60 ? 0 : same - 60;
	if (!text_equal(got, wanted))
		fail_msg("killed at %u, %s:\n%.300s\nnot\n%.300s", at, what, got + same,
			 wanted + same);
}

struct trees {
	char *original, *done; /* listings */
};

static void trees_done(struct trees *trees)
{
	free(trees->original);
	free(trees->done);
}

static struct trees read_trees(struct world *world)
{
	struct trees trees = { 0 };

	fresh(world, world->start);
	trees.original = listing(world->top, false);
	must_run(world, false);
	trees.done = listing(world->top, true);
	assert_string_not_equal(trees.original, trees.done);
	return trees;
}

/* What of the programs was run since this was asked last. The caller frees. */
static char *take_ran(struct world *world)
{
	struct root root = { .dir = world->ran };
	char *text = root_bytes(&root, NULL, "%s", "");

	unlink(world->ran);
	return text == NULL ? mem_strdup("") : text;
}

static void assert_none_ran(struct world *world)
{
	CLEANUP(text) char *ran = take_ran(world);

	assert_string_equal(ran, "");
}

/* The boot loader's last: its entries hold what the others made. */
static void assert_all_ran(struct world *world, bool only_once)
{
	static const char *const programs[] = { "/usr/bin/systemd-tmpfiles\n",
						"/usr/sbin/update-initramfs\n",
						"/usr/sbin/update-grub\n" };
	CLEANUP(text) char *ran = take_ran(world);
	const char *at = ran;

	for (size_t i = 0; i < COUNT(programs); i++) {
		at = strstr(at, programs[i]);
		assert_non_null(at);
		assert_true(!only_once || strstr(at + 1, programs[i]) == NULL);
	}
}

/* What was begun is ended, or turned back: both come to what they would have without the kill. */
static void assert_recovers(struct world *world, const struct trees *trees, bool undo, unsigned at)
{
	CLEANUP(text) char *copy = text_format("%s/copy", world->directory);

	shell("rm -rf '%s' && cp -a '%s' '%s'", copy, world->top, copy);
	must_run(world, undo);
	assert_tree(world->top, !undo, undo ? trees->original : trees->done, "run again", at);
	/* Files alone would not show that they are needed. */
	assert_all_ran(world, false);
	must_run(world, undo);
	assert_none_ran(world);
	fresh(world, copy);
	must_run(world, !undo);
	assert_tree(world->top, undo, undo ? trees->done : trees->original, "turned back", at);
	if (undo) {
		must_run(world, true);
		assert_tree(world->top, false, trees->original, "turned back, and back again", at);
	}
	unlink(world->ran);
}

static void kill_everywhere(struct world *world, bool undo)
{
	__attribute__((cleanup(trees_done))) struct trees trees = read_trees(world);
	CLEANUP(text) char *from = text_format("%s/from", world->directory);
	unsigned at = 0;

	if (!undo)
		must_run(world, true);
	shell("rm -rf '%s' && cp -a '%s' '%s'; rm -f '%s'", from, world->top, from, world->ran);
	for (;; at++) {
		fresh(world, from);
		if (!killed(world, undo, at))
			break;
		assert_recovers(world, &trees, undo, at);
	}
	unlink(world->ran);
	/* Each of some ten files is written and renamed; so are, of a run, two backups of each. */
	assert_true(at > (undo ? 40 : 100));
}

static void test_killed(void **state)
{
	kill_everywhere(*state, false);
}

static void test_undo_killed(void **state)
{
	kill_everywhere(*state, true);
}

/* On the live host, which is a tree here: the programs that have to follow, once. */
static void test_programs(void **state)
{
	struct world *world = *state;

	fresh(world, world->start);
	for (int undo = 0; undo < 2; undo++) {
		must_run(world, undo != 0);
		assert_all_ran(world, true);
		must_run(world, undo != 0);
		assert_none_ran(world);
	}
}

/* From here a run, or an undo, ends what was begun: also the programs, of whose need no file tells any more. */
static void assert_catches_up(struct world *world, const struct trees *trees, bool undo)
{
	must_run(world, undo);
	assert_all_ran(world, false);
	must_run(world, undo);
	assert_none_ran(world);
	if (!undo)
		must_run(world, true);
	assert_tree(world->top, false, trees->original, "undone", 0);
	unlink(world->ran);
}

static void test_programs_fail(void **state)
{
	struct world *world = *state;
	__attribute__((cleanup(trees_done))) struct trees trees = read_trees(world);

	for (int undo = 0; undo < 2; undo++) {
		for (unsigned at = 1; at <= 3; at++) {
			CLEANUP(fail) struct fail fail = { 0 };

			fresh(world, world->start);
			if (undo != 0)
				must_run(world, false);
			unlink(world->ran);
			world->fails_at = at;
			assert_int_equal(run(world, undo != 0, &fail), -1);
			world->fails_at = 0;
			assert_catches_up(world, &trees, undo != 0);
		}
	}
}

/* Between what was shown and what is written somebody else may come. */
static void test_changed_meanwhile(void **state)
{
	struct world *world = *state;
	CLEANUP(setup_plan) struct setup_plan *plan = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(text) char *group = text_format("%s/etc/group", world->top);

	fresh(world, world->start);
	assert_int_equal(setup_plan_make(&world->root, &options, &plan, &fail), 0);
	scratch_fill(group, "libvirt:x:108:bob\n");
	assert_int_equal(setup_apply(plan, remember_program, world, &fail), -1);
	assert_int_equal(fail.kind, FAIL_BUSY);
	assert_false(root_exists(&world->root, "/etc/modprobe.d/gpuvm.conf"));
}

/* A line that glibc reads, but that cannot be added to, stays as it is. */
static void test_damaged_group(void **state)
{
	static const char *const lines[] = { "libvirt:x:108\n", "libvirt:x:108:\r\n",
					     "libvirt:x:108:a:b\n" };
	struct world *world = *state;
	CLEANUP(text) char *group = text_format("%s/etc/group", world->top);

	fresh(world, world->start);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		CLEANUP(setup_plan) struct setup_plan *plan = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		scratch_fill(group, lines[i]);
		assert_int_equal(setup_plan_make(&world->root, &options, &plan, &fail), -1);
		assert_int_equal(fail.kind, FAIL_HOST);
		assert_non_null(strstr(fail.items[0].what, "is damaged"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_undo_killed),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_programs_fail),
		cmocka_unit_test(test_changed_meanwhile),
		cmocka_unit_test(test_damaged_group),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
