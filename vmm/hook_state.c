// SPDX-License-Identifier: MIT
#include "vmm/hook_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "topo/process.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define EXAMPLE "/usr/share/doc/gpuvm/examples/50-gpuvm"
#define RESTART "sudo systemctl restart %s" /* VMs that run go on running */

/* Whichever of libvirt's daemons runs VMs on this host: all in one, or one a driver. */
static const char *const daemons[] = { "libvirtd", "virtqemud" };

static bool is_daemon(const struct root *root, const struct process *process)
{
	for (size_t i = 0; i < sizeof daemons / sizeof *daemons; i++)
		if (text_equal(process->name, daemons[i]))
			return process_uid(root, process->pid) == 0; /* not a user's own */
	return false;
}

/* When the daemon started that has run for longest; its name, or NULL if none is seen. The caller frees. */
static char *oldest_daemon(const struct root *root, int64_t *ret_started_at)
{
	CLEANUP(process_list) struct process_list *processes = process_list_read(root);
	const struct process *oldest = NULL;

	for (size_t i = 0; i < processes->count; i++) {
		const struct process *process = &processes->processes[i];

		if (is_daemon(root, process) &&
		    (oldest == NULL || process->started_ticks < oldest->started_ticks))
			oldest = process;
	}
	if (oldest == NULL)
		return NULL;
	*ret_started_at = process_started_at(root, oldest);
	return mem_strdup(oldest->name);
}

/* When the hook came to be as it is. Its mtime would be that of the package's file. */
static enum hook_activity look(const struct root *root, int64_t *ret_changed_at)
{
	CLEANUP(text) char *path = root_path(root, "%s", GPUVM_HOOK);
	CLEANUP(text) char *program = root_path(root, "%s", HOOK_PROGRAM);
	struct stat info;

	if (stat(path, &info) != 0)
		return errno == EACCES ? HOOK_NOT_VISIBLE : HOOK_ABSENT;
	if (!S_ISREG(info.st_mode) || (info.st_mode & S_IXUSR) == 0)
		return HOOK_NOT_EXECUTABLE;
	*ret_changed_at = info.st_ctim.tv_sec;
	if (stat(program, &info) != 0 || (info.st_mode & S_IXUSR) == 0)
		return HOOK_WITHOUT_PROGRAM;
	return HOOK_ACTIVE;
}

static void explain(struct hook_state *state, const char *daemon)
{
	CLEANUP(text) char *restart = text_format(RESTART, daemon);

	switch (state->activity) {
	case HOOK_ACTIVE:
		return;
	case HOOK_ABSENT:
		state->reason = text_format("%s does not exist", GPUVM_HOOK);
		state->remedy = text_format("sudo install -D -m 0755 " EXAMPLE " %s && %s",
					    GPUVM_HOOK, restart);
		return;
	case HOOK_NOT_VISIBLE:
		state->reason = text_format("you may not look at %s", GPUVM_HOOK);
		state->remedy = text_format("sudo ls -l %s", GPUVM_HOOK);
		return;
	case HOOK_NOT_EXECUTABLE:
		state->reason = text_format("%s is not an executable file", GPUVM_HOOK);
		state->remedy = text_format("sudo chmod 0755 %s && %s", GPUVM_HOOK, restart);
		return;
	case HOOK_WITHOUT_PROGRAM:
		state->reason = text_format("%s, which it runs, does not exist", HOOK_PROGRAM);
		state->remedy = mem_strdup(
			"sudo install -m 0755 \"$(command -v gpuvm)\" " HOOK_PROGRAM);
		return;
	case HOOK_NEWER_THAN_DAEMON:
		state->reason = text_format("%s is newer than the running %s, which looked for "
					    "hooks when it started",
					    GPUVM_HOOK, daemon);
		state->remedy = mem_strdup(restart);
		return;
	case HOOK_DAEMON_NOT_SEEN:
		state->reason = mem_strdup("libvirt's daemon is not seen in /proc");
		state->remedy = mem_strdup(restart);
		return;
	}
}

struct hook_state *hook_state_read(const struct root *root)
{
	struct hook_state *state = mem_alloc(1, sizeof *state);
	int64_t changed_at = 0;
	int64_t started_at = -1;
	CLEANUP(text) char *daemon = oldest_daemon(root, &started_at);

	state->activity = look(root, &changed_at);
	if (state->activity == HOOK_ACTIVE && daemon == NULL)
		state->activity = HOOK_DAEMON_NOT_SEEN;
	else if (state->activity == HOOK_ACTIVE && started_at < changed_at)
		state->activity = HOOK_NEWER_THAN_DAEMON;
	explain(state, daemon == NULL ? daemons[0] : daemon);
	return state;
}

void hook_state_free(struct hook_state *state)
{
	if (state == NULL)
		return;
	free(state->reason);
	free(state->remedy);
	free(state);
}
