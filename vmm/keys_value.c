// SPDX-License-Identifier: MIT
#include "vmm/keys_value.h"

#include <stdarg.h>
#include <string.h>

#include "vmm/base/text.h"

int keys_value_refuse(const struct keys_value *value, struct fail *fail, const char *format, ...)
{
	CLEANUP(text) char *shown = text_printable(value->text, 0);
	CLEANUP(text) char *wrong = NULL;
	va_list args;

	va_start(args, format);
	wrong = text_vformat(format, args);
	va_end(args);
	fail_add(fail, FAIL_SPEC, "%s %s =%s%s: %s", value->label, value->row->key,
		 *shown == '\0' ? "" : " ", shown, wrong);
	return fail_at(fail, value->file, value->line);
}

void *keys_value_field(const struct keys_value *value, void *target)
{
	return (char *)target + value->row->offset;
}

/* Other files want them. */
static bool is_quoted(const char *text)
{
	size_t length = strlen(text);

	return length > 1 && (*text == '"' || *text == '\'') && text[length - 1] == *text;
}

static int refuse_quotes(const struct keys_value *value, struct fail *fail)
{
	CLEANUP(text) char *bare = text_printable(value->text, 0);
	const char quote = *bare;
	char *to = bare;

	for (const char *from = bare; *from != '\0'; from++)
		if (*from != quote)
			*to++ = *from;
	*to = '\0';
	keys_value_refuse(value, fail, "a value has no quotes");
	return fail_hint(fail, "write %s = %s", value->row->key, bare);
}

int keys_value_store(const struct keys_value *value, void *target, struct fail *fail)
{
	if (*value->text == '\0') {
		keys_value_refuse(value, fail, "the value is missing");
		return fail_hint(fail, "for example: %s = %s", value->row->key,
				 value->row->example);
	}
	if (is_quoted(value->text))
		return refuse_quotes(value, fail);
	if (value->row->type->store(value, target, fail) == 0)
		return 0;
	if (strstr(value->text, " #") != NULL)
		fail_hint(fail, "a comment behind a value starts with ;");
	return -1;
}
