// SPDX-License-Identifier: MIT
#include "topo/backing.h"

#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define POINT_FIELD 4 /* of a line of mountinfo, from 0 */

/* "\040" and the like, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; to++) {
		if (from[0] == '\\' && strspn(from + 1, "01234567") >= 3) {
			*to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static bool is_above(const char *point, const char *path)
{
	size_t length = strlen(point);

	return text_equal(point, "/") ||
	       (text_starts(path, point) && (path[length] == '/' || path[length] == '\0'));
}

/* The mount point and type that a line tells, cut out of it; false if it tells none. */
static bool read_line(char *line, const char **ret_point, const char **ret_type)
{
	char *rest = strstr(line, " - ");
	char *point = NULL;

	if (rest == NULL)
		return false;
	*rest = '\0';
	rest += strlen(" - ");
	*ret_type = strsep(&rest, " ");
	for (int field = 0; field <= POINT_FIELD; field++)
		point = strsep(&line, " ");
	if (point == NULL)
		return false;
	unescape(point);
	*ret_point = point;
	return true;
}

char *backing_filesystem(const struct root *root, const char *path)
{
	CLEANUP(text) char *mounts = root_bytes(root, NULL, "/proc/self/mountinfo");
	CLEANUP(text) char *type = NULL;
	char *rest = mounts;
	size_t longest = 0;
	char *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		const char *point, *found;

		if (!read_line(line, &point, &found) || !is_above(point, path) ||
		    strlen(point) < longest)
			continue;
		longest = strlen(point);
		free(type);
		type = mem_strdup(found);
	}
	return STEAL(type);
}

bool backing_is_direct(const char *type)
{
	static const char *const without[] = { "tmpfs", "ramfs", "ecryptfs", "squashfs", "9p" };

	for (size_t i = 0; type != NULL && i < sizeof without / sizeof *without; i++)
		if (text_equal(type, without[i]))
			return false;
	return true;
}

bool backing_has_io_uring(const struct root *root)
{
	return root_number(root, 0, "/proc/sys/kernel/io_uring_disabled") == 0;
}
