// SPDX-License-Identifier: MIT
#include "vmm/base/package.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

/* What follows @key on a line of the paragraph @text, to the line's end; NULL: no such line. The caller frees. */
static char *value_of(const char *text, const char *key)
{
	CLEANUP(text) char *line = text_format("\n%s: ", key);
	const char *found = strstr(text, line);

	return found == NULL
		       ? NULL
		       : mem_strndup(found + strlen(line), strcspn(found + strlen(line), "\n"));
}

/* The next paragraph of @package in the database *@rest, which is cut behind it; NULL: there is none. */
static char *next_of(char **rest, const char *package)
{
	CLEANUP(text) char *first = text_format("\nPackage: %s\n", package);
	char *found = *rest == NULL ? NULL : strstr(*rest, first);
	char *end = found == NULL ? NULL : strstr(found + 1, "\n\n");

	*rest = end == NULL ? NULL : end + 1;
	if (end != NULL)
		*end = '\0';
	return found;
}

/* There is one paragraph for each of a package's architectures. */
char *package_version(const struct root *root, const char *package)
{
	CLEANUP(text) char *database = root_bytes(root, NULL, PACKAGE_DATABASE);
	CLEANUP(text) char *status = text_format("\n%s", database == NULL ? "" : database);
	char *rest = status;
	char *paragraph;

	while ((paragraph = next_of(&rest, package)) != NULL) {
		CLEANUP(text) char *state = value_of(paragraph, "Status");
		CLEANUP(text) char *version = value_of(paragraph, "Version");

		if (version != NULL && state != NULL && strstr(state, " ok installed") != NULL)
			return text_printable(version, 64);
	}
	return NULL;
}

unsigned long package_number(const char *version)
{
	const char *colon = version == NULL ? NULL : strchr(version, ':');
	unsigned long parts[3] = { 0 };
	char *end = (char *)(colon == NULL ? version : colon + 1);

	for (int i = 0; i < 3 && version != NULL; i++) {
		parts[i] = strtoul(end, &end, 10) % 1000;
		if (*end != '.')
			break;
		end++;
	}
	return parts[0] * 1000000 + parts[1] * 1000 + parts[2];
}
