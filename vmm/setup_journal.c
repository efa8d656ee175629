// SPDX-License-Identifier: MIT
#include "vmm/setup_journal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/setup_internal.h"

#define JOURNAL SETUP_FOLDER "/journal.json"

static int damaged(const char *what, struct fail *fail)
{
	fail_add(fail, FAIL_HOST, "what setup-host changed is not known: its journal is damaged");
	fail_cause(fail, JOURNAL ": %s", what);
	return fail_hint(
		fail,
		"the backups are beside it; put back what you need, then: sudo rm -r " SETUP_FOLDER);
}

/* Folders of gpuvm's, and those that systemd and libvirt look into: nothing else can be in a journal. */
static bool is_path(const char *path)
{
	return path != NULL && (text_starts(path, "/etc/") || text_starts(path, "/var/lib/")) &&
	       strstr(path, "/../") == NULL && strstr(path, "/./") == NULL &&
	       strstr(path, "//") == NULL;
}

static bool read_entry(struct setup_journal *journal, json_t *value)
{
	struct setup_entry entry = { 0 };
	const char *path = NULL;
	int existed = 0;
	int number, mode, needs;
	json_int_t uid, gid;

	if (json_unpack(value, "{s:i, s:s, s:b, s:i, s:I, s:I, s:i}", "number", &number, "path",
			&path, "existed", &existed, "mode", &mode, "uid", &uid, "gid", &gid,
			"needs", &needs) != 0 ||
	    !is_path(path) || number < 0 || (mode & ~07777) != 0 || needs < 0 || uid < 0 ||
	    uid > UINT32_MAX || gid < 0 || gid > UINT32_MAX ||
	    (journal->count > 0 && (unsigned)number <= journal->entries[journal->count - 1].number))
		return false;
	entry.number = (unsigned)number;
	entry.path = mem_strdup(path);
	entry.existed = existed != 0;
	entry.mode = (mode_t)mode;
	entry.uid = (uid_t)uid;
	entry.gid = (gid_t)gid;
	entry.needs = (unsigned)needs;
	*MEM_APPEND(journal->entries, journal->count) = entry;
	return true;
}

static bool read_journal(struct setup_journal *journal, json_t *value)
{
	json_t *entries, *folders, *each;
	int format = 0;
	int pending = 0;
	size_t i;

	if (json_unpack(value, "{s:i, s:o, s:o, s:i}", "format", &format, "entries", &entries,
			"folders", &folders, "pending", &pending) != 0 ||
	    format != 1 || pending < 0 || !json_is_array(entries) || !json_is_array(folders))
		return false;
	journal->pending = (unsigned)pending;
	json_array_foreach(entries, i, each) if (!read_entry(journal, each)) return false;
	json_array_foreach(folders, i, each)
	{
		if (!is_path(json_string_value(each)))
			return false;
		*MEM_APPEND(journal->folders,
			    journal->folder_count) = mem_strdup(json_string_value(each));
	}
	return true;
}

int setup_journal_read(const struct root *root, struct setup_journal **ret_journal,
		       struct fail *fail)
{
	CLEANUP(setup_journal) struct setup_journal *journal = mem_alloc(1, sizeof *journal);
	CLEANUP(setup_file) struct setup_file file = { 0 };
	json_error_t error = { 0 };
	json_t *value;
	bool is_right;

	if (setup_file_read(root, JOURNAL, &file, fail) < 0)
		return -1;
	journal->exists = file.exists;
	if (file.exists) {
		value = json_loadb(file.text, file.length, JSON_REJECT_DUPLICATES, &error);
		is_right = value != NULL && read_journal(journal, value);
		json_decref(value);
		if (!is_right)
			return damaged(*error.text == '\0' ? "it is not gpuvm's" : error.text,
				       fail);
	}
	*ret_journal = STEAL(journal);
	return 0;
}

void setup_journal_free(struct setup_journal *journal)
{
	if (journal == NULL)
		return;
	for (size_t i = 0; i < journal->count; i++)
		free(journal->entries[i].path);
	for (size_t i = 0; i < journal->folder_count; i++)
		free(journal->folders[i]);
	free(journal->entries);
	free(journal->folders);
	free(journal);
}

