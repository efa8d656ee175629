// SPDX-License-Identifier: MIT
#include "vmm/cli/given_back.h"

#include "vmm/base/text.h"
#include "vmm/cli/out.h"

static const char *state_name(enum giveback_state state)
{
	switch (state) {
	case GIVEBACK_SAME:
		return "same";
	case GIVEBACK_REPAIRED:
		return "repaired";
	case GIVEBACK_TAKEN:
		return "taken";
	case GIVEBACK_OVERRIDE_LOST:
		return "override lost";
	case GIVEBACK_ELSEWHERE:
		return "elsewhere";
	}
	return "unknown";
}

struct aftermath *given_back_read(const struct cli *cli, const struct root *root,
				  const struct usage *usage)
{
	const struct giveback_means means = { .uri = cli->uri };

	return aftermath_check(usage->domains, root, &means, NULL);
}

json_t *given_back_function_json(const struct giveback_function *function)
{
	return json_pack("{s:s, s:o, s:o, s:s, s:o}", "address", function->before->address,
			 "driver_before", out_text_or_null(function->before->driver), "driver_now",
			 out_text_or_null(function->driver_now), "state",
			 state_name(function->state), "remedy", out_text_or_null(function->remedy));
}

static bool is_told(const struct giveback_function *function)
{
	return function->state != GIVEBACK_SAME && function->state != GIVEBACK_TAKEN;
}

json_t *given_back_json(const struct aftermath *aftermath)
{
	json_t *rows = json_array();

	for (size_t i = 0; aftermath != NULL && i < aftermath->count; i++)
		for (size_t j = 0; j < aftermath->vms[i].giveback->count; j++) {
			const struct aftermath_vm *vm = &aftermath->vms[i];
			const struct giveback_function *function = &vm->giveback->functions[j];
			json_t *row;

			if (!is_told(function))
				continue;
			row = json_pack("{s:o}", "vm", out_text_or_null(vm->guest->name));
			json_object_update_new(row, given_back_function_json(function));
			json_array_append_new(rows, row);
		}
	return rows;
}

static void print_function(const char *vm, const struct giveback_function *function)
{
	const char *before = function->before->driver == NULL ? "no driver"
							      : function->before->driver;
	const char *now = function->driver_now == NULL ? "no driver" : function->driver_now;
	const char *address = function->before->address;

	switch (function->state) {
	case GIVEBACK_SAME:
	case GIVEBACK_TAKEN:
		return;
	case GIVEBACK_REPAIRED:
		out_note("%s is back on %s: VM \"%s\" had ended without giving it back", address,
			 now, vm);
		return;
	case GIVEBACK_OVERRIDE_LOST:
		out_note("%s is on %s since VM \"%s\" ended: libvirt erased its driver override "
			 "\"%s\"\n  hint: %s",
			 address, now, vm, function->before->driver_override, function->remedy);
		return;
	case GIVEBACK_ELSEWHERE:
		out_note("%s was on %s and is on %s since VM \"%s\" ended\n  hint: %s", address,
			 before, now, vm, function->remedy);
		return;
	}
}

static void print_lost(const struct quarantine_gpu *gpu)
{
	if (gpu->is_recorded) {
		out_note("  %s is quarantined: %s\n  hint: when it answers again: gpuvm undrain %s",
			 gpu->address, gpu->seen, gpu->address);
		return;
	}
	out_note("  %s should be quarantined: %s", gpu->address, gpu->seen);
	if (gpu->fail.kind != FAIL_NONE)
		out_fail(&gpu->fail, false);
	else
		out_note("  hint: the next start or stop of a VM does that; what the kernel says: "
			 "sudo dmesg | grep %s",
			 gpu->address);
}

void given_back_print_lost(const struct quarantine *quarantine)
{
	for (size_t i = 0; quarantine != NULL && i < quarantine->count; i++)
		print_lost(&quarantine->gpus[i]);
}

void given_back_print(const struct aftermath *aftermath)
{
	for (size_t i = 0; aftermath != NULL && i < aftermath->count; i++) {
		const struct aftermath_vm *vm = &aftermath->vms[i];
		CLEANUP(text) char *name = text_printable(vm->guest->name, 80);

		for (size_t j = 0; j < vm->giveback->count; j++)
			print_function(name, &vm->giveback->functions[j]);
		given_back_print_lost(vm->quarantine);
	}
}
