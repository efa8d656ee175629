/* SPDX-License-Identifier: MIT */
/*
 * What setup-host changed on a host, so that it can be taken back: /var/lib/gpuvm/setup holds journal.json and, for
 * each change, the file's bytes before (NUMBER.before, unless there was none) and after (NUMBER.after). It is of root
 * alone. Written before the change; a change that did not happen is seen by the file itself.
 */
#ifndef GPUVM_VMM_SETUP_JOURNAL_H
#define GPUVM_VMM_SETUP_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"
#include "vmm/setup_file.h"

struct setup_entry {
	unsigned number; /* of its backups; later changes have higher ones */
	char *path;
	bool existed; /* before; mode, uid and gid are those it had */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	unsigned needs; /* setup_need: after the change, and after its undo */
};

struct setup_journal {
	struct setup_entry *entries; /* in the order of the changes */
	size_t count;
	char **folders; /* that were made, the outermost first */
	size_t folder_count;
	unsigned pending; /* setup_need: what a run that was interrupted has yet to do */
	bool exists;      /* on disk */
};

/* An empty one if there is none. FAIL_HOST if it cannot be read or is damaged. */
int setup_journal_read(const struct root *root, struct setup_journal **ret_journal,
		       struct fail *fail);
void setup_journal_free(struct setup_journal *journal);
CLEANUP_DEFINE(setup_journal, struct setup_journal, setup_journal_free)

/* Adds an entry with its backups, which are then on disk; the journal itself is not. */
int setup_journal_add(const struct root *root, struct setup_journal *journal, const char *path,
		      const struct setup_file *before, const struct setup_file *after,
		      unsigned needs, struct fail *fail);

/* Replaces the journal on disk. */
int setup_journal_write(const struct root *root, const struct setup_journal *journal,
			struct fail *fail);

/* The file of @entry before or after the change; mode and owner are those it had before. */
int setup_journal_backup(const struct root *root, const struct setup_entry *entry, bool after,
			 struct setup_file *ret_file, struct fail *fail);

/* Removes the backups of @entry. */
void setup_journal_forget(const struct root *root, const struct setup_entry *entry);

#endif
