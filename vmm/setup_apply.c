// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <shadow.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/setup_internal.h"
#include "vmm/setup_journal.h"

#define COMMANDS                                                                                   \
	(SETUP_TMPFILES | SETUP_UDEV | SETUP_INITRAMFS | SETUP_DRACUT | SETUP_KERNEL_INSTALL |     \
	 SETUP_GRUB)

/* Everything in this process's way, with the journal under its lock. */
struct apply {
	const struct setup_plan *plan;
	const struct root *root;
	struct setup_journal *journal;
	setup_runner *run;
	void *data;
};

static void remember_folders(struct setup_journal *journal, const struct root *root,
			     const char *path)
{
	CLEANUP(root_names) char **missing = setup_file_missing_folders(root, path);

	for (char **folder = missing; *folder != NULL; folder++) {
		bool is_known = false;

		for (size_t i = 0; i < journal->folder_count; i++)
			is_known |= text_equal(journal->folders[i], *folder);
		if (!is_known)
			*MEM_APPEND(journal->folders, journal->folder_count) = mem_strdup(*folder);
	}
}

static int make_folders(const struct root *root, const char *path, mode_t mode, struct fail *fail)
{
	CLEANUP(root_names) char **missing = setup_file_missing_folders(root, path);

	for (char **folder = missing; *folder != NULL; folder++)
		if (setup_file_make_folder(root, *folder, mode, fail) < 0)
			return -1;
	return 0;
}

