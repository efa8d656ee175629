// SPDX-License-Identifier: MIT
#include "vmm/record_text.h"

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/spec.h"

#define FORMAT         1
#define MOST_NAME      80
#define MOST_FUNCTIONS 256
#define UUID_SHAPE     "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
#define DRIVER_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

CLEANUP_DEFINE(json, json_t, json_decref)

static json_t *functions_json(const struct record *record)
{
	json_t *functions = json_array();

	for (size_t i = 0; i < record->function_count; i++)
		json_array_append_new(functions, json_pack("{s:s, s:s?}", "address",
							   record->functions[i].address, "driver",
							   record->functions[i].driver));
	return functions;
}

char *record_text_format(const struct record *record)
{
	CLEANUP(json)
	json_t *object = json_pack("{s:i, s:s, s:s*, s:s*, s:s*, s:s*, s:I, s:I, s:s*, s:o}",
				   "format", FORMAT, "address", record->address, "vm", record->vm,
				   "uuid", record->uuid, "section", record->section, "user",
				   record->user, "uid", (json_int_t)record->uid, "since",
				   (json_int_t)record->since, "reason", record->reason, "functions",
				   functions_json(record));

	return json_dumps(object, JSON_INDENT(1));
}

static bool is_uuid(const char *text)
{
	size_t i = 0;

	for (; text != NULL && UUID_SHAPE[i] != '\0'; i++)
		if (UUID_SHAPE[i] == '-'
			    ? text[i] != '-'
			    : text[i] == '\0' || strchr("0123456789abcdef", text[i]) == NULL)
			return false;
	return text != NULL && text[i] == '\0';
}

static char *shown(const json_t *object, const char *key, size_t most)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? NULL : text_printable(text, most);
}

static const char *read_function(const json_t *entry, struct record *record)
{
	const char *address = json_string_value(json_object_get(entry, "address"));
	const char *driver = json_string_value(json_object_get(entry, "driver"));
	struct record_function function = { .driver = NULL };

	if (address == NULL || !device_parse_address(address, function.address))
		return "a function has no address";
	/* It goes into commands that people are told to run. */
	if (driver != NULL && (*driver == '\0' || driver[strspn(driver, DRIVER_LETTERS)] != '\0'))
		return "a driver's name is none";
	function.driver = mem_strdup(driver);
	*MEM_APPEND(record->functions, record->function_count) = function;
	return NULL;
}

static const char *read_functions(const json_t *object, struct record *record)
{
	const json_t *entries = json_object_get(object, "functions");
	const char *problem = NULL;
	size_t i;
	const json_t *entry;

	if (json_array_size(entries) > MOST_FUNCTIONS)
		return "it names too many functions";
	json_array_foreach(entries, i, entry)
	{
		problem = read_function(entry, record);
		if (problem != NULL)
			return problem;
	}
	return NULL;
}

/* What a hold lives by. */
static const char *check_hold(const struct record *record)
{
	if (!is_uuid(record->uuid))
		return "it has no UUID";
	if (record->vm == NULL || !spec_name_is_valid(record->vm))
		return "it has no VM's name";
	return NULL;
}

static const char *read_object(const json_t *object, struct record *record)
{
	const char *address = json_string_value(json_object_get(object, "address"));
	json_int_t uid = json_integer_value(json_object_get(object, "uid"));
	json_int_t since = json_integer_value(json_object_get(object, "since"));

	if (json_integer_value(json_object_get(object, "format")) != FORMAT)
		return "it is of no known format";
	if (!text_equal(address, record->address))
		return "it is about another GPU";
	if (uid < 0 || uid > UINT_MAX)
		return "its user is none";
	record->uid = (unsigned)uid;
	record->since = since > 0 ? since : 0;
	record->vm = shown(object, "vm", MOST_NAME);
	record->uuid = shown(object, "uuid", MOST_NAME);
	record->section = shown(object, "section", MOST_NAME);
	record->user = shown(object, "user", MOST_NAME);
	record->reason = shown(object, "reason", RECORD_TEXT_MOST_REASON);
	if (record->kind == RECORD_HELD)
		return check_hold(record);
	return read_functions(object, record);
}

void record_text_parse(const char *text, size_t length, struct record *record)
{
	json_error_t error;
	CLEANUP(json) json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	struct record read = { .kind = record->kind };
	const char *problem;

	memcpy(read.address, record->address, sizeof read.address);
	problem = json_is_object(object) ? read_object(object, &read) : "it is not JSON";
	if (problem != NULL) {
		record_done(&read);
		record->problem = mem_strdup(problem);
		record->is_damaged = true;
		return;
	}
	*record = read;
}

static const char *user_of(const struct record *record)
{
	return record->user == NULL ? "somebody" : record->user;
}

char *record_text_words(const struct record *record)
{
	char *words = NULL;

	if (record->problem != NULL)
		return text_format("is %s: " RECORD_DIRECTORY "/%s/%s: %s",
				   record_kind_name(record->kind), record_kind_name(record->kind),
				   record->address, record->problem);
	switch (record->kind) {
	case RECORD_HELD:
		return text_format("is held for VM \"%s\" of %s", record->vm, user_of(record));
	case RECORD_DRAINED:
		text_add(&words, "is drained by %s", user_of(record));
		break;
	case RECORD_QUARANTINED:
		text_add(&words, "is quarantined");
		break;
	case RECORD_KINDS:
		break;
	}
	if (record->reason != NULL)
		text_add(&words, ": %s", record->reason);
	return words;
}

char *record_text_remedy(const struct record *record)
{
	return text_format("gpuvm %s %s", record->kind == RECORD_HELD ? "release" : "undrain",
			   record->address);
}
