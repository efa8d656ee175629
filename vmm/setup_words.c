// SPDX-License-Identifier: MIT
#include "vmm/setup_words.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"

#define BLANKS " \t\r\n"

/* Bytes of what separates words: in a shell's quotes a line may go on behind a backslash. */
static size_t gap_of(const char *text)
{
	size_t length = 0;

	for (;;) {
		if (text[length] != '\0' && strchr(BLANKS, text[length]) != NULL)
			length++;
		else if (text[length] == '\\' && text[length + 1] == '\n')
			length += 2;
		else
			return length;
	}
}

static size_t word_of(const char *text)
{
	bool is_quoted = false;
	size_t length = 0;

	for (; text[length] != '\0'; length++) {
		if (text[length] == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && gap_of(text + length) > 0)
			break;
	}
	return length;
}

/* The value if @word is KEY=VALUE; - and _ are the same in a key, as for the kernel. */
static const char *value_of(const char *word, const char *key)
{
	for (; *key != '\0'; key++, word++)
		if (*key != *word && !(*key == '_' && *word == '-'))
			return NULL;
	return *word == '=' ? word + 1 : NULL;
}

/* As the kernel reads sizes: what follows the unit does not count (lib/cmdline.c, memparse). */
static bool is_gib(const char *size)
{
	static const char units[] = "kmg";
	char *end;
	unsigned long long bytes = strtoull(size, &end, 0);
	const char *unit = *end == '\0' ? NULL : strchr(units, *end | 0x20);

	return unit == NULL ? bytes == SIZE_GIB
			    : bytes == SIZE_GIB >> (10 * (unsigned)(unit - units + 1));
}

static bool is_among(const char *part, const char *const *parts)
{
	for (; parts != NULL && *parts != NULL; parts++)
		if (strcasecmp(part, *parts) == 0)
			return true;
	return false;
}

/* @word without those parts of its value, or NULL if none is left. */
static char *without_parts(const char *word, const char *value, const char *const *parts)
{
	CLEANUP(text) char *copy = mem_strdup(value);
	CLEANUP(text) char *kept = NULL;
	bool has_any = false;
	char *rest = NULL;

	for (char *part = strtok_r(copy, ",", &rest); part != NULL;
	     part = strtok_r(NULL, ",", &rest))
		if (is_among(part, parts))
			has_any = true;
		else
			text_join(&kept, ",", part);
	if (!has_any)
		return mem_strdup(word);
	if (kept == NULL)
		return NULL;
	return text_format("%.*s%s", (int)(value - word), word, kept);
}

struct state {
	const struct setup_words_rule *rule;
	bool is_gib; /* the page size that the next hugepages= is for */
};

/* What becomes of @word: itself, less of it, or NULL. The caller frees. */
static char *rule_word(struct state *state, const char *word)
{
	static const char *const off[] = { "off", NULL };
	static const char *const iommu[] = { "intel_iommu", "amd_iommu", "iommu", "intremap" };
	const char *value;

	for (size_t i = 0; i < sizeof iommu / sizeof *iommu; i++)
		if ((value = value_of(word, iommu[i])) != NULL)
			return without_parts(word, value, off);
	if ((value = value_of(word, "vfio_pci.ids")) != NULL ||
	    (value = value_of(word, "pci_stub.ids")) != NULL)
		return without_parts(word, value, state->rule->ids);
	if ((value = value_of(word, "hugepagesz")) != NULL)
		state->is_gib = is_gib(value);
	else
		value = value_of(word, "hugepages");
	if (value != NULL && state->is_gib && state->rule->drops_gib_pages)
		return NULL;
	return mem_strdup(word);
}

/* hugepages= without a size before it is for the default one. */
static bool default_is_gib(const char *words)
{
	for (words += gap_of(words); *words != '\0'; words += gap_of(words)) {
		CLEANUP(text) char *word = mem_strndup(words, word_of(words));
		const char *size = value_of(word, "default_hugepagesz");

		if (size != NULL)
			return is_gib(size);
		words += strlen(word);
	}
	return false;
}

/* A backslash there would take what comes behind, such as the closing quote, for itself. */
static bool ends_in_backslash(const char *text)
{
	size_t length = strlen(text);
	size_t count = 0;

	while (count < length && text[length - count - 1] == '\\')
		count++;
	return count % 2 == 1;
}

char *setup_words_filter(const char *words, const struct setup_words_rule *rule)
{
	struct state state = { .rule = rule, .is_gib = default_is_gib(words) };
	char *result = mem_strdup("");
	bool is_first_gone = false;

	while (*words != '\0') {
		size_t gap = gap_of(words);
		CLEANUP(text) char *word = mem_strndup(words + gap, word_of(words + gap));
		CLEANUP(text) char *kept = *word == '\0' ? mem_strdup("") : rule_word(&state, word);
		bool is_first = *result == '\0';

		/* A word takes the blanks before it along; the first one those behind it. */
		if (kept != NULL && (*word == '\0' || !(is_first && is_first_gone)))
			text_add(&result, "%.*s%s", (int)gap, words, kept);
		else if (kept != NULL)
			text_add(&result, "%s", kept);
		if (!text_equal(kept, word) && ends_in_backslash(result))
			text_add(&result, " ");
		is_first_gone |= kept == NULL && is_first;
		words += gap + strlen(word);
	}
	return result;
}

