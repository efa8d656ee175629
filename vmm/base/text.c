// SPDX-License-Identifier: MIT
#include "vmm/base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"

#define CUT "..."

char *text_vformat(const char *format, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		abort();
	return text;
}

char *text_format(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = text_vformat(format, args);
	va_end(args);
	return text;
}

void text_add(char **text, const char *format, ...)
{
	CLEANUP(text) char *piece = NULL;
	CLEANUP(text) char *before = *text;
	va_list args;

	va_start(args, format);
	piece = text_vformat(format, args);
	va_end(args);
	*text = text_format("%s%s", before == NULL ? "" : before, piece);
}

void text_join(char **text, const char *separator, const char *item)
{
	text_add(text, "%s%s", *text == NULL || **text == '\0' ? "" : separator, item);
}

bool text_equal(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

bool text_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_contains(const char *text, const char *part)
{
	return strcasestr(text, part) != NULL;
}

char *text_trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return text;
}

bool text_number(const char *text, unsigned long long *ret)
{
	unsigned long long value;
	char *end = NULL;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0')
		return false;
	*ret = value;
	return true;
}

static bool is_same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t smaller = a < b ? a : b;

	return smaller < c ? smaller : c;
}

/* Two neighbours swapped are one edit, the commonest slip; but not if they are the whole word, as in "on" and "no". */
static size_t distance(const char *a, const char *b)
{
	size_t width = strlen(b) + 1;
	size_t *rows = mem_alloc(3 * width, sizeof *rows);
	size_t *before = rows, *last = rows + width, *row = rows + 2 * width;
	size_t result;

	for (size_t j = 0; j < width; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t *oldest = before;

		before = last;
		last = row;
		row = oldest;
		row[0] = i;
		for (size_t j = 1; j < width; j++) {
			bool differ = !is_same(a[i - 1], b[j - 1]);

			row[j] = least(last[j] + 1, row[j - 1] + 1, last[j - 1] + differ);
			if (i > 1 && j > 1 && width > 3 && is_same(a[i - 1], b[j - 2]) &&
			    is_same(a[i - 2], b[j - 1]))
				row[j] = least(row[j], row[j], before[j - 2] + 1);
		}
	}
	result = row[width - 1];
	free(rows);
	return result;
}

/* So many edits are a misspelling; more make another word. The first letter is seldom the wrong one. */
static size_t most_edits(const char *word, const char *candidate)
{
	size_t length = strlen(word);
	size_t longer = length > strlen(candidate) ? length : strlen(candidate);
	bool begins_so = is_same(word[0], candidate[0]);

	if (length < 4 || longer < 5)
		return 1;
	return longer == 5 && begins_so ? 2 : longer / 3;
}

/* The beginning of a word is near it, unless it is little of it. */
static size_t edits(const char *word, const char *candidate)
{
	size_t length = strlen(word);

	if (length >= 3 && strlen(candidate) <= 3 * length &&
	    strncasecmp(word, candidate, length) == 0)
		return 1;
	return distance(word, candidate);
}

const char *text_nearest(const char *word, const char *const *words)
{
	size_t best = SIZE_MAX;
	const char *nearest = NULL;

	if (strlen(word) > 64)
		return NULL;
	for (; *words != NULL; words++) {
		size_t now = edits(word, *words);

		/* Nothing in common but the length is not a misspelling. */
		if (now < best && now < strlen(*words) && now <= most_edits(word, *words)) {
			best = now;
			nearest = *words;
		}
	}
	return nearest;
}

/* Bytes of the well-formed sequence at @at, 0 if there is none. */
static size_t utf8_sequence(const unsigned char *at, size_t left)
{
	static const struct {
		unsigned char first_low, first_high, second_low, second_high;
		size_t length;
	} forms[] = {
		{ 0x00, 0x7f, 0x00, 0x00, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		if (at[0] < forms[i].first_low || at[0] > forms[i].first_high)
			continue;
		if (forms[i].length > left)
			return 0;
		if (forms[i].length > 1 &&
		    (at[1] < forms[i].second_low || at[1] > forms[i].second_high))
			return 0;
		for (size_t j = 2; j < forms[i].length; j++)
			if ((at[j] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

bool text_is_utf8(const char *text, size_t length)
{
	for (size_t i = 0; i < length;) {
		size_t step = utf8_sequence((const unsigned char *)text + i, length - i);

		if (step == 0)
			return false;
		i += step;
	}
	return true;
}

char *text_printable(const char *text, size_t most)
{
	size_t length = strlen(text);
	size_t used = 0;
	size_t cut = 0;
	char *result = mem_alloc(length * 4 + 4, 1);

	for (size_t i = 0; i < length && (most == 0 || used <= most);) {
		unsigned char byte = (unsigned char)text[i];
		size_t step = utf8_sequence((const unsigned char *)text + i, length - i);
		bool c1 = step == 2 && byte == 0xc2 && (unsigned char)text[i + 1] < 0xa0;

		if (used + strlen(CUT) <= most)
			cut = used;
		if (step == 0 || c1 || (step == 1 && (byte < 0x20 || byte == 0x7f))) {
			used += (size_t)sprintf(result + used, "\\x%02x", byte);
			i++;
			continue;
		}
		memcpy(result + used, text + i, step);
		used += step;
		i += step;
	}
	if (most != 0 && used > most)
		strcpy(result + cut, CUT);
	else
		result[used] = '\0';
	return result;
}

char *text_shell(const char *text)
{
	CLEANUP(text) char *quoted = NULL;

	if (*text != '\0' &&
	    text[strspn(
		    text,
		    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+")] ==
		    '\0')
		return mem_strdup(text);
	text_add(&quoted, "'");
	for (; *text != '\0'; text++)
		if (*text == '\'')
			text_add(&quoted, "'\\''");
		else
			text_add(&quoted, "%c", *text);
	text_add(&quoted, "'");
	return STEAL(quoted);
}