static char *backup_path(unsigned number, bool after)
{
	return text_format(SETUP_FOLDER "/%u.%s", number, after ? "after" : "before");
}

/* Backups are of root alone: a file may hold what others must not read. */
static int keep(const struct root *root, unsigned number, bool after, const struct setup_file *file,
		struct fail *fail)
{
	CLEANUP(text) char *path = backup_path(number, after);
	struct setup_file backup = *file;

	backup.mode = 0600;
	backup.uid = geteuid();
	backup.gid = getegid();
	return setup_file_put(root, path, &backup, fail);
}

int setup_journal_add(const struct root *root, struct setup_journal *journal, const char *path,
		      const struct setup_file *before, const struct setup_file *after,
		      unsigned needs, struct fail *fail)
{
	unsigned number = journal->count == 0 ? 0 : journal->entries[journal->count - 1].number + 1;
	struct setup_entry *entry;

	if (keep(root, number, false, before, fail) < 0 ||
	    keep(root, number, true, after, fail) < 0)
		return -1;
	entry = MEM_APPEND(journal->entries, journal->count);
	entry->number = number;
	entry->path = mem_strdup(path);
	entry->existed = before->exists;
	entry->mode = before->mode;
	entry->uid = before->uid;
	entry->gid = before->gid;
	entry->needs = needs;
	return 0;
}

static json_t *journal_json(const struct setup_journal *journal)
{
	json_t *entries = json_array();
	json_t *folders = json_array();

	for (size_t i = 0; i < journal->count; i++) {
		const struct setup_entry *entry = &journal->entries[i];

		json_array_append_new(
			entries, json_pack("{s:i, s:s, s:b, s:i, s:I, s:I, s:i}", "number",
					   (int)entry->number, "path", entry->path, "existed",
					   entry->existed, "mode", (int)entry->mode, "uid",
					   (json_int_t)entry->uid, "gid", (json_int_t)entry->gid,
					   "needs", (int)entry->needs));
	}
	for (size_t i = 0; i < journal->folder_count; i++)
		json_array_append_new(folders, json_string(journal->folders[i]));
	return json_pack("{s:i, s:o, s:o, s:i}", "format", 1, "entries", entries, "folders",
			 folders, "pending", (int)journal->pending);
}

int setup_journal_write(const struct root *root, const struct setup_journal *journal,
			struct fail *fail)
{
	json_t *value = journal_json(journal);
	CLEANUP(text) char *text = json_dumps(value, JSON_INDENT(2));
	struct setup_file file = { .exists = true, .mode = 0600 };

	json_decref(value);
	if (text == NULL)
		return fail_add(fail, FAIL_FAIL, "the journal could not be made");
	file.text = text;
	file.length = strlen(text);
	file.uid = geteuid();
	file.gid = getegid();
	return setup_file_put(root, JOURNAL, &file, fail);
}

int setup_journal_backup(const struct root *root, const struct setup_entry *entry, bool after,
			 struct setup_file *ret_file, struct fail *fail)
{
	CLEANUP(text) char *path = backup_path(entry->number, after);
	struct setup_file file = { 0 };

	if (setup_file_read(root, path, &file, fail) < 0)
		return -1;
	if (!file.exists && (after || entry->existed)) {
		setup_file_done(&file);
		return damaged("a backup is missing", fail);
	}
	file.exists = after || entry->existed;
	file.mode = entry->mode;
	file.uid = entry->uid;
	file.gid = entry->gid;
	*ret_file = file;
	return 0;
}

void setup_journal_forget(const struct root *root, const struct setup_entry *entry)
{
	static const struct setup_file none = { 0 };

	for (int after = 0; after < 2; after++) {
		CLEANUP(text) char *path = backup_path(entry->number, after != 0);
		CLEANUP(fail) struct fail unimportant = { 0 };

		setup_file_put(root, path, &none, &unimportant);
		setup_file_sweep(root, path);
	}
}
