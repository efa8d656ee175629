// SPDX-License-Identifier: MIT
#include "vmm/cli/result.h"

#include <stdlib.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/cli/first_boot.h"
#include "vmm/cli/out.h"
#include "vmm/cli/shares.h"
#include "vmm/cli/result_disks.h"
#include "vmm/cli/result_window.h"

static json_t *functions_json(const struct gpu *gpu)
{
	json_t *functions = json_array();

	for (size_t i = 0; i < gpu->member_count; i++) {
		const struct gpu_member *member = &gpu->members[i];
		CLEANUP(text) char *title = device_title(member->device);

		if (member->role != GPU_MEMBER_FUNCTION && member->role != GPU_MEMBER_HELD)
			continue;
		json_array_append_new(functions, json_pack("{s:s, s:o, s:o, s:b}", "address",
							   member->device->address, "name",
							   out_text_or_null(title), "driver",
							   out_text_or_null(member->device->driver),
							   "seen_by_guest",
							   member->role == GPU_MEMBER_FUNCTION));
	}
	return functions;
}

static json_t *gpus_json(const struct launch *launch)
{
	json_t *gpus = json_array();

	for (size_t i = 0; i < launch->placement->gpu_count; i++) {
		const struct place_gpu *placed = &launch->placement->gpus[i];
		const struct device *device = placed->gpu->device;
		CLEANUP(text) char *title = device_title(device);
		CLEANUP(text)
		char *id = text_format("%04x:%04x", device->vendor_id, device->device_id);

		json_array_append_new(
			gpus,
			json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:b}", "address",
				  device->address, "name", out_text_or_null(title), "id", id,
				  "numa_node",
				  out_number_or_null(host_gpu_node(launch->host, placed->gpu)),
				  "iommu_group", out_number_or_null(device->iommu_group), "cell",
				  out_number_or_null(placed->cell), "functions",
				  functions_json(placed->gpu), "hold",
				  launch->spec->gpus[placed->request].hold));
	}
	return gpus;
}

static json_t *cells_json(const struct placement *placement)
{
	json_t *cells = json_array();

	for (size_t i = 0; i < placement->cell_count; i++) {
		const struct place_cell *cell = &placement->cells[i];

		json_array_append_new(
			cells,
			json_pack("{s:i, s:i, s:I, s:I, s:i}", "cell", (int)i, "host_node",
				  (int)cell->host_node, "memory_bytes",
				  (json_int_t)cell->memory_bytes, "page_bytes",
				  (json_int_t)(cell->page_bytes == 0 ? 4096 : cell->page_bytes),
				  "vcpus", (int)cell->vcpu_count));
	}
	return cells;
}

static json_t *vcpus_json(const struct placement *placement)
{
	json_t *vcpus = json_array();

	for (size_t i = 0; i < placement->vcpu_count; i++)
		json_array_append_new(vcpus, json_pack("{s:i, s:i, s:i}", "vcpu", (int)i, "cpu",
						       (int)placement->vcpus[i].cpu, "cell",
						       (int)placement->vcpus[i].cell));
	return vcpus;
}

static json_t *numbers_json(hwloc_const_bitmap_t bitmap)
{
	json_t *numbers = json_array();

	for (int i = hwloc_bitmap_first(bitmap); i >= 0; i = hwloc_bitmap_next(bitmap, i))
		json_array_append_new(numbers, json_integer(i));
	return numbers;
}

static json_t *firmware_json(const struct launch *launch)
{
	const struct descriptor *firmware = launch->firmware;
	const struct spec *spec = launch->spec;

	return json_pack(
		"{s:s, s:o, s:o, s:b}", "type", "uefi", "executable",
		out_text_or_null(firmware == NULL ? spec->firmware_code : firmware->executable),
		"nvram_template",
		out_text_or_null(firmware == NULL ? spec->firmware_vars : firmware->nvram_template),
		"secure_boot", spec->secure_boot);
}

