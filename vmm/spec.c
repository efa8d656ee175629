// SPDX-License-Identifier: MIT
#include "vmm/spec.h"

#include <errno.h>
#include <libgen.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/ini.h"
#include "vmm/spec_check.h"
#include "vmm/spec_keys.h"
#include "vmm/spec_value.h"

#define LABEL_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_-"

struct reader {
	const struct ini *ini;
	struct spec *spec;
	struct fail *fail;
	struct spec_parts parts;
	size_t *part_of; /* by position in ini.sections; SIZE_MAX: the section is unknown */
};

static int refuse_section(struct reader *reader, const struct ini_section *section,
			  const char *wrong)
{
	CLEANUP(text) char *shown = text_printable(section->name, 0);

	fail_add(reader->fail, FAIL_SPEC, "[%s]: %s", shown, wrong);
	return fail_at(reader->fail, reader->ini->file, section->line);
}

static void *part_target(const struct reader *reader, const struct spec_part *part)
{
	switch (part->row->target) {
	case SPEC_TARGET_GPU:
		return &reader->spec->gpus[part->position];
	case SPEC_TARGET_DISK:
		return &reader->spec->disks[part->position];
	case SPEC_TARGET_SPEC:
		return reader->spec;
	}
	return NULL;
}

static struct spec_part *add_part(struct reader *reader, const struct spec_section_row *row,
				  const char *name, unsigned line)
{
	struct spec_part *part = MEM_APPEND(reader->parts.items, reader->parts.count);
	struct spec *spec = reader->spec;
	CLEANUP(text) char *shown = text_printable(name, 0);

	part->row = row;
	part->label = text_format("[%s]", shown);
	part->line = line;
	switch (row->target) {
	case SPEC_TARGET_GPU:
		part->position = spec->gpu_count;
		*MEM_APPEND(spec->gpus, spec->gpu_count) =
			(struct spec_gpu){ .label = mem_strdup(part->label), .line = line };
		break;
	case SPEC_TARGET_DISK:
		part->position = spec->disk_count;
		*MEM_APPEND(spec->disks, spec->disk_count) =
			(struct spec_disk){ .label = mem_strdup(part->label), .line = line };
		break;
	case SPEC_TARGET_SPEC:
		break;
	}
	return part;
}

/*
 * The row of a section called "gpu" or "gpu:second". An unknown one is refused, and read as the one that
 * it is probably meant to be, so that errors in it show in the same run; NULL if there is none.
 */
static const struct spec_section_row *section_row(struct reader *reader,
						  const struct ini_section *section,
						  bool *ret_is_guess)
{
	CLEANUP(text) char *kind = mem_strndup(section->name, strcspn(section->name, ":"));
	const struct spec_section_row *row = spec_keys_section(kind);

	*ret_is_guess = row == NULL;
	if (row != NULL)
		return row;
	if (!section->is_malformed) {
		refuse_section(reader, section, "unknown section");
		spec_keys_hint_section(kind, section->name + strlen(kind), reader->fail);
	}
	return spec_keys_nearest_section(kind);
}

static void check_label(struct reader *reader, const struct ini_section *section,
			const struct spec_part *part)
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
			   struct spec_part *part)
{
	const struct spec_part *first = reader->parts.items;

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
		const struct spec_section_row *row = section_row(reader, section, &is_guess);
		struct spec_part *part;

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
	fail_hint(reader->fail, "a spec starts with [vm]");
}

static void read_unknown(struct reader *reader, struct spec_part *part,
			 const struct ini_entry *entry)
{
	const struct spec_key_row *nearest = spec_keys_nearest(part->row->name, entry->key);

	if (!entry->is_malformed) {
		refuse_entry(reader, part->label, entry, "unknown key");
		spec_keys_hint_key(part->row->name, entry->key, reader->fail);
	}
	if (nearest != NULL)
		*MEM_APPEND(part->values, part->value_count) =
			(struct spec_value){ .row = nearest, .is_guess = true };
}

