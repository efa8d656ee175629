// SPDX-License-Identifier: MIT
#include "firmware/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/package.h"
#include "vmm/base/text.h"

#define PACKAGE "ovmf"

enum {
	KNOB_MATTERS = 202211, /* before, there is nothing that it could be smaller than */
	KNOB_DECIDES = 202505,
	DEBIAN_PATCHED = 202502,
	DEBIAN_REVISION = 2,
};

/* "-8+deb13u1": Debian's own, and not what a derivative made of it. */
static bool is_patched(unsigned release, const char *revision)
{
	unsigned number = 0;

	return release == DEBIAN_PATCHED && sscanf(revision, "-%4u", &number) == 1 &&
	       number >= DEBIAN_REVISION;
}

static enum version_knob knob_of(unsigned release, const char *revision)
{
	bool is_derived = *revision == '\0' || strstr(revision, "ubuntu") != NULL;

	if (release >= KNOB_DECIDES || is_patched(release, revision))
		return VERSION_KNOB_DECIDES;
	if (release >= KNOB_MATTERS && is_derived)
		return VERSION_KNOB_UNKNOWN;
	return VERSION_KNOB_GROWS;
}

void version_parse(const char *text, struct version *ret_version)
{
	const char *epoch = strchr(text, ':');
	const char *upstream = epoch == NULL ? text : epoch + 1;
	const char *revision = strrchr(upstream, '-');
	unsigned year, month;
	int length = 0;

	ret_version->release = 0;
	ret_version->knob = VERSION_KNOB_UNKNOWN;
	if (sscanf(upstream, "%4u.%2u%n", &year, &month, &length) != 2 || length != 7 ||
	    year < 2000 || month < 1 || month > 12 ||
	    (upstream[length] != '\0' && strchr("-~+", upstream[length]) == NULL))
		return;
	ret_version->release = year * 100 + month;
	ret_version->knob = knob_of(ret_version->release, revision == NULL ? "" : revision);
}

static bool is_packaged_place(const char *executable)
{
	static const char *const places[] = { "/usr/share/OVMF/", "/usr/share/ovmf/",
					      "/usr/share/qemu/OVMF" };

	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (text_starts(executable, places[i]))
			return true;
	return false;
}

/* Whether the package has put it there; its list is not in every root, and then the place is what counts. */
static bool is_packaged(const struct root *root, const char *executable)
{
	CLEANUP(text) char *list = root_bytes(root, NULL, "/var/lib/dpkg/info/" PACKAGE ".list");
	char *rest = list;
	char *line;

	if (!is_packaged_place(executable))
		return false;
	if (list == NULL)
		return true;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (text_equal(line, executable))
			return true;
	return false;
}

struct version *version_read(const struct root *root, const char *executable)
{
	struct version *version = mem_alloc(1, sizeof *version);
	CLEANUP(text) char *installed = NULL;

	if (executable == NULL || !is_packaged(root, executable))
		return version;
	installed = package_version(root, PACKAGE);
	if (installed == NULL)
		return version;
	version->package = text_format(PACKAGE " %s", installed);
	version_parse(installed, version);
	return version;
}

void version_free(struct version *version)
{
	if (version == NULL)
		return;
	free(version->package);
	free(version);
}
