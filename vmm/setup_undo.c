// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/setup_internal.h"
#include "vmm/setup_journal.h"

static void take(struct setup_file *to, struct setup_file *from)
{
	setup_file_done(to);
	*to = *from;
	memset(from, 0, sizeof *from);
}

static struct setup_edit *edit_of(struct setup_plan *plan, const char *path, struct fail *fail)
{
	struct setup setup = { .plan = plan, .root = plan->root };

	return setup_edit(&setup, path, fail);
}

static bool is_refused(const struct setup_plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->edit_count; i++)
		if (plan->edits[i].is_refused && text_equal(plan->edits[i].path, path))
			return true;
	return false;
}

/* The file is not as this change left it, and shows how. Later changes of it are taken back all the same. */
static void refuse(struct setup_plan *plan, const struct setup_edit *edit,
		   const struct setup_entry *entry, struct setup_file *after)
{
	struct setup_edit refused = { .path = mem_strdup(edit->path),
				      .before = edit->after,
				      .number = entry->number,
				      .is_refused = true };

	refused.before.text = mem_strdup(edit->after.text);
	take(&refused.after, after);
	*MEM_APPEND(plan->edits, plan->edit_count) = refused;
	plan->refused_count++;
}

/* One step back: the changes of a file are a chain, of which the last links may never have come about. */
static int step_back(struct setup_plan *plan, const struct setup_entry *entry, struct fail *fail)
{
	struct setup_edit *edit;
	CLEANUP(setup_file) struct setup_file before = { 0 };
	CLEANUP(setup_file) struct setup_file after = { 0 };

	if (is_refused(plan, entry->path))
		return 0;
	edit = edit_of(plan, entry->path, fail);
	if (edit == NULL)
		return -1;
	if (setup_journal_backup(plan->root, entry, false, &before, fail) < 0 ||
	    setup_journal_backup(plan->root, entry, true, &after, fail) < 0)
		return -1;
	if (setup_file_same(&edit->after, &before))
		return 0;
	if (!setup_file_same(&edit->after, &after)) {
		refuse(plan, edit, entry, &after);
		return 0;
	}
	edit->needs |= entry->needs;
	take(&edit->after, &before);
	return 0;
}

/* Those that an interrupted run did not come to are as they were. */
static void keep_changes(struct setup_plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->edit_count; i++) {
		struct setup_edit *edit = &plan->edits[i];

		if (!edit->is_refused && setup_file_same(&edit->before, &edit->after)) {
			free(edit->path);
			setup_file_done(&edit->before);
			setup_file_done(&edit->after);
			continue;
		}
		if (!edit->is_refused)
			plan->needs |= edit->needs;
		plan->edits[kept++] = *edit;
	}
	plan->edit_count = kept;
}

/* As a run leaves it that ended before its journal began, or behind its end. */
static bool is_empty(const struct root *root, const char *folder)
{
	CLEANUP(root_names) char **names = root_names(root, "%s", folder);

	return *names == NULL && root_exists(root, "%s", folder);
}

int setup_plan_undo(const struct root *root, struct setup_plan **ret_plan, struct fail *fail)
{
	CLEANUP(setup_plan) struct setup_plan *plan = mem_alloc(1, sizeof *plan);
	CLEANUP(setup_journal) struct setup_journal *journal = NULL;

	plan->root = root;
	plan->is_undo = true;
	if (setup_journal_read(root, &journal, fail) < 0)
		return -1;
	for (size_t i = journal->count; i-- > 0;)
		if (step_back(plan, &journal->entries[i], fail) < 0)
			return -1;
	keep_changes(plan);
	plan->needs |= journal->pending;
	plan->has_remains = root_exists(root, SETUP_FOLDER) || is_empty(root, "/var/lib/gpuvm");
	*ret_plan = STEAL(plan);
	return 0;
}
