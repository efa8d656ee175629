// SPDX-License-Identifier: MIT
#include "vmm/launch_internal.h"

void launch_undo_define(struct launch *launch)
{
	CLEANUP(fail) struct fail ignored = { 0 };
	const struct usage_vm *vm = usage_vm(launch->usage, launch->spec->name);
	bool is_active = false;

	if (hv_is_active(launch->hv, launch->uuid, &is_active, &ignored) < 0 || is_active)
		return;
	if (vm != NULL)
		(void)hv_define(launch->hv, vm->domain->xml, &ignored);
	else
		(void)hv_undefine(launch->hv, launch->uuid, launch->had_nvram, &ignored);
}
