// SPDX-License-Identifier: MIT
#include "topo/cmdline.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

/* Everything else may be a secret, or nobody's business. */
static const char *const matters[] = {
	"intel_iommu",
	"amd_iommu",
	"iommu",
	"iommu.",
	"intremap",
	"nox2apic",
	"pci",
	"pcie_acs_override",
	"pcie_aspm",
	"vfio",
	"vfio_",
	"kvm",
	"kvm.",
	"kvm_",
	"default_hugepagesz",
	"hugepagesz",
	"hugepages",
	"isolcpus",
	"video",
	"nomodeset",
	"initcall_blacklist",
	"module_blacklist",
	"modprobe.blacklist",
	"rd.driver.",
	"nouveau.",
	"nvidia",
	"amdgpu.",
	"pci_stub.",
	NULL,
};

/* A row that ends in a mark stands for all that begin so. */
static bool is_of(const char *key, const char *row)
{
	size_t length = strlen(row);
	bool is_prefix = strchr("._", row[length - 1]) != NULL;

	return is_prefix ? text_starts(key, row) : text_equal(key, row);
}

static bool does_matter(const char *key)
{
	for (const char *const *row = matters; *row != NULL; row++)
		if (is_of(key, *row))
			return true;
	return text_starts(key, "nvidia");
}

/* The next word of *@rest, in place, quotes kept; NULL at the end. */
static char *next_word(char **rest)
{
	bool is_quoted = false;
	char *word = *rest + strspn(*rest, " \t\n");
	char *end = word;

	for (; *end != '\0' && (is_quoted || strchr(" \t\n", *end) == NULL); end++)
		is_quoted ^= *end == '"';
	*rest = *end == '\0' ? end : end + 1;
	*end = '\0';
	return *word == '\0' ? NULL : word;
}

static void add(struct cmdline *cmdline, const char *word)
{
	size_t length = strcspn(word, "=");
	CLEANUP(text) char *key = mem_strndup(word, length);
	struct cmdline_argument *argument;

	for (char *c = key; *c != '\0'; c++)
		*c = *c == '-' ? '_' : *c;
	if (!does_matter(key))
		return;
	argument = MEM_APPEND(cmdline->arguments, cmdline->count);
	argument->key = text_printable(key, 64);
	argument->value = word[length] == '\0' ? NULL : text_printable(word + length + 1, 200);
	argument->word = text_printable(word, 200);
}

static void parse(struct cmdline *cmdline, const char *text)
{
	CLEANUP(text) char *copy = mem_strdup(text);
	char *rest = copy;
	char *word;

	while ((word = next_word(&rest)) != NULL && !text_equal(word, "--"))
		add(cmdline, word);
}

struct cmdline *cmdline_read(const struct root *root)
{
	struct cmdline *cmdline = mem_alloc(1, sizeof *cmdline);
	CLEANUP(text) char *text = root_text(root, CMDLINE_FILE);

	cmdline->is_known = text != NULL;
	if (text != NULL)
		parse(cmdline, text);
	return cmdline;
}

void cmdline_free(struct cmdline *cmdline)
{
	if (cmdline == NULL)
		return;
	for (size_t i = 0; i < cmdline->count; i++) {
		free(cmdline->arguments[i].key);
		free(cmdline->arguments[i].value);
		free(cmdline->arguments[i].word);
	}
	free(cmdline->arguments);
	free(cmdline);
}

const struct cmdline_argument *cmdline_last(const struct cmdline *cmdline, const char *key,
					    const struct cmdline_argument *before)
{
	size_t end = before == NULL ? cmdline->count : (size_t)(before - cmdline->arguments);

	for (size_t i = end; i-- > 0;)
		if (text_equal(cmdline->arguments[i].key, key))
			return &cmdline->arguments[i];
	return NULL;
}

static bool has_value(const char *values, const char *value)
{
	CLEANUP(text) char *copy = mem_strdup(values);
	char *rest = copy;
	char *item;

	while ((item = strsep(&rest, ",")) != NULL)
		if (text_equal(item, value))
			return true;
	return false;
}

bool cmdline_has(const struct cmdline *cmdline, const char *key, const char *value)
{
	for (size_t i = 0; i < cmdline->count; i++)
		if (text_equal(cmdline->arguments[i].key, key) &&
		    cmdline->arguments[i].value != NULL &&
		    has_value(cmdline->arguments[i].value, value))
			return true;
	return false;
}

char *cmdline_filter(const char *text)
{
	CLEANUP(cmdline) struct cmdline *cmdline = mem_alloc(1, sizeof *cmdline);
	char *kept = NULL;

	parse(cmdline, text);
	for (size_t i = 0; i < cmdline->count; i++)
		text_join(&kept, " ", cmdline->arguments[i].word);
	if (kept == NULL)
		return mem_strdup("\n");
	text_add(&kept, "\n");
	return kept;
}
