/* SPDX-License-Identifier: MIT */
/* Strings: formatting, a growable buffer, spelling help, and making hostile bytes printable. */
#ifndef GPUVM_BASE_TEXT_H
#define GPUVM_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* A new string from a format. The caller frees. Never NULL (mem.h). */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *text_vformat(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* Appends a formatted piece to *@text, which may be NULL at first. The caller frees *@text. */
void text_add(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* text_add, preceded by @separator if *@text is not empty yet. */
void text_join(char **text, const char *separator, const char *item);

bool text_equal(const char *a, const char *b); /* NULL equals only NULL */
bool text_starts(const char *text, const char *prefix);

/* Whether @text contains @part, ASCII case ignored. */
bool text_contains(const char *text, const char *part);

/* @text without leading and trailing blanks, in place; returns the new start. */
char *text_trim(char *text);

/* Reads a decimal number that is all of @text. False on anything else, overflow included. */
bool text_number(const char *text, unsigned long long *ret);

/*
 * The entry of the NULL-terminated @words nearest to @word, or NULL if none is near enough to be a
 * misspelling: letters changed, put in or left out and neighbours swapped, in about a third of the longer
 * word at most, ASCII case ignored. A third or more of its beginning, from three letters, is near too.
 * Borrows from @words.
 */
const char *text_nearest(const char *word, const char *const *words);

/* Whether the @length bytes at @text are well-formed UTF-8 (RFC 3629: no surrogates, no overlong). */
bool text_is_utf8(const char *text, size_t length);

/* @text as one word of a shell's command line, in single quotes if need be (POSIX sh, 2.2.2). The caller frees. */
char *text_shell(const char *text);

/*
 * A copy of @text safe to print: control characters and malformed UTF-8 as \xNN; if that has more than @most
 * bytes (at least 3; 0: no limit), it is cut, and ends in "..." within them. A copy of a copy is the same. The
 * caller frees. For what guests, spec and lease files say.
 */
char *text_printable(const char *text, size_t most);

#endif
