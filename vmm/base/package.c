// SPDX-License-Identifier: MIT
#include "vmm/base/package.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/text.h"

static const char *value_of(const char *line, const char *key)
{
	size_t length = strlen(key);

	return strncmp(line, key, length) == 0 ? line + length : NULL;
}

char *package_version(const struct root *root, const char *package)
{
	CLEANUP(text) char *status = root_bytes(root, NULL, PACKAGE_DATABASE);
	bool is_it = false;
	bool is_installed = false;
	char *rest = status;
	char *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		const char *name = value_of(line, "Package: ");
		const char *state = value_of(line, "Status: ");
		const char *value = value_of(line, "Version: ");

		if (name != NULL) {
			is_it = text_equal(name, package);
			is_installed = false;
		} else if (is_it && state != NULL) {
			is_installed = strstr(state, " ok installed") != NULL;
		} else if (is_it && is_installed && value != NULL) {
			return text_printable(value, 64);
		}
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
