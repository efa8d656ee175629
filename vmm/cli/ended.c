// SPDX-License-Identifier: MIT
#include "vmm/cli/ended.h"

#include "vmm/cli/given_back.h"
#include "vmm/cli/out.h"

static const char *outcome_name(enum finish_outcome outcome)
{
	switch (outcome) {
	case FINISH_STOPPED:
		return "stopped";
	case FINISH_FORCED:
		return "forced off";
	case FINISH_WAS_OFF:
		return "was off";
	case FINISH_DELETED:
		return "deleted";
	}
	return "unknown";
}

static json_t *quarantined_json(const struct finish *finish)
{
	json_t *gpus = json_array();

	for (size_t i = 0; finish->quarantine != NULL && i < finish->quarantine->count; i++) {
		const struct quarantine_gpu *gpu = &finish->quarantine->gpus[i];

		json_array_append_new(gpus, json_pack("{s:s, s:s, s:b}", "address", gpu->address,
						      "seen", gpu->seen, "is_recorded",
						      gpu->fail.kind == FAIL_NONE));
	}
	return gpus;
}

static const char *fate_name(enum finish_disk_fate fate)
{
	switch (fate) {
	case FINISH_DISK_KEPT:
		return "kept";
	case FINISH_DISK_DELETED:
		return "deleted";
	case FINISH_DISK_GONE:
		return "gone";
	}
	return "unknown";
}

static json_t *disks_json(const struct finish *finish)
{
	json_t *disks = json_array();

	for (size_t i = 0; i < finish->disk_count; i++)
		json_array_append_new(disks,
				      json_pack("{s:s, s:s, s:o}", "path", finish->disks[i].path,
						"fate", fate_name(finish->disks[i].fate), "remedy",
						out_text_or_null(finish->disks[i].remedy)));
	return disks;
}

static void print_disk(const struct finish_disk *disk)
{
	switch (disk->fate) {
	case FINISH_DISK_KEPT:
		out_line("  %s stays%s%s", disk->path,
			 disk->remedy == NULL ? "" : "; to delete it: ",
			 disk->remedy == NULL ? "" : disk->remedy);
		return;
	case FINISH_DISK_DELETED:
		out_line("  %s is deleted", disk->path);
		return;
	case FINISH_DISK_GONE:
		out_line("  %s was gone already", disk->path);
		return;
	}
}

json_t *ended_json(const struct finish *finish)
{
	json_t *functions = json_array();

	for (size_t i = 0; finish->giveback != NULL && i < finish->giveback->count; i++)
		json_array_append_new(functions,
				      given_back_function_json(&finish->giveback->functions[i]));
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "name", finish->name, "outcome",
			 outcome_name(finish->outcome), "functions", functions, "quarantined",
			 quarantined_json(finish), "disks", disks_json(finish), "given_back",
			 given_back_json(finish->aftermath));
}

static void print_function(const struct giveback_function *function)
{
	const char *before = function->before->driver == NULL ? "no driver"
							      : function->before->driver;
	const char *now = function->driver_now == NULL ? "no driver" : function->driver_now;

	switch (function->state) {
	case GIVEBACK_SAME:
		out_line("  %s is back on %s", function->before->address, now);
		return;
	case GIVEBACK_REPAIRED:
		out_line("  %s is back on %s, after libvirt was asked again",
			 function->before->address, now);
		return;
	case GIVEBACK_TAKEN:
		out_line("  %s is somebody else's by now: gpuvm gpus", function->before->address);
		return;
	case GIVEBACK_OVERRIDE_LOST:
		out_note("  %s is on %s; libvirt erased its driver override \"%s\"\n  hint: %s",
			 function->before->address, now, function->before->driver_override,
			 function->remedy);
		return;
	case GIVEBACK_ELSEWHERE:
		out_note("  %s was on %s and is now on %s\n  hint: %s", function->before->address,
			 before, now, function->remedy);
		return;
	}
}

void ended_print(const struct finish *finish)
{
	switch (finish->outcome) {
	case FINISH_STOPPED:
		out_line("VM \"%s\" has shut down.", finish->name);
		break;
	case FINISH_FORCED:
		out_line("VM \"%s\": its power was cut.", finish->name);
		break;
	case FINISH_WAS_OFF:
		out_line("VM \"%s\" is off already.", finish->name);
		break;
	case FINISH_DELETED:
		out_line("VM \"%s\" is deleted.", finish->name);
		break;
	}
	for (size_t i = 0; finish->giveback != NULL && i < finish->giveback->count; i++)
		print_function(&finish->giveback->functions[i]);
	for (size_t i = 0; i < finish->disk_count; i++)
		print_disk(&finish->disks[i]);
	given_back_print_lost(finish->quarantine);
	given_back_print(finish->aftermath);
}
