// SPDX-License-Identifier: MIT
#include "vmm/ini_line.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define SECTION_MOST_BYTES 49 /* MAX_SECTION of inih, less the NUL */
#define SHOWN_MOST_BYTES   60 /* of a line that is too long */

static int add(const struct ini_line *line, size_t most, struct fail *fail, const char *wrong)
{
	CLEANUP(text) char *shown = text_printable(line->text, most);

	fail_add(fail, FAIL_SPEC, "\"%s\": %s", shown, wrong);
	return fail_at(fail, line->file, line->number);
}

int ini_line_refuse(const struct ini_line *line, struct fail *fail, const char *format, ...)
{
	CLEANUP(text) char *wrong = NULL;
	va_list args;

	va_start(args, format);
	wrong = text_vformat(format, args);
	va_end(args);
	return add(line, 0, fail, wrong);
}

/* Hints to write @text of the file, in which tabs are possible. */
static int hint_write(struct fail *fail, const char *text)
{
	CLEANUP(text) char *shown = text_printable(text, 0);

	return fail_hint(fail, "write %s", shown);
}

/* Where inih starts to see a comment: a semicolon behind a blank. */
static const char *find_comment(const char *text)
{
	for (const char *at = text; *at != '\0'; at++)
		if (strchr(INI_LINE_BLANKS, *at) != NULL && at[1] == ';')
			return at + 1;
	return NULL;
}

/* What neither XML 1.0 nor a terminal should get, or NULL. */
static const char *find_control(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	for (; *at != '\0'; at++) {
		if ((*at < 0x20 && *at != '\t') || *at == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0))
			return "a control character";
		if (at[0] == 0xef && at[1] == 0xbf && at[2] >= 0xbe)
			return "the character U+FFFE or U+FFFF";
	}
	return NULL;
}

static int check_bytes(const struct ini_line *line, size_t most, struct fail *fail)
{
	if (line->length > most) {
		add(line, SHOWN_MOST_BYTES, fail, "the line is too long");
		fail_cause(fail, "it has %zu bytes, more than %zu", line->length, most);
		return fail_hint(fail, "shorten it; a comment can have a line of its own");
	}
	if (strlen(line->text) < line->length) {
		ini_line_refuse(line, fail, "a NUL byte follows");
		return fail_hint(fail, "save the file as plain text in UTF-8");
	}
	if (!text_is_utf8(line->text, line->length)) {
		ini_line_refuse(line, fail, "not UTF-8");
		return fail_hint(fail, "save the file in UTF-8");
	}
	if (find_control(line->text) != NULL) {
		ini_line_refuse(line, fail, "%s", find_control(line->text));
		return fail_hint(fail, "remove it, or type the line again");
	}
	return 0;
}

static int check_header(const struct ini_line *line, struct fail *fail)
{
	const char *name = line->text + 1;
	const char *comment = find_comment(name);
	size_t length = strcspn(name, "]");
	CLEANUP(text) char *guess = NULL;
	const char *rest = name + length;

	if (*rest == '\0' || (comment != NULL && comment < rest)) {
		guess = text_format("[%.*s]", (int)strcspn(name, "]; \t"), name);
		ini_line_refuse(line, fail, "the section header is not closed");
		return hint_write(fail, guess);
	}
	if (length == 0) {
		ini_line_refuse(line, fail, "the section has no name");
		return fail_hint(fail, "write it between the brackets");
	}
	if (length > SECTION_MOST_BYTES)
		return ini_line_refuse(line, fail, "the section's name has %zu bytes, more than %d",
				       length, SECTION_MOST_BYTES);
	rest++;
	rest += strspn(rest, INI_LINE_BLANKS);
	if (*rest != '\0' && *rest != ';') {
		ini_line_refuse(line, fail, "only a comment with ; can follow a section header");
		return fail_hint(fail, "let the rest stand on a line of its own");
	}
	return 0;
}

static int check_pair(const struct ini_line *line, struct fail *fail)
{
	const char *comment = find_comment(line->text);
	size_t length = strcspn(line->text, "=:");
	const char *separator = line->text + length;

	if (*separator == '\0' || (comment != NULL && comment < separator)) {
		ini_line_refuse(line, fail, "neither [section] nor key = value");
		return fail_hint(fail, "write key = value, or start a comment with ;");
	}
	if (length == 0) {
		ini_line_refuse(line, fail, "the key is missing");
		return fail_hint(fail, "write key = value");
	}
	if (*separator == ':') {
		CLEANUP(text) char *pair = mem_strndup(line->text, length);
		const char *value = separator + 1 + strspn(separator + 1, INI_LINE_BLANKS "=");

		text_trim(pair);
		text_add(&pair, " = %s", value);
		ini_line_refuse(line, fail, "only = separates a key from its value");
		return hint_write(fail, pair);
	}
	return 0;
}

int ini_line_check(const struct ini_line *line, size_t most, enum ini_line_kind *ret_kind,
		   struct fail *fail)
{
	const char *start = line->text + strspn(line->text, INI_LINE_BLANKS);

	if (check_bytes(line, most, fail) < 0)
		return -1;
	if (*start == '\0' || *start == ';' || *start == '#') {
		*ret_kind = INI_LINE_EMPTY;
		return 0;
	}
	if (start > line->text) {
		ini_line_refuse(line, fail, "the line is indented");
		return fail_hint(fail, "remove the blanks at its start");
	}
	*ret_kind = *start == '[' ? INI_LINE_HEADER : INI_LINE_PAIR;
	return *start == '[' ? check_header(line, fail) : check_pair(line, fail);
}