bool setup_words_has(const char *words, const char *word)
{
	size_t length = strlen(word);

	for (words += gap_of(words); *words != '\0'; words += gap_of(words)) {
		size_t here = word_of(words);

		if (here == length && memcmp(words, word, length) == 0)
			return true;
		words += here;
	}
	return false;
}

char *setup_words_add(const char *words, const char *word)
{
	size_t length = strlen(words);

	while (length > 0 && strchr(BLANKS, words[length - 1]) != NULL)
		length--;
	return text_format("%.*s%s%s%s", (int)length, words, length == 0 ? "" : " ", word,
			   words + length);
}

/* Where a shell's text is read. */
struct shell {
	const char *at;
	unsigned line;
	const struct setup_words_rule *rule; /* NULL: nothing is filtered */
	char *result;                        /* what was read, filtered */
	char *values;                        /* the values alone */
};

static void copy(struct shell *shell, size_t count)
{
	for (size_t i = 0; i < count; i++)
		shell->line += shell->at[i] == '\n';
	text_add(&shell->result, "%.*s", (int)count, shell->at);
	shell->at += count;
}

/* Bytes up to the @quote that ends what begins at @text; SIZE_MAX if nothing ends it (POSIX sh, 2.2). */
static size_t quoted(const char *text, char quote)
{
	for (size_t i = 0; text[i] != '\0'; i++) {
		if (text[i] == quote)
			return i;
		if (quote == '"' && text[i] == '\\' && text[i + 1] != '\0')
			i++;
	}
	return (size_t)-1;
}

static void filter_value(struct shell *shell, size_t length)
{
	CLEANUP(text) char *value = mem_strndup(shell->at, length);
	CLEANUP(text)
	char *filtered = shell->rule == NULL ? mem_strdup(value)
					     : setup_words_filter(value, shell->rule);

	text_join(&shell->values, " ", value);
	text_add(&shell->result, "%s", filtered);
	for (size_t i = 0; i < length; i++)
		shell->line += shell->at[i] == '\n';
	shell->at += length;
}

/* One word of the shell's, to its end; its parts are filtered if they are a value of ours. */
static bool read_word(struct shell *shell, bool is_ours)
{
	while (*shell->at != '\0' && strchr(BLANKS ";#&|", *shell->at) == NULL) {
		char quote = *shell->at;
		size_t length;

		if (quote == '\\' && shell->at[1] != '\0') {
			copy(shell, 2);
			continue;
		}
		if (quote == '"' || quote == '\'') {
			length = quoted(shell->at + 1, quote);
			if (length == (size_t)-1)
				return false;
			copy(shell, 1);
		} else {
			length = strcspn(shell->at, BLANKS ";#&|\\\"'");
			length += length == 0; /* a backslash that ends the file */
		}
		if (is_ours)
			filter_value(shell, length);
		else
			copy(shell, length);
		if (quote == '"' || quote == '\'')
			copy(shell, 1);
	}
	return true;
}

static size_t name_of(const char *text)
{
	static const char *const names[] = { "GRUB_CMDLINE_LINUX_DEFAULT=", "GRUB_CMDLINE_LINUX=" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (text_starts(text, names[i]))
			return strlen(names[i]);
	return 0;
}

static bool read_shell(struct shell *shell)
{
	while (*shell->at != '\0') {
		size_t name = name_of(shell->at);

		if (*shell->at == '#') {
			copy(shell, strcspn(shell->at, "\n"));
		} else if (strchr(BLANKS ";&|", *shell->at) != NULL) {
			copy(shell, strspn(shell->at, BLANKS ";&|"));
		} else {
			copy(shell, name);
			if (!read_word(shell, name > 0))
				return false;
		}
		/* A # inside a word begins no comment. */
		if (*shell->at == '#' && shell->result != NULL && *shell->result != '\0' &&
		    strchr(BLANKS ";&|", shell->result[strlen(shell->result) - 1]) == NULL)
			copy(shell, 1);
	}
	return true;
}

char *setup_words_filter_shell(const char *text, const struct setup_words_rule *rule,
			       unsigned *ret_line)
{
	struct shell shell = { .at = text, .line = 1, .rule = rule, .result = mem_strdup("") };
	bool is_whole = read_shell(&shell);

	free(shell.values);
	if (is_whole)
		return shell.result;
	*ret_line = shell.line;
	free(shell.result);
	return NULL;
}

char *setup_words_of_shell(const char *text)
{
	struct shell shell = { .at = text, .line = 1, .result = mem_strdup("") };
	bool is_whole = read_shell(&shell);

	free(shell.result);
	if (is_whole)
		return shell.values == NULL ? mem_strdup("") : shell.values;
	free(shell.values);
	return NULL;
}
