// SPDX-License-Identifier: MIT
/* Programs of the host that have to follow a change. */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/setup_internal.h"

#define MOST_ARGUMENTS 6

/* In this order: boot entries last. Of the rows of one need the first is taken whose program is there. */
static const struct command {
	enum setup_need need;
	const char *argv[MOST_ARGUMENTS];
} commands[] = {
	{ SETUP_TMPFILES, { "/usr/bin/systemd-tmpfiles", "--create", "gpuvm.conf" } },
	{ SETUP_UDEV, { "/usr/bin/udevadm", "control", "--reload" } },
	{ SETUP_UDEV, { "/bin/udevadm", "control", "--reload" } },
	{ SETUP_INITRAMFS, { "/usr/sbin/update-initramfs", "-u", "-k", "all" } },
	{ SETUP_DRACUT, { "/usr/bin/dracut", "--force", "--regenerate-all" } },
	{ SETUP_DRACUT, { "/usr/sbin/dracut", "--force", "--regenerate-all" } },
	{ SETUP_GRUB, { "/usr/sbin/update-grub" } },
	{ SETUP_GRUB, { "/usr/sbin/grub-mkconfig", "-o", "/boot/grub/grub.cfg" } },
};

/* What the caller does with each command line. */
typedef int command_user(void *data, const char *const *argv, struct fail *fail);

/* One entry for each kernel that is installed (kernel-install(8)). */
static int each_kernel(const struct root *root, command_user *use, void *data, struct fail *fail)
{
	CLEANUP(root_names) char **kernels = root_names(root, "/lib/modules");

	for (char **kernel = kernels; *kernel != NULL; kernel++) {
		CLEANUP(text) char *image = text_format("/boot/vmlinuz-%s", *kernel);
		CLEANUP(text) char *initrd = text_format("/boot/initrd.img-%s", *kernel);
		const char *argv[MOST_ARGUMENTS] = { "/usr/bin/kernel-install", "add", *kernel,
						     image, initrd };

		if (!root_exists(root, "%s", initrd))
			argv[4] = NULL;
		if (root_exists(root, "%s", image) && use(data, argv, fail) < 0)
			return -1;
	}
	return 0;
}

static bool is_first(const struct root *root, const struct command *row, bool has_programs)
{
	for (const struct command *other = commands; other < row; other++)
		if (other->need == row->need &&
		    (!has_programs || root_exists(root, "%s", other->argv[0])))
			return false;
	return !has_programs || root_exists(root, "%s", row->argv[0]);
}

static int missing(const struct command *row, struct fail *fail)
{
	fail_add(fail, FAIL_HOST, "the host has no %s", row->argv[0]);
	return fail_hint(fail, "install what has it, then run gpuvm setup-host again");
}

/* @has_programs: of what the host has; else of what there could be. */
static int each_command(const struct root *root, unsigned needs, bool has_programs,
			command_user *use, void *data, struct fail *fail)
{
	unsigned done = 0;

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		const struct command *row = &commands[i];

		/* After the initramfs, of which the entries have a copy. */
		if (row->need == SETUP_GRUB && (needs & SETUP_KERNEL_INSTALL & ~done) != 0 &&
		    each_kernel(root, use, data, fail) < 0)
			return -1;
		done |= row->need == SETUP_GRUB ? SETUP_KERNEL_INSTALL : 0;
		if ((needs & row->need & ~done) == 0 || !is_first(root, row, has_programs))
			continue;
		done |= row->need;
		if (use(data, row->argv, fail) < 0)
			return -1;
	}
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if ((needs & commands[i].need & ~done) != 0)
			return missing(&commands[i], fail);
	return 0;
}

int setup_run_needs(const struct root *root, unsigned needs, setup_runner *run, void *data,
		    struct fail *fail)
{
	return each_command(root, needs, true, run, data, fail);
}

struct lines {
	char **lines;
	size_t count;
};

static int add_line(void *data, const char *const *argv, struct fail *fail)
{
	struct lines *lines = data;
	char *line = NULL;

	(void)fail;
	for (; *argv != NULL; argv++) {
		CLEANUP(text) char *word = text_shell(*argv);

		text_join(&line, " ", word);
	}
	*MEM_APPEND(lines->lines, lines->count) = line;
	return 0;
}

char **setup_commands(const struct setup_plan *plan)
{
	struct lines lines = { .lines = mem_alloc(1, sizeof *lines.lines) };
	CLEANUP(fail) struct fail fail = { 0 };

	each_command(plan->root, plan->needs, false, add_line, &lines, &fail);
	(void)MEM_APPEND(lines.lines, lines.count);
	return lines.lines;
}

static int program_failed(const char *const *argv, const char *cause, struct fail *fail)
{
	struct lines line = { 0 };

	add_line(&line, argv, fail);
	fail_add(fail, FAIL_FAIL, "%s failed", argv[0]);
	fail_cause(fail, "%s", cause);
	fail_hint(
		fail,
		"its own words stand above; run it again with: sudo %s   or all of it: sudo gpuvm setup-host",
		line.lines[0]);
	free(line.lines[0]);
	free(line.lines);
	return -1;
}

int setup_run_program(void *data, const char *const *argv, struct fail *fail)
{
	static char *const environment[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
					     (char *)"LC_ALL=C.UTF-8", NULL };
	CLEANUP(text) char *cause = NULL;
	posix_spawn_file_actions_t actions;
	int status = 0;
	pid_t pid;
	int error;

	(void)data;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	error = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	if (error != 0)
		return program_failed(argv, strerror(error), fail);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return program_failed(argv, strerror(errno), fail);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	cause = WIFEXITED(status) ? text_format("exit code %d", WEXITSTATUS(status))
				  : text_format("signal %d", WTERMSIG(status));
	return program_failed(argv, cause, fail);
}
