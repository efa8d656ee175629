// SPDX-License-Identifier: MIT
#include "vmm/absent.h"

#include <unistd.h>

#include "vmm/base/text.h"
#include "vmm/spec.h"

/* A bare word is a name to start, so a file of that name needs its folder. */
static int hint_file(const char *path, const char *verb, struct fail *fail)
{
	CLEANUP(spec) struct spec *spec = NULL;
	CLEANUP(fail) struct fail no_spec = { 0 };
	CLEANUP(text) char *word = text_shell(path);

	fail_cause(fail, "a file of that name is here; its VM is called by the name in it");
	if (text_equal(verb, "start"))
		return fail_hint(fail, "to start that file: gpuvm start ./%s", word);
	if (spec_read(path, &spec, &no_spec) < 0 || text_equal(spec->name, path))
		return fail_hint(fail, "see which there are: gpuvm list");
	return fail_hint(fail, "gpuvm %s %s", verb, spec->name);
}

int absent_refuse(const char *name, const char *verb, struct fail *fail)
{
	fail_add(fail, FAIL_USAGE, "there is no VM named \"%s\"", name);
	if (access(name, F_OK) == 0)
		return hint_file(name, verb, fail);
	if (text_equal(verb, "start"))
		return fail_hint(fail, "see which there are: gpuvm list   start a new one from its "
				       "file: gpuvm start FILE.ini");
	return fail_hint(fail, "see which there are: gpuvm list");
}