static int lock(const struct root *root, int *ret_fd, struct fail *fail)
{
	CLEANUP(text) char *path = root_path(root, SETUP_FOLDER);
	CLEANUP(fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
		int error = errno;

		fail_add(fail, error == EWOULDBLOCK ? FAIL_BUSY : FAIL_FAIL,
			 error == EWOULDBLOCK ? "another gpuvm setup-host is at work"
					      : "the journal's folder cannot be locked");
		fail_cause(fail, SETUP_FOLDER ": %s", strerror(error));
		return fail_hint(fail, "wait for it to end, then run this again");
	}
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* adduser(8) and its kin edit /etc/group too. 0: locked, or there is nothing to lock. */
static int lock_group(const struct setup_plan *plan, bool *ret_is_locked, struct fail *fail)
{
	bool is_edited = false;

	for (size_t i = 0; i < plan->edit_count; i++)
		is_edited |= text_equal(plan->edits[i].path, "/etc/group");
	if (!is_edited || *plan->root->dir != '\0')
		return 0;
	if (lckpwdf() == 0) {
		*ret_is_locked = true;
		return 0;
	}
	fail_add(fail, FAIL_BUSY, "another program is changing users and groups");
	fail_cause(fail, "/etc/.pwd.lock: %s", strerror(errno));
	return fail_hint(fail, "wait for it to end, then run this again");
}

/* What was shown is what is written: not if somebody changed it meanwhile. */
static int check_unchanged(const struct setup_plan *plan, struct fail *fail)
{
	for (size_t i = 0; i < plan->edit_count; i++) {
		CLEANUP(setup_file) struct setup_file now = { 0 };

		if (plan->edits[i].is_refused)
			continue;
		if (setup_file_read(plan->root, plan->edits[i].path, &now, fail) < 0)
			return -1;
		if (setup_file_same(&now, &plan->edits[i].before))
			continue;
		fail_add(fail, FAIL_BUSY, "%s has changed since it was shown", plan->edits[i].path);
		return fail_hint(fail,
				 "run gpuvm setup-host again, and look at the new difference");
	}
	return 0;
}

static int put_locked(const struct setup_plan *plan, struct fail *fail)
{
	if (check_unchanged(plan, fail) < 0)
		return -1;
	for (size_t i = 0; i < plan->edit_count; i++)
		if (!plan->edits[i].is_refused && setup_file_put(plan->root, plan->edits[i].path,
								 &plan->edits[i].after, fail) < 0)
			return -1;
	return 0;
}

static int put_edits(const struct setup_plan *plan, struct fail *fail)
{
	bool is_locked = false;
	int result;

	if (lock_group(plan, &is_locked, fail) < 0)
		return -1;
	result = put_locked(plan, fail);
	if (is_locked)
		ulckpwdf();
	return result;
}

/* What has to be run is noted before it can be forgotten: by an interruption between a file and its program. */
static int note_pending(struct apply *apply, struct fail *fail)
{
	if (apply->root->live)
		apply->journal->pending |= apply->plan->needs & COMMANDS;
	return setup_journal_write(apply->root, apply->journal, fail);
}

static int run_pending(struct apply *apply, struct fail *fail)
{
	if (!apply->root->live || apply->journal->pending == 0)
		return 0;
	if (setup_run_needs(apply->root, apply->journal->pending, apply->run, apply->data, fail) <
	    0)
		return -1;
	apply->journal->pending = 0;
	return setup_journal_write(apply->root, apply->journal, fail);
}

static int change(struct apply *apply, struct fail *fail)
{
	const struct setup_plan *plan = apply->plan;

	for (size_t i = 0; i < plan->edit_count; i++) {
		const struct setup_edit *edit = &plan->edits[i];

		remember_folders(apply->journal, apply->root, edit->path);
		if (setup_journal_add(apply->root, apply->journal, edit->path, &edit->before,
				      &edit->after, edit->needs, fail) < 0)
			return -1;
	}
	if (note_pending(apply, fail) < 0)
		return -1;
	for (size_t i = 0; i < plan->edit_count; i++)
		if (make_folders(apply->root, plan->edits[i].path, 0755, fail) < 0)
			return -1;
	if (put_edits(plan, fail) < 0)
		return -1;
	return run_pending(apply, fail);
}

/* Changes after one that is refused were taken back; those before it wait for it. */
static bool is_kept(const struct setup_plan *plan, const struct setup_entry *entry)
{
	for (size_t i = 0; i < plan->edit_count; i++)
		if (plan->edits[i].is_refused && text_equal(plan->edits[i].path, entry->path) &&
		    entry->number <= plan->edits[i].number)
			return true;
	return false;
}

/* Those that are empty again. */
static void remove_folders(const struct apply *apply)
{
	for (size_t i = apply->journal->folder_count; i-- > 0;)
		setup_file_remove_folder(apply->root, apply->journal->folders[i]);
}

/* The journal goes last: as long as it is there, this can be gone through again. */
static void remove_journal(const struct apply *apply)
{
	static const struct setup_file none = { 0 };
	CLEANUP(fail) struct fail unimportant = { 0 };

	setup_file_put(apply->root, SETUP_FOLDER "/journal.json", &none, &unimportant);
	setup_file_sweep(apply->root, SETUP_FOLDER "/journal.json");
	setup_file_remove_folder(apply->root, SETUP_FOLDER);
	/* Others' records are in it, or it is nobody's. */
	setup_file_remove_folder(apply->root, "/var/lib/gpuvm");
	remove_folders(apply);
}

/* Backups of interrupted runs have no entry. */
static void sweep(struct apply *apply)
{
	CLEANUP(root_names) char **names = root_names(apply->root, SETUP_FOLDER);
	static const struct setup_file none = { 0 };

	for (char **name = names; *name != NULL; name++) {
		CLEANUP(text) char *path = text_format(SETUP_FOLDER "/%s", *name);
		CLEANUP(fail) struct fail unimportant = { 0 };

		if (!text_equal(*name, "journal.json"))
			setup_file_put(apply->root, path, &none, &unimportant);
	}
}

/* What was refused can be undone later, once its file is as it was left. */
static int forget(struct apply *apply, struct fail *fail)
{
	const struct setup_journal *journal = apply->journal;
	struct setup_journal kept = *journal;
	int result = 0;

	kept.entries = mem_alloc(journal->count, sizeof *kept.entries);
	kept.count = 0;
	for (size_t i = 0; i < journal->count; i++) {
		if (is_kept(apply->plan, &journal->entries[i]))
			kept.entries[kept.count++] = journal->entries[i];
	}
	if (journal->exists)
		result = setup_journal_write(apply->root, &kept, fail);
	for (size_t i = 0; result == 0 && i < journal->count; i++)
		if (!is_kept(apply->plan, &journal->entries[i]))
			setup_journal_forget(apply->root, &journal->entries[i]);
	free(kept.entries);
	if (result < 0)
		return -1;
	remove_folders(apply);
	if (kept.count > 0)
		return 0;
	sweep(apply);
	remove_journal(apply);
	return 0;
}

static int undo(struct apply *apply, struct fail *fail)
{
	if (apply->journal->exists && note_pending(apply, fail) < 0)
		return -1;
	if (put_edits(apply->plan, fail) < 0 || run_pending(apply, fail) < 0)
		return -1;
	return forget(apply, fail);
}

int setup_apply(const struct setup_plan *plan, setup_runner *run, void *data, struct fail *fail)
{
	CLEANUP(setup_journal) struct setup_journal *journal = NULL;
	struct apply apply = { .plan = plan, .root = plan->root, .run = run, .data = data };
	CLEANUP(root_names)
	char **made = setup_file_missing_folders(plan->root, SETUP_FOLDER "/journal.json");
	CLEANUP(fd) int fd = -1;

	if (!setup_plan_has_changes(plan))
		return 0;
	for (char **folder = made; *folder != NULL; folder++)
		if (setup_file_make_folder(plan->root, *folder,
					   text_equal(*folder, SETUP_FOLDER) ? 0700 : 0755,
					   fail) < 0)
			return -1;
	if (lock(plan->root, &fd, fail) < 0 || setup_journal_read(plan->root, &journal, fail) < 0 ||
	    check_unchanged(plan, fail) < 0)
		return -1;
	for (char **folder = made; *folder != NULL; folder++)
		*MEM_APPEND(journal->folders, journal->folder_count) = mem_strdup(*folder);
	for (size_t i = 0; i < journal->count; i++)
		setup_file_sweep(plan->root, journal->entries[i].path);
	apply.journal = journal;
	return plan->is_undo ? undo(&apply, fail) : change(&apply, fail);
}