static json_t *reasons_json(const struct placement *placement)
{
	json_t *reasons = json_array();

	for (size_t i = 0; i < placement->reason_count; i++) {
		const struct place_reason *reason = &placement->reasons[i];

		json_array_append_new(reasons,
				      json_pack("{s:s, s:s, s:o}", "choice", reason->choice, "why",
						reason->why, "rejected",
						out_text_or_null(reason->rejected)));
	}
	return reasons;
}

static json_t *refusals_json(const struct launch *launch)
{
	json_t *refusals = json_array();

	for (size_t i = 0; i < launch->refusal_count; i++) {
		json_t *items = out_fail_json(&launch->refusals[i]);

		json_array_extend(refusals, items);
		json_decref(items);
	}
	return refusals;
}

json_t *result_plan(const struct launch *launch)
{
	const struct placement *placement = launch->placement;

	return json_pack(
		"{s:s, s:o, s:i, s:I, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"name", launch->spec->name, "spec", out_text_or_null(launch->spec->file),
		"vcpu_count", (int)launch->spec->vcpus, "memory_bytes",
		(json_int_t)launch->spec->memory_bytes, "gpus", gpus_json(launch), "cells",
		cells_json(placement), "vcpus", vcpus_json(placement), "threads_per_core",
		(int)placement->topology.threads, "emulator_cpus",
		numbers_json(placement->emulator_cpus), "firmware", firmware_json(launch), "window",
		result_window_json(launch), "disks", result_disks_json(launch), "shares",
		shares_json(launch->spec), "cloud_init", first_boot_json(launch), "reasons",
		reasons_json(placement), "refusals", refusals_json(launch), "unknown",
		out_text_or_null(launch->libvirt_unknown), "not_checked",
		out_number_or_null(launch->usage->users == NULL ? -1
								: (long long)launch->not_checked));
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "-" : text;
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* The driver that the host has the GPU itself on. */
static const char *driver_of(const json_t *gpu)
{
	size_t i;
	const json_t *function;

	json_array_foreach(json_object_get(gpu, "functions"), i, function)
	{
		if (text_equal(text_of(function, "address"), text_of(gpu, "address")))
			return json_string_value(json_object_get(function, "driver"));
	}
	return NULL;
}

/* Whether the host loses @function to the VM. */
static bool is_taken(const json_t *function)
{
	const char *driver = json_string_value(json_object_get(function, "driver"));

	return driver != NULL && !text_starts(driver, "vfio");
}

/* Whether a GPU before the one at @at has shown what its IOMMU group holds. */
static bool is_group_shown(const json_t *gpus, size_t at)
{
	long long group = number_of(json_array_get(gpus, at), "iommu_group");

	for (size_t i = 0; i < at; i++)
		if (number_of(json_array_get(gpus, i), "iommu_group") == group)
			return true;
	return false;
}

static void print_gpus(const json_t *plan)
{
	size_t i, j;
	const json_t *gpu, *function;

	json_array_foreach(json_object_get(plan, "gpus"), i, gpu)
	{
		bool is_held = json_is_true(json_object_get(gpu, "hold"));
		CLEANUP(text) char *node = out_cell(gpu, "numa_node");
		const char *driver = driver_of(gpu);

		out_line("%-8s %s  %s [%s], node %s, IOMMU group %lld, %s%s%s", i == 0 ? "GPU" : "",
			 text_of(gpu, "address"), text_of(gpu, "name"), text_of(gpu, "id"), node,
			 number_of(gpu, "iommu_group"), driver == NULL ? "no driver" : "driver ",
			 driver == NULL ? "" : driver, is_held ? ", held while the VM is off" : "");
		json_array_foreach(json_object_get(gpu, "functions"), j, function)
		{
			bool seen = json_is_true(json_object_get(function, "seen_by_guest"));

			if (!seen && is_group_shown(json_object_get(plan, "gpus"), i))
				continue;
			if (!text_equal(text_of(function, "address"), text_of(gpu, "address")))
				out_line("%-8s %s  %s (%s%s)", "", text_of(function, "address"),
					 text_of(function, "name"),
					 seen ? "comes along" : "held, unseen by the guest",
					 is_taken(function) && !seen ? ", taken from its driver"
								     : "");
		}
	}
}

/* "0-3 on CPUs 4,68,5,69": pairs in order, so that siblings can be told. */
static void print_vcpus(const json_t *plan, size_t cell)
{
	CLEANUP(text) char *cpus = NULL;
	long long first = -1;
	long long last = -1;
	size_t i;
	const json_t *vcpu;

	json_array_foreach(json_object_get(plan, "vcpus"), i, vcpu)
	{
		CLEANUP(text) char *cpu = NULL;

		if (number_of(vcpu, "cell") != (long long)cell)
			continue;
		cpu = out_cell(vcpu, "cpu");
		text_join(&cpus, ",", cpu);
		last = number_of(vcpu, "vcpu");
		first = first < 0 ? last : first;
	}
	out_line("%-8s   vCPUs %lld-%lld pinned one to one on CPUs %s", "", first, last,
		 cpus == NULL ? "-" : cpus);
}

static void print_cells(const json_t *plan)
{
	size_t i;
	const json_t *cell;

	json_array_foreach(json_object_get(plan, "cells"), i, cell)
	{
		CLEANUP(text) char *memory = size_format((uint64_t)number_of(cell, "memory_bytes"));
		CLEANUP(text) char *page = size_format((uint64_t)number_of(cell, "page_bytes"));

		out_line("%-8s guest cell %zu on host node %lld: %s in %s pages",
			 i == 0 ? "NUMA" : "", i, number_of(cell, "host_node"), memory, page);
		print_vcpus(plan, i);
	}
}

static void print_host_cpus(const json_t *plan)
{
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();
	size_t i;
	const json_t *cpu;
	char *text = NULL;

	json_array_foreach(json_object_get(plan, "emulator_cpus"), i, cpu)
		hwloc_bitmap_set(cpus, (unsigned)json_integer_value(cpu));
	hwloc_bitmap_list_asprintf(&text, cpus);
	out_line("%-8s CPUs %s run QEMU's own threads, shared with the host", "Host", text);
	free(text);
	hwloc_bitmap_free(cpus);
}

void result_note_not_checked(const struct launch *launch)
{
	size_t count = launch->not_checked;

	if (count > 0)
		out_note("Not checked for holders of a GPU: %zu process%s that only root can see",
			 count, count == 1 ? "" : "es");
}

void result_print(const json_t *plan)
{
	const json_t *firmware = json_object_get(plan, "firmware");
	CLEANUP(text) char *memory = size_format((uint64_t)number_of(plan, "memory_bytes"));
	CLEANUP(text)
	char *title = text_format("VM \"%s\": %lld vCPUs, %s, %zu GPU%s", text_of(plan, "name"),
				  number_of(plan, "vcpu_count"), memory,
				  json_array_size(json_object_get(plan, "gpus")),
				  json_array_size(json_object_get(plan, "gpus")) == 1 ? "" : "s");
	size_t i;
	const json_t *reason;

	out_heading(title);
	print_gpus(plan);
	print_cells(plan);
	print_host_cpus(plan);
	out_line("%-8s %s, Secure Boot %s", "UEFI", text_of(firmware, "executable"),
		 json_is_true(json_object_get(firmware, "secure_boot")) ? "on" : "off");
	result_window_print(json_object_get(plan, "window"));
	result_disks_print(plan);
	shares_print(json_object_get(plan, "shares"));
	first_boot_print(json_object_get(plan, "cloud_init"));
	out_line("%s", "");
	out_heading("Why");
	json_array_foreach(json_object_get(plan, "reasons"), i, reason)
	{
		const char *rejected = json_string_value(json_object_get(reason, "rejected"));

		out_line("  - %s", text_of(reason, "why"));
		if (rejected != NULL)
			out_line("      rejected: %s", rejected);
	}
	if (json_is_string(json_object_get(plan, "unknown")))
		out_note("Not known what other VMs have: %s", text_of(plan, "unknown"));
}