static void read_entry(struct reader *reader, struct spec_part *part, const struct ini_entry *entry)
{
	const struct spec_key_row *row = spec_keys_find(part->row->name, entry->key);
	const struct spec_value *first;
	struct spec_value *value;

	if (row == NULL) {
		read_unknown(reader, part, entry);
		return;
	}
	first = spec_check_value(part, entry->key);
	if (first != NULL) {
		refuse_entry(reader, part->label, entry, "the key is there twice");
		fail_cause(reader->fail, "the first is on line %u", first->line);
		return;
	}
	value = MEM_APPEND(part->values, part->value_count);
	*value = (struct spec_value){ .row = row,
				      .file = reader->ini->file,
				      .directory = reader->spec->directory,
				      .label = part->label,
				      .text = entry->value,
				      .line = entry->line };
	if (!entry->is_malformed)
		spec_value_store(value, part_target(reader, part), reader->fail);
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

static bool has_value(const struct spec_part *part, const struct spec_key_row *row)
{
	for (size_t i = 0; i < part->value_count; i++)
		if (part->values[i].row == row)
			return true;
	return false;
}

/* Gives the keys that are not written in @part their defaults, or reports that they must be. */
static void complete_part(struct reader *reader, struct spec_part *part)
{
	for (const struct spec_key_row *row = spec_keys(); row->key != NULL; row++) {
		struct spec_value value = { .row = row,
					    .file = reader->ini->file,
					    .directory = reader->spec->directory,
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
			spec_value_store(&value, part_target(reader, part), reader->fail);
		}
	}
}

static bool has_part(const struct reader *reader, const struct spec_section_row *row,
		     bool guesses_count)
{
	for (size_t i = 0; i < reader->parts.count; i++)
		if (reader->parts.items[i].row == row &&
		    (guesses_count || !reader->parts.items[i].is_guess))
			return true;
	return false;
}

static void complete_spec(struct reader *reader)
{
	for (const struct spec_section_row *row = spec_sections(); row->name != NULL; row++) {
		if (has_part(reader, row, true))
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
		struct spec_part *part = &reader->parts.items[i];

		/* A misspelt section beside the true one can be anything. */
		if (!part->is_repeated && !(part->is_guess && has_part(reader, part->row, false)))
			complete_part(reader, part);
	}
}

static void reader_done(struct reader *reader)
{
	for (size_t i = 0; i < reader->parts.count; i++) {
		free(reader->parts.items[i].label);
		free(reader->parts.items[i].values);
	}
	free(reader->parts.items);
	free(reader->part_of);
}

/* @ini may have been refused in part: its errors are in @fail, and all others come to them. */
static int read_ini(const struct ini *ini, const char *directory, struct spec **ret_spec,
		    struct fail *fail)
{
	CLEANUP(spec) struct spec *spec = mem_alloc(1, sizeof *spec);
	struct reader reader = { .ini = ini, .spec = spec, .fail = fail };

	spec->file = mem_strdup(ini->file);
	spec->directory = mem_strdup(directory);
	spec->text = mem_strdup(ini->text);
	read_sections(&reader);
	read_entries(&reader);
	complete_spec(&reader);
	spec_check(spec, &reader.parts, fail);
	reader_done(&reader);
	fail_sort(fail);
	if (fail->kind != FAIL_NONE)
		return -1;
	*ret_spec = STEAL(spec);
	return 0;
}

int spec_read(const char *path, struct spec **ret_spec, struct fail *fail)
{
	CLEANUP(text) char *copy = mem_strdup(path);
	CLEANUP(text) char *directory = NULL;
	CLEANUP(ini) struct ini *ini = NULL;

	ini_read(path, &ini, fail);
	if (ini == NULL)
		return -1;
	directory = realpath(dirname(copy), NULL);
	if (directory == NULL) {
		fail_add(fail, FAIL_FAIL, "the spec's folder cannot be resolved");
		fail_cause(fail, "%s", strerror(errno));
		return fail_at(fail, path, 0);
	}
	return read_ini(ini, directory, ret_spec, fail);
}

int spec_parse(const char *file, const char *directory, const char *text, struct spec **ret_spec,
	       struct fail *fail)
{
	CLEANUP(ini) struct ini *ini = NULL;

	ini_parse_text(file, text, strlen(text), &ini, fail);
	if (ini == NULL)
		return -1;
	return read_ini(ini, directory, ret_spec, fail);
}

void spec_free(struct spec *spec)
{
	if (spec == NULL)
		return;
	for (size_t i = 0; i < spec->gpu_count; i++) {
		free(spec->gpus[i].label);
		free(spec->gpus[i].match);
		for (size_t j = 0; j < spec->gpus[i].address_count; j++)
			free(spec->gpus[i].addresses[j]);
		free(spec->gpus[i].addresses);
	}
	for (size_t i = 0; i < spec->disk_count; i++) {
		free(spec->disks[i].label);
		free(spec->disks[i].image);
	}
	free(spec->gpus);
	free(spec->disks);
	free(spec->file);
	free(spec->directory);
	free(spec->text);
	free(spec->name);
	free(spec->firmware_code);
	free(spec->firmware_vars);
	free(spec->network_source);
	free(spec);
}
