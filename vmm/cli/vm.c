// SPDX-License-Identifier: MIT
#include "vmm/cli/vm.h"

#include "vmm/base/text.h"
#include "vmm/cli/out.h"

static void note(json_t *notes, const char *text)
{
	json_array_append_new(notes, out_text_or_null(text));
}

/* What a domain cannot refuse shows here: a pause, an edit of its definition, a changed driver. */
static json_t *notes_json(const struct usage_vm *vm)
{
	json_t *notes = json_array();

	if (vm->domain->state == HV_PAUSED) {
		CLEANUP(text)
		char *text = text_format(
			"paused %s: its vCPUs stand still, its GPU does not; go on with: virsh -c "
			"qemu:///system resume %s",
			vm->domain->paused_reason, vm->domain->name);

		note(notes, text);
	}
	if (vm->domain->has_managed_save)
		note(notes, "has a saved state, which the next start discards");
	for (size_t i = 0; i < vm->guest->problem_count; i++)
		note(notes, vm->guest->problems[i]);
	if (vm->guest->autostart)
		note(notes, "starts at boot");
	return notes;
}

json_t *vm_json(const struct usage_vm *vm, const struct host *host)
{
	const struct guest *guest = vm->guest;
	json_t *gpus = json_array();

	for (size_t i = 0; i < guest->hostdev_count; i++) {
		const struct gpu *gpu = gpu_find(host->gpus, guest->hostdevs[i]);

		if (gpu != NULL && text_equal(gpu->device->address, guest->hostdevs[i]))
			json_array_append_new(gpus, json_string(guest->hostdevs[i]));
	}
	return json_pack("{s:o, s:s, s:o, s:i, s:I, s:o, s:o}", "name",
			 out_text_or_null(guest->name), "state", hv_state_name(vm->domain->state),
			 "user", out_text_or_null(guest->user), "vcpus", (int)guest->vcpus,
			 "memory_bytes", (json_int_t)guest->memory_bytes, "gpus", gpus, "notes",
			 notes_json(vm));
}
