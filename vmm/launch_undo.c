// SPDX-License-Identifier: MIT
#include "vmm/base/text.h"
#include "vmm/giveback.h"
#include "vmm/launch_internal.h"

int launch_undo_ask(struct launch *launch, bool *ret_active)
{
	CLEANUP(fail) struct fail ignored = { 0 };

	if (launch->hv != NULL && hv_is_active(launch->hv, launch->uuid, ret_active, &ignored) == 0)
		return 0;
	hv_close(STEAL(launch->hv));
	if (hv_open(launch_uri(launch), HV_WRITE, &launch->hv, &ignored) < 0)
		return -1;
	return hv_is_active(launch->hv, launch->uuid, ret_active, &ignored);
}

static void report(const struct giveback *giveback, struct fail *fail)
{
	for (size_t i = 0; i < giveback->count; i++) {
		const struct giveback_function *function = &giveback->functions[i];

		if (function->remedy == NULL)
			continue;
		fail_add(fail, FAIL_HOST, "%s is not back where it was before the start",
			 function->before->address);
		fail_cause(fail, "it was on %s%s%s and is on %s",
			   function->before->driver == NULL ? "no driver"
							    : function->before->driver,
			   function->before->driver_override == NULL ? "" : " by driver override ",
			   function->before->driver_override == NULL
				   ? ""
				   : function->before->driver_override,
			   function->driver_now == NULL ? "no driver" : function->driver_now);
		fail_hint(fail, "%s", function->remedy);
	}
}

void launch_undo_start(struct launch *launch, struct fail *fail)
{
	CLEANUP(giveback) struct giveback *giveback = NULL;
	CLEANUP(guest) struct guest *guest = NULL;
	CLEANUP(fail) struct fail ignored = { 0 };
	struct giveback_means means = { .uri = launch->options.uri,
					.lease_directory = launch->options.lease_directory,
					.timeout_ms = GIVEBACK_TIMEOUT_MS };
	bool is_active = false;

	/* gpuvm's hook vetoes before a device is touched. */
	if (fail->kind != FAIL_HV || launch_undo_ask(launch, &is_active) < 0)
		return;
	if (is_active) {
		fail_hint(fail, "it runs after all: gpuvm show %s   or: gpuvm stop --force %s",
			  launch->spec->name, launch->spec->name);
		return;
	}
	if (guest_parse(launch->xml, &guest, &ignored) < 0)
		return;
	means.hv = launch->hv;
	giveback = giveback_check(guest, launch->root, &means);
	report(giveback, fail);
	launch->lost = quarantine_lost(launch->root, guest, giveback, launch->owner);
}

/* A volume of this start that could not be deleted: the definition is its only record. */
static bool disks_left(const struct launch *launch)
{
	for (size_t i = 0; i < launch->disks->count; i++)
		if (launch->disks->disks[i].made != DISK_NOT_MADE)
			return true;
	return false;
}

void launch_undo_define(struct launch *launch, struct fail *fail)
{
	CLEANUP(fail) struct fail ignored = { 0 };
	const struct usage_vm *vm = usage_vm(launch->usage, launch->spec->name);
	bool is_active = false;

	if (launch_undo_ask(launch, &is_active) < 0) {
		fail_add(fail, FAIL_HV, "the definition of VM \"%s\" is left as it is",
			 launch->spec->name);
		fail_cause(fail, "libvirt does not answer any more");
		fail_hint(fail, "when it does: gpuvm list");
	} else if (!is_active && disks_left(launch)) {
		fail_add(fail, FAIL_HV,
			 "the definition of VM \"%s\" stays, as a disk made for it does",
			 launch->spec->name);
		fail_hint(fail, "gpuvm start %s   or both away: gpuvm delete %s --disks",
			  launch->spec->name, launch->spec->name);
	} else if (!is_active && vm != NULL) {
		(void)hv_define(launch->hv, vm->domain->xml, &ignored);
	} else if (!is_active) {
		(void)hv_undefine(launch->hv, launch->uuid, launch->had_nvram, &ignored);
	}
}
