// SPDX-License-Identifier: MIT
#include "vmm/pending.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/ini.h"
#include "vmm/spec.h"

char *pending_file(const struct guest *guest)
{
	const char *slash;

	if (guest->spec_file == NULL)
		return NULL;
	/* As typed, it may start at a folder that nobody knows any more; the record has the spec's own. */
	slash = strrchr(guest->spec_file, '/');
	return text_format("%s/%s",
			   text_equal(guest->spec_directory, "/") ? "" : guest->spec_directory,
			   slash == NULL ? guest->spec_file : slash + 1);
}

/* Looked at before it is opened: opening some devices does something. */
static bool is_owners(const char *path, const struct guest *guest)
{
	struct stat about;

	return stat(path, &about) == 0 && S_ISREG(about.st_mode) &&
	       (about.st_uid == guest->uid || about.st_uid == 0);
}

static bool is_of_another(const struct guest *guest, const char *path, const char *text)
{
	CLEANUP(spec) struct spec *spec = NULL;
	CLEANUP(fail) struct fail wrong = { 0 };

	return spec_parse(path, guest->spec_directory, text, &spec, &wrong) == 0 &&
	       !text_equal(spec->name, guest->name);
}

char *pending_spec(const struct guest *guest)
{
	CLEANUP(text) char *path = pending_file(guest);
	CLEANUP(ini) struct ini *ini = NULL;
	CLEANUP(fail) struct fail wrong = { 0 };

	if (path == NULL || !is_owners(path, guest))
		return NULL;
	(void)ini_read(path, &ini, &wrong);
	if (ini == NULL || text_equal(ini->text, guest->spec_text) ||
	    is_of_another(guest, path, ini->text))
		return NULL;
	return mem_strdup(ini->text);
}
