/* SPDX-License-Identifier: MIT */
/*
 * The only code that writes standard output. What a command found is a JSON value; --json prints it, and
 * the text for people is made from the same value, so the two cannot differ.
 */
#ifndef GPUVM_CLI_OUT_H
#define GPUVM_CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "vmm/base/fail.h"

/* One column of a table: @text makes the cell of a row (a JSON object). The result is freed. */
struct out_column {
	const char *heading;
	char *(*text)(const json_t *row);
};

/* Prints @rows (an array of objects) under aligned headings; the headings are bold on a terminal. */
void out_table(const struct out_column *columns, size_t count, const json_t *rows);

/* One line. */
void out_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Bytes as they are, at once. Returns whether somebody still takes them. */
bool out_bytes(const char *bytes, size_t count);

/* A heading: bold on a terminal. */
void out_heading(const char *text);

/* @value as JSON with "format": 1 put first; indented, keys in the order they were set. Takes @value. */
void out_json(json_t *value);

/*
 * A progress line on standard error. On a terminal it counts the seconds that pass and is replaced by the next, or
 * erased by whatever is printed by this file; elsewhere, and on a dumb terminal, it is a line of its own.
 * out_progress_late() shows nothing before a second has passed, and nothing at all but on a terminal.
 * out_progress_counts() is for a line with a number that changes all the time: where none can be replaced, one of
 * them in ten seconds is shown.
 */
void out_progress(const char *text);
void out_progress_counts(const char *text);
void out_progress_late(const char *text);
void out_progress_end(void);

/*
 * Asks on the terminal: @question and, in brackets, what an empty answer means (NULL: it must be answered). The
 * answer without blanks around it, which the caller frees; NULL at the end of the input.
 */
char *out_ask(const char *question, const char *fallback);

/* Whether somebody is there to answer: standard input and standard error are a terminal. */
bool out_can_ask(void);

/* The failure: on standard error for people; with @json also as {"error": ...} on standard output. */
void out_fail(const struct fail *fail, bool json);

/* The failure's items, each with its kind, for a result that carries failures. New array. */
json_t *out_fail_json(const struct fail *fail);

/* A note beside the result, on standard error. */
void out_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* JSON strings and numbers that may be absent: null then. New references. */
json_t *out_text_or_null(const char *text);
json_t *out_number_or_null(long long number); /* null below 0 */

/* Cells for the common types: a text member, a number member ("-" for null). New strings. */
char *out_cell(const json_t *row, const char *key);

#endif
