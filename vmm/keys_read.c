// SPDX-License-Identifier: MIT
#include "vmm/keys_read.h"

#include <stdint.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define LABEL_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_-"

struct reader {
	const struct keys_table *table;
	const struct ini *ini;
	const char *directory;
	void *whole;
	struct fail *fail;
	struct keys_parts parts;
	size_t *part_of; /* by position in ini.sections; SIZE_MAX: the section is unknown */
};

const struct keys_value *keys_read_value(const struct keys_part *part, const char *key)
{
	for (size_t i = 0; i < part->value_count; i++)
		if (!part->values[i].is_guess && strcmp(part->values[i].row->key, key) == 0)
			return &part->values[i];
	return NULL;
}

const struct keys_value *keys_read_find(const struct keys_parts *parts, const char *name,
					const char *key)
{
	const struct keys_value *value = NULL;

	for (size_t i = 0; i < parts->count && value == NULL; i++)
		if (strcmp(parts->items[i].row->name, name) == 0)
			value = keys_read_value(&parts->items[i], key);
	return value;
}

static int refuse_section(struct reader *reader, const struct ini_section *section,
			  const char *wrong)
{
	CLEANUP(text) char *shown = text_printable(section->name, 0);

	fail_add(reader->fail, FAIL_SPEC, "[%s]: %s", shown, wrong);
	return fail_at(reader->fail, reader->ini->file, section->line);
}

static void *part_target(const struct reader *reader, const struct keys_part *part)
{
	if (reader->table->target == NULL)
		return reader->whole;
	return reader->table->target(reader->whole, part->row, part->position);
}

static struct keys_part *add_part(struct reader *reader, const struct keys_section *row,
				  const char *name, unsigned line)
{
	struct keys_part *part = MEM_APPEND(reader->parts.items, reader->parts.count);
	CLEANUP(text) char *shown = text_printable(name, 0);

	part->row = row;
	part->label = text_format("[%s]", shown);
	part->line = line;
	if (reader->table->add != NULL)
		part->position = reader->table->add(reader->whole, row, part->label, line);
	return part;
}

/*
 * The row of a section called "gpu" or "gpu:second". An unknown one is refused, and read as the one that
 * it is probably meant to be, so that errors in it show in the same run; NULL if there is none.
 */
static const struct keys_section *section_row(struct reader *reader,
					      const struct ini_section *section, bool *ret_is_guess)
{
	CLEANUP(text) char *kind = mem_strndup(section->name, strcspn(section->name, ":"));
	const struct keys_section *row = keys_section(reader->table, kind);

	*ret_is_guess = row == NULL;
	if (row != NULL)
		return row;
	if (!section->is_malformed) {
		refuse_section(reader, section, "unknown section");
		keys_hint_section(reader->table, kind, section->name + strlen(kind), reader->fail);
	}
	return keys_nearest_section(reader->table, kind);
}

static void check_label(struct reader *reader, const struct ini_section *section,
			const struct keys_part *part)
{
	const char *label = strchr(section->name, ':');

	if (label == NULL)
		return;
	if (!part->row->repeatable) {
		refuse_section(reader, section, "this section has no label");
		fail_hint(reader->fail, "write [%s]", part->row->name);
	} else if (label[1] == '\0' || label[1 + strspn(label + 1, LABEL_LETTERS)] != '\0') {
		refuse_section(reader, section, "a label has a-z 0-9 _ - only");
		fail_hint(reader->fail, "for example: [%s:second]", part->row->name);
	}
}

static void check_repeated(struct reader *reader, const struct ini_section *section,
			   struct keys_part *part)
{
	const struct keys_part *first = reader->parts.items;

	while (first < part && (first->row != part->row || first->is_guess ||
				(part->row->repeatable && strcmp(first->label, part->label) != 0)))
		first++;
	if (first == part) {
		check_label(reader, section, part);
		return;
	}
	part->is_repeated = true;
	refuse_section(reader, section, "the section is there twice");
	fail_cause(reader->fail, "the first is on line %u", first->line);
	if (part->row->repeatable)
		fail_hint(reader->fail, "[%s:NAME] adds another", part->row->name);
}

static void read_sections(struct reader *reader)
{
	const struct ini *ini = reader->ini;

	reader->part_of = mem_alloc(ini->section_count, sizeof *reader->part_of);
	for (size_t i = 0; i < ini->section_count; i++) {
		const struct ini_section *section = &ini->sections[i];
		bool is_guess = false;
		const struct keys_section *row = section_row(reader, section, &is_guess);
		struct keys_part *part;

		reader->part_of[i] = SIZE_MAX;
		if (row == NULL)
			continue;
		reader->part_of[i] = reader->parts.count;
		part = add_part(reader, row, section->name, section->line);
		part->is_guess = is_guess;
		if (!is_guess)
			check_repeated(reader, section, part);
	}
}

static int refuse_entry(struct reader *reader, const char *label, const struct ini_entry *entry,
			const char *wrong)
{
	CLEANUP(text) char *key = text_printable(entry->key, 0);
	CLEANUP(text) char *value = text_printable(entry->value, 0);

	/* The value of a malformed line is not known, and the line was shown already. */
	fail_add(reader->fail, FAIL_SPEC, "%s%s%s%s%s%s: %s", label, *label == '\0' ? "" : " ", key,
		 entry->is_malformed ? "" : " =", *value == '\0' ? "" : " ", value, wrong);
	return fail_at(reader->fail, reader->ini->file, entry->line);
}

