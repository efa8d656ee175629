// SPDX-License-Identifier: MIT
#include "topo/console.h"

#include <stdbool.h>
#include <string.h>

#include "vmm/base/text.h"

#define DEEPEST 64 /* levels of nesting looked at; the kernel shows eight */

/* By the names that kernels gave its memory. */
static bool is_framebuffer(const char *name)
{
	static const char *const names[] = { "BOOTFB", "efifb", "vesafb", "simplefb", "simpledrm" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (text_equal(name, names[i]))
			return true;
	return false;
}

void console_read(const struct root *root, struct device_list *list)
{
	CLEANUP(text) char *iomem = root_bytes(root, NULL, "/proc/iomem");
	const struct device *at[DEEPEST] = { NULL }; /* the function that each level is memory of */
	char *rest = iomem;
	char *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		size_t level = strspn(line, " ") / 2;
		const char *name = strstr(line, " : ");
		const struct device *device;

		if (name == NULL || level >= DEEPEST)
			continue;
		name += 3;
		at[level] = level == 0 ? NULL : at[level - 1];
		device = device_find(list, name);
		if (device != NULL)
			at[level] = device;
		else if (at[level] != NULL && at[level]->firmware_framebuffer == NULL &&
			 is_framebuffer(name))
			list->devices[at[level] - list->devices].firmware_framebuffer = text_format(
				"%s", name);
	}
}
