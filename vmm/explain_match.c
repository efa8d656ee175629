// SPDX-License-Identifier: MIT
#include "vmm/explain.h"

#include <string.h>

#include "vmm/base/text.h"

#define WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@+-"
#define MOST 64

/* LOST: nor does the pattern stand anywhere further on in the line, as what follows its * is not there. */
enum answer {
	NO,
	YES,
	LOST
};

static enum answer match_here(const char *pattern, const char *text, struct explain_words *words);

static enum answer match_word(const char *pattern, const char *text, struct explain_words *words)
{
	const char *end = strchr(pattern, '}');
	/* A word goes into the command that is advised: no line of a log is to make an option of it. */
	size_t longest = *text == '-' ? 0 : strspn(text, WORD);
	size_t at = words->count;

	if (end == NULL || at == sizeof words->words / sizeof *words->words)
		return NO;
	for (size_t length = longest > MOST ? MOST : longest; length > 0; length--) {
		enum answer answer;

		words->words[at].name = pattern + 1;
		words->words[at].name_length = (size_t)(end - pattern) - 1;
		words->words[at].word = text;
		words->words[at].word_length = length;
		words->count = at + 1;
		answer = match_here(end + 1, text + length, words);
		if (answer != NO)
			return answer;
	}
	words->count = at;
	return NO;
}

static enum answer match_here(const char *pattern, const char *text, struct explain_words *words)
{
	for (; *pattern != '\0' && *pattern != '{' && *pattern != '*'; pattern++, text++)
		if (*pattern != *text)
			return NO;
	if (*pattern == '\0')
		return YES;
	if (*pattern == '{')
		return match_word(pattern, text, words);
	for (; *text != '\0'; text++)
		if (match_here(pattern + 1, text, words) == YES)
			return YES;
	return LOST;
}

const char *explain_match(const char *pattern, const char *line, struct explain_words *ret_words)
{
	size_t length = strcspn(pattern, "{*");
	const char *end = line + strlen(line);
	const char *at = line;

	while ((at = memmem(at, (size_t)(end - at), pattern, length)) != NULL) {
		enum answer answer;

		memset(ret_words, 0, sizeof *ret_words);
		answer = match_here(pattern + length, at + length, ret_words);
		if (answer == YES)
			return at;
		if (answer == LOST)
			return NULL;
		at++;
	}
	return NULL;
}

char *explain_fill(const char *text, const struct explain_words *words)
{
	char *filled = NULL;

	text_add(&filled, "%s", "");
	while (*text != '\0') {
		size_t plain = strcspn(text, "{");
		size_t name = text[plain] == '\0' ? 0 : strcspn(text + plain + 1, "}");
		const char *word = text + plain + 1;
		size_t length = name;

		text_add(&filled, "%.*s", (int)plain, text);
		text += plain;
		if (*text == '\0')
			break;
		for (size_t i = 0; i < words->count; i++) {
			if (words->words[i].name_length == name &&
			    memcmp(words->words[i].name, text + 1, name) == 0) {
				word = words->words[i].word;
				length = words->words[i].word_length;
			}
		}
		text_add(&filled, "%.*s", (int)length, word);
		text += name + 1;
		text += *text == '}';
	}
	return filled;
}
