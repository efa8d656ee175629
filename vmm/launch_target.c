// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vmm/absent.h"
#include "vmm/base/text.h"
#include "vmm/launch_internal.h"
#include "vmm/pending.h"

#define SAMPLE "/usr/share/doc/gpuvm/examples/one-gpu.ini"

bool launch_target_is_path(const char *target)
{
	size_t length = strlen(target);

	return strchr(target, '/') != NULL ||
	       (length > 4 && strcmp(target + length - 4, ".ini") == 0);
}

int launch_target_read(struct launch *launch, struct fail *fail)
{
	if (launch->options.spec_text != NULL)
		return spec_parse(launch->target, "/", launch->options.spec_text, &launch->spec,
				  fail);
	if (spec_read(launch->target, &launch->spec, fail) == 0)
		return 0;
	if (access(launch->target, F_OK) == 0 || errno != ENOENT)
		return -1;
	if (!launch_target_is_path(launch->target))
		return fail_hint(fail,
				 "plan takes a spec's file; where that of a VM is: gpuvm show "
				 "NAME");
	return fail_hint(fail, "to begin with a sample: cp " SAMPLE " FILE.ini");
}

static int was_renamed(const struct launch *launch, struct fail *fail)
{
	CLEANUP(text) char *name = text_shell(launch->target);
	CLEANUP(text) char *uri = text_shell(launch_uri(launch));

	fail_add(fail, FAIL_SPEC, "VM \"%s\" was renamed", launch->target);
	fail_cause(fail, "its spec still says name = %s", launch->spec->name);
	return fail_hint(fail,
			 "virsh -c %s domrename -- %s %s   or start it from a corrected file: "
			 "gpuvm start FILE.ini",
			 uri, name, launch->spec->name);
}

/* The recorded one, or the file's if that was changed since. */
static int parse_spec_of(struct launch *launch, const struct guest *guest, struct fail *fail)
{
	CLEANUP(text) char *changed = pending_spec(guest);
	CLEANUP(text) char *file = pending_file(guest);

	if (changed == NULL)
		return spec_parse(guest->spec_file, guest->spec_directory, guest->spec_text,
				  &launch->spec, fail);
	launch_say(launch, "recall", "its spec has changed: reading the file again");
	return spec_parse(file, guest->spec_directory, changed, &launch->spec, fail);
}

int launch_target_recall(struct launch *launch, struct fail *fail)
{
	const char *name = launch->target;
	const struct usage_vm *vm = usage_vm(launch->usage, name);
	const struct guest *guest;

	if (vm == NULL)
		return absent_refuse(name, "start", fail);
	guest = vm->guest;
	if (guest->spec_text == NULL) {
		if (owner_may(launch->owner, guest, launch->options.uri, "start",
			      launch->options.force, fail) < 0)
			return -1;
		fail_add(fail, FAIL_SPEC, "the spec of VM \"%s\" is lost", guest->name);
		fail_cause(fail, "somebody edited the VM's definition: gpuvm's record of the spec "
				 "is missing or malformed");
		return fail_hint(fail, "start it from its file again: gpuvm start FILE.ini");
	}
	if (parse_spec_of(launch, guest, fail) < 0)
		return -1;
	return text_equal(launch->spec->name, name) ? 0 : was_renamed(launch, fail);
}
