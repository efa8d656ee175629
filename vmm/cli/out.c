// SPDX-License-Identifier: MIT
#include "vmm/cli/out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/check.h"

/* https://no-color.org: any value but the empty one turns colour off. */
static bool has_colour(int fd)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	return (no_colour == NULL || *no_colour == '\0') && isatty(fd) && terminal != NULL &&
	       !text_equal(terminal, "dumb");
}

/* Columns of a terminal: UTF-8 continuation bytes take none. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		if (((unsigned char)*text & 0xc0) != 0x80)
			width++;
	return width;
}

static void print_row(char *const *cells, const size_t *widths, size_t count, bool bold)
{
	printf("%s", bold ? "\033[1m" : "");
	for (size_t i = 0; i < count; i++) {
		size_t pad = i + 1 == count ? 0 : widths[i] - width_of(cells[i]) + 2;

		printf("%s%*s", cells[i], (int)pad, "");
	}
	printf("%s\n", bold ? "\033[0m" : "");
}

void out_table(const struct out_column *columns, size_t count, const json_t *rows)
{
	size_t row_count = json_array_size(rows) + 1;
	char **cells = mem_alloc(row_count * count, sizeof *cells);
	size_t *widths = mem_alloc(count, sizeof *widths);

	out_progress_end();
	for (size_t i = 0; i < row_count * count; i++) {
		const struct out_column *column = &columns[i % count];
		size_t width;

		cells[i] = i < count ? mem_strdup(column->heading)
				     : column->text(json_array_get(rows, i / count - 1));
		width = width_of(cells[i]);
		if (width > widths[i % count])
			widths[i % count] = width;
	}
	for (size_t i = 0; i < row_count; i++)
		print_row(cells + i * count, widths, count, i == 0 && has_colour(STDOUT_FILENO));
	for (size_t i = 0; i < row_count * count; i++)
		free(cells[i]);
	free(cells);
	free(widths);
}

void out_line(const char *format, ...)
{
	va_list args;

	out_progress_end();
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

bool out_bytes(const char *bytes, size_t count)
{
	return fwrite(bytes, 1, count, stdout) == count && fflush(stdout) == 0;
}

void out_heading(const char *text)
{
	bool bold = has_colour(STDOUT_FILENO);

	out_progress_end();
	printf("%s%s%s\n", bold ? "\033[1m" : "", text, bold ? "\033[0m" : "");
}

void out_json(json_t *value)
{
	json_t *whole = json_pack("{s:i}", "format", 1);

	out_progress_end();
	json_object_update(whole, value);
	json_dumpf(whole, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(whole);
	json_decref(value);
}

/* Arguments, file names and the host's texts must not steer the terminal. */
static char *printable(const char *text)
{
	return text == NULL ? NULL : text_printable(text, 0);
}

static void print_item(const struct fail_item *item)
{
	bool colour = has_colour(STDERR_FILENO);
	const char *bold = colour ? "\033[1m" : "";
	const char *plain = colour ? "\033[0m" : "";
	CLEANUP(text) char *file = printable(item->file);
	CLEANUP(text) char *what = printable(item->what);
	CLEANUP(text) char *cause = printable(item->cause);
	CLEANUP(text) char *hint = printable(item->hint);
	const struct check_about *about = check_find(item->finding);

	if (file == NULL)
		fprintf(stderr, "%sgpuvm:%s %s\n", bold, plain, what);
	else if (item->line == 0)
		fprintf(stderr, "%s%s:%s %s\n", bold, file, plain, what);
	else
		fprintf(stderr, "%s%s:%u:%s %s\n", bold, file, item->line, plain, what);
	if (cause != NULL)
		fprintf(stderr, "  cause: %s\n", cause);
	if (hint != NULL)
		fprintf(stderr, "  hint: %s\n", hint);
	if (about != NULL && about->weight == CHECK_STOPS)
		fprintf(stderr, "  to start it all the same: --force=%s\n", about->id);
}

static json_t *item_json(const struct fail_item *item, enum fail_kind kind)
{
	return json_pack(
		"{s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "kind", fail_kind_row(kind)->name,
		"exit_code", fail_kind_row(kind)->exit_code, "file", out_text_or_null(item->file),
		"line", out_number_or_null(item->line == 0 ? -1 : (long long)item->line), "what",
		out_text_or_null(item->what), "cause", out_text_or_null(item->cause), "hint",
		out_text_or_null(item->hint), "finding", out_text_or_null(item->finding));
}

json_t *out_fail_json(const struct fail *fail)
{
	json_t *items = json_array();

	for (size_t i = 0; i < fail->item_count; i++)
		json_array_append_new(items, item_json(&fail->items[i], fail->kind));
	return items;
}

void out_fail(const struct fail *fail, bool json)
{
	json_t *errors = out_fail_json(fail);

	out_progress_end();
	for (size_t i = 0; i < fail->item_count; i++)
		print_item(&fail->items[i]);
	if (json)
		out_json(json_pack("{s:O, s:O}", "error", json_array_get(errors, 0), "errors",
				   errors));
	json_decref(errors);
}

void out_note(const char *format, ...)
{
	va_list args;

	out_progress_end();
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

json_t *out_text_or_null(const char *text)
{
	CLEANUP(text) char *safe = NULL;

	if (text == NULL)
		return json_null();
	safe = text_printable(text, 0);
	return json_string(safe);
}

json_t *out_number_or_null(long long number)
{
	return number < 0 ? json_null() : json_integer(number);
}

char *out_cell(const json_t *row, const char *key)
{
	const json_t *value = json_object_get(row, key);

	if (json_is_string(value))
		return mem_strdup(json_string_value(value));
	if (json_is_integer(value))
		return text_format("%lld", (long long)json_integer_value(value));
	return mem_strdup("-");
}