static void read_stray(struct reader *reader, const struct ini_entry *entry)
{
	if (entry->is_malformed)
		return;
	refuse_entry(reader, "", entry, "no section is above this line");
	fail_hint(reader->fail, "%s", reader->table->start);
}

static void read_unknown(struct reader *reader, struct keys_part *part,
			 const struct ini_entry *entry)
{
	const struct keys_row *nearest = keys_nearest(reader->table, part->row->name, entry->key);

	if (!entry->is_malformed) {
		refuse_entry(reader, part->label, entry, "unknown key");
		keys_hint_key(reader->table, part->row->name, entry->key, reader->fail);
	}
	if (nearest != NULL)
		*MEM_APPEND(part->values, part->value_count) =
			(struct keys_value){ .row = nearest, .is_guess = true };
}

static void read_entry(struct reader *reader, struct keys_part *part, const struct ini_entry *entry)
{
	const struct keys_row *row = keys_find(reader->table, part->row->name, entry->key);
	const struct keys_value *first;
	struct keys_value *value;

	if (row == NULL) {
		read_unknown(reader, part, entry);
		return;
	}
	first = keys_read_value(part, entry->key);
	if (first != NULL) {
		refuse_entry(reader, part->label, entry, "the key is there twice");
		fail_cause(reader->fail, "the first is on line %u", first->line);
		return;
	}
	value = MEM_APPEND(part->values, part->value_count);
	*value = (struct keys_value){ .row = row,
				      .file = reader->ini->file,
				      .directory = reader->directory,
				      .label = part->label,
				      .text = entry->value,
				      .line = entry->line };
	if (!entry->is_malformed)
		keys_value_store(value, part_target(reader, part), reader->fail);
	if (row->line_offset != 0)
		*(unsigned *)((char *)part_target(reader, part) + row->line_offset) = entry->line;
}

static void read_entries(struct reader *reader)
{
	for (size_t i = 0; i < reader->ini->entry_count; i++) {
		const struct ini_entry *entry = &reader->ini->entries[i];
		size_t part = entry->section == INI_NO_SECTION ? SIZE_MAX
							       : reader->part_of[entry->section];

		if (entry->section == INI_NO_SECTION)
			read_stray(reader, entry);
		else if (part != SIZE_MAX)
			read_entry(reader, &reader->parts.items[part], entry);
	}
}

static bool has_value(const struct keys_part *part, const struct keys_row *row)
{
	for (size_t i = 0; i < part->value_count; i++)
		if (part->values[i].row == row)
			return true;
	return false;
}

/* Gives the keys that are not written in @part their defaults, or reports that they must be. */
static void complete_part(struct reader *reader, struct keys_part *part)
{
	for (const struct keys_row *row = reader->table->rows; row->key != NULL; row++) {
		struct keys_value value = { .row = row,
					    .file = reader->ini->file,
					    .directory = reader->directory,
					    .label = part->label,
					    .text = row->fallback };

		if (strcmp(row->section, part->row->name) != 0 || has_value(part, row))
			continue;
		if (row->required) {
			fail_add(reader->fail, FAIL_SPEC, "%s: %s is missing", part->label,
				 row->key);
			fail_at(reader->fail, reader->ini->file, part->line);
			fail_hint(reader->fail, "add: %s = %s", row->key, row->example);
		} else if (row->fallback != NULL) {
			keys_value_store(&value, part_target(reader, part), reader->fail);
		}
	}
}

static bool has_part(const struct reader *reader, const struct keys_section *row,
		     bool guesses_count)
{
	for (size_t i = 0; i < reader->parts.count; i++)
		if (reader->parts.items[i].row == row &&
		    (guesses_count || !reader->parts.items[i].is_guess))
			return true;
	return false;
}

static void complete_whole(struct reader *reader)
{
	for (const struct keys_section *row = reader->table->sections; row->name != NULL; row++) {
		if (has_part(reader, row, true))
			continue;
		/* Of what can be there many times none is there. */
		if (!row->required && row->repeatable)
			continue;
		if (!row->required) {
			add_part(reader, row, row->name, 0);
			continue;
		}
		fail_add(reader->fail, FAIL_SPEC, "[%s]: the section is missing", row->name);
		fail_at(reader->fail, reader->ini->file, 0);
		fail_hint(reader->fail, "add [%s]: %s", row->name, row->doc);
	}
	for (size_t i = 0; i < reader->parts.count; i++) {
		struct keys_part *part = &reader->parts.items[i];

		/* A misspelt section beside the true one can be anything. */
		if (!part->is_repeated && !(part->is_guess && has_part(reader, part->row, false)))
			complete_part(reader, part);
	}
}

int keys_read(const struct keys_table *table, const struct ini *ini, const char *directory,
	      void *whole, struct keys_parts *ret_parts, struct fail *fail)
{
	struct reader reader = {
		.table = table, .ini = ini, .directory = directory, .whole = whole, .fail = fail
	};
	size_t before = fail->item_count;

	read_sections(&reader);
	read_entries(&reader);
	complete_whole(&reader);
	free(reader.part_of);
	*ret_parts = reader.parts;
	return fail->item_count == before ? 0 : -1;
}

void keys_parts_done(struct keys_parts *parts)
{
	for (size_t i = 0; i < parts->count; i++) {
		free(parts->items[i].label);
		free(parts->items[i].values);
	}
	free(parts->items);
	*parts = (struct keys_parts){ 0 };
}
