// SPDX-License-Identifier: MIT
#include "vmm/cli/init_draft.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/help.h"
#include "vmm/cli/out.h"
#include "vmm/ini.h"
#include "vmm/keys_value.h"
#include "vmm/spec.h"
#include "vmm/spec_keys.h"

#define COMMENT_COLUMNS 98

void init_draft_done(struct init_draft *draft)
{
	for (size_t i = 0; i < draft->count; i++)
		free(draft->values[i].text);
	free(draft->values);
	*draft = (struct init_draft){ 0 };
}

/* Whether an INI file brings @text back whole. */
static bool is_whole(const char *section, const char *key, const char *text)
{
	CLEANUP(text) char *file = text_format("[%s]\n%s = %s\n", section, key, text);
	CLEANUP(ini) struct ini *ini = NULL;
	CLEANUP(fail) struct fail malformed = { 0 };

	return ini_parse_text("-", file, strlen(file), &ini, &malformed) == 0 &&
	       ini->section_count == 1 && ini->entry_count == 1 &&
	       text_equal(ini->entries[0].value, text);
}

int init_draft_check(const char *section, const char *key, const char *text, struct fail *fail)
{
	const struct keys_table *table = spec_keys();
	const struct keys_section *part = keys_section(table, section);
	CLEANUP(text) char *label = text_format("[%s]", section);
	CLEANUP(spec) struct spec *scratch = mem_alloc(1, sizeof *scratch);
	const struct keys_value value = { .row = keys_find(table, section, key),
					  .directory = "/",
					  .label = label,
					  .text = text };
	size_t position = table->add(scratch, part, label, 0);

	if (keys_value_store(&value, table->target(scratch, part, position), fail) < 0) {
		fail->kind = FAIL_USAGE;
		return -1;
	}
	if (is_whole(section, key, text))
		return 0;
	keys_value_refuse(&value, fail, "no line of a spec can hold this");
	fail->kind = FAIL_USAGE;
	return fail_cause(fail, "it is too long, or has a control character, or a ; behind a "
				"blank, which begins a comment");
}

static struct init_value *find(const struct init_draft *draft, const char *section, const char *key)
{
	for (size_t i = 0; i < draft->count; i++)
		if (text_equal(draft->values[i].section, section) &&
		    text_equal(draft->values[i].key, key))
			return &draft->values[i];
	return NULL;
}

const struct init_value *init_draft_find(const struct init_draft *draft, const char *section,
					 const char *key)
{
	const struct init_value *value = find(draft, section, key);

	return value == NULL || value->text == NULL ? NULL : value;
}

const char *init_draft_get(const struct init_draft *draft, const char *section, const char *key)
{
	const struct init_value *value = init_draft_find(draft, section, key);

	return value == NULL ? NULL : value->text;
}

void init_draft_set(struct init_draft *draft, const char *section, const char *key,
		    const char *text, bool is_given)
{
	const struct keys_row *row = keys_find(spec_keys(), section, key);
	struct init_value *value = find(draft, section, key);
	char *copy = mem_strdup(text);

	if (value == NULL)
		value = MEM_APPEND(draft->values, draft->count);
	free(value->text);
	*value = (struct init_value){ row->section, row->key, copy, is_given };
}

/* @words as comment lines. */
static void add_comment(char **text, const char *words)
{
	CLEANUP(text) char *copy = mem_strdup(words);
	size_t column = 0;
	char *rest = NULL;

	for (char *word = strtok_r(copy, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest)) {
		if (column == 0 || column + 1 + strlen(word) > COMMENT_COLUMNS) {
			text_add(text, "%s; %s", column == 0 ? "" : "\n", word);
			column = 2 + strlen(word);
		} else {
			text_add(text, " %s", word);
			column += 1 + strlen(word);
		}
	}
	text_add(text, "\n");
}

static void add_row(char **text, const struct keys_row *row, const char *value)
{
	CLEANUP(text) char *range = help_range(row);
	CLEANUP(text)
	char *doc = range == NULL ? mem_strdup(row->doc) : text_format("%s (%s)", row->doc, range);
	const char *sample = row->fallback == NULL ? row->example : row->fallback;

	add_comment(text, doc);
	text_add(text, "%s%s = %s\n", value == NULL ? ";" : "", row->key,
		 value == NULL ? sample : value);
}

static bool has_any(const struct init_draft *draft, const char *section)
{
	for (size_t i = 0; i < draft->count; i++)
		if (text_equal(draft->values[i].section, section) && draft->values[i].text != NULL)
			return true;
	return false;
}

static void add_section(char **text, const struct init_draft *draft,
			const struct keys_section *section)
{
	bool is_used = section->required || has_any(draft, section->name);

	text_add(text, "\n");
	add_comment(text, section->doc);
	text_add(text, "%s[%s%s]\n", is_used ? "" : ";", section->name,
		 !is_used && section->repeatable ? ":NAME" : "");
	for (const struct keys_row *row = spec_keys()->rows; row->key != NULL; row++)
		if (text_equal(row->section, section->name))
			add_row(text, row, init_draft_get(draft, section->name, row->key));
}

char *init_draft_text(const struct init_draft *draft)
{
	char *text = NULL;

	add_comment(&text,
		    "Written by gpuvm init for this host. What begins with ; is not in force: it "
		    "shows a default, or an example. To change something take the ; from the "
		    "key and from the [section] above it.");
	add_comment(&text, "What would happen, changing nothing: gpuvm plan FILE.ini");
	for (const struct keys_section *section = spec_keys()->sections; section->name != NULL;
	     section++)
		add_section(&text, draft, section);
	return text;
}

json_t *init_draft_json(const struct init_draft *draft)
{
	json_t *values = json_array();

	for (size_t i = 0; i < draft->count; i++) {
		const struct init_value *value = &draft->values[i];

		if (value->text != NULL)
			json_array_append_new(values,
					      json_pack("{s:s, s:s, s:o, s:b}", "section",
							value->section, "key", value->key, "value",
							out_text_or_null(value->text), "given",
							value->is_given));
	}
	return values;
}
