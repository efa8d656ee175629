// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/held.h"
#include "vmm/launch_internal.h"

static bool wants_p2p(const struct spec *spec)
{
	for (size_t i = 0; i < spec->gpu_count; i++)
		if (spec->gpus[i].p2p == SPEC_P2P_AUTO)
			return true;
	return false;
}

static unsigned line_of(const struct spec_gpu *gpu, unsigned key_line)
{
	return key_line == 0 ? gpu->line : key_line;
}

struct place_gpu_request *launch_request_gpus(const struct spec *spec)
{
	struct place_gpu_request *gpus = mem_alloc(spec->gpu_count, sizeof *gpus);

	for (size_t i = 0; i < spec->gpu_count; i++)
		gpus[i] = (struct place_gpu_request){
			.count = spec->gpus[i].count,
			.match = spec->gpus[i].match,
			.addresses = (const char *const *)spec->gpus[i].addresses,
			.address_count = spec->gpus[i].address_count,
			.allow_boot_vga = spec->gpus[i].allow_boot_vga,
			.file = spec->file,
			.line = spec->gpus[i].line,
			.count_line = line_of(&spec->gpus[i], spec->gpus[i].count_line),
			.match_line = line_of(&spec->gpus[i], spec->gpus[i].match_line),
			.address_line = line_of(&spec->gpus[i], spec->gpus[i].address_line),
			.label = spec->gpus[i].label
		};
	return gpus;
}

struct place_request launch_request_place(const struct spec *spec, const struct policy *policy,
					  const struct place_gpu_request *gpus)
{
	return (struct place_request){ .vcpus = spec->vcpus,
				       .memory_bytes = spec->memory_bytes,
				       .policy = spec->policy,
				       .hugepages = spec->hugepages,
				       .gpus = gpus,
				       .gpu_count = spec->gpu_count,
				       .threads = spec->threads,
				       .pin = spec->pin,
				       .emulator = spec->emulator,
				       .p2p = wants_p2p(spec),
				       .rules = &policy->rules,
				       .file = spec->file,
				       .threads_line = spec->threads_line,
				       .pin_line = spec->pin_line,
				       .emulator_line = spec->emulator_line,
				       .vcpus_line = spec->vcpus_line,
				       .memory_line = spec->memory_line,
				       .policy_line = spec->policy_line,
				       .hugepages_line = spec->hugepages_line };
}

int launch_request_claim(struct launch *launch, struct fail *fail)
{
	const struct placement *placement = launch->placement;
	struct lease_record record = { .name = launch->spec->name,
				       .uuid = launch->uuid,
				       .user = launch->owner->name,
				       .pid = getpid(),
				       .cpus = hwloc_bitmap_alloc() };
	int result;

	for (size_t i = 0; i < placement->gpu_count; i++)
		memcpy(MEM_APPEND(record.gpus, record.gpu_count),
		       placement->gpus[i].gpu->device->address, DEVICE_ADDRESS_BYTES);
	for (size_t i = 0; i < placement->vcpu_count; i++)
		hwloc_bitmap_set(record.cpus, placement->vcpus[i].cpu);
	if (launch->spec->threads == PLACE_WHOLE_CORES)
		machine_widen_to_cores(launch->host->machine, record.cpus);
	for (size_t i = 0; i < placement->cell_count; i++)
		*MEM_APPEND(record.memory, record.memory_count) =
			(struct lease_memory){ .node = placement->cells[i].host_node,
					       .page_bytes = placement->cells[i].page_bytes,
					       .bytes = placement->cells[i].memory_bytes };
	result = lease_take(launch->gate, &record, &launch->claim, fail);
	hwloc_bitmap_free(record.cpus);
	free(record.gpus);
	free(record.memory);
	return result;
}

/* A VM that runs has its GPUs itself, and will not be started. */
static bool is_running(const struct launch *launch)
{
	const struct usage_vm *vm = usage_vm(launch->usage, launch->spec->name);

	return vm != NULL && vm->domain->is_active;
}

/* A plan changes nothing. */
static void quarantine_silent(struct launch *launch)
{
	if (launch->gate == NULL)
		return;
	launch->silent = mem_alloc(1, sizeof *launch->silent);
	for (size_t i = 0; i < launch->usage->silent_count; i++)
		quarantine_add(launch->silent, launch->root, launch->usage->silent[i].gpu,
			       launch->usage->silent[i].seen, launch->owner);
}

int launch_request_settle(struct launch *launch, const struct place_request *request,
			  struct fail *fail)
{
	CLEANUP(fail) struct fail without = { 0 };
	struct place_taken taken;

	if (launch->root->live && !is_running(launch)) {
		usage_read_users(launch->usage, launch->root, launch->host, request->gpus,
				 request->gpu_count);
		quarantine_silent(launch);
	}
	taken = usage_taken(launch->usage);
	if (held_place(request, launch->usage->records, launch->uuid, launch->host, &taken,
		       &launch->placement, &without) == 0)
		return 0;
	taken = usage_taken_by_vms(launch->usage);
	if (without.kind == FAIL_BUSY && launch->usage->user_gpu_count > 0)
		return held_place(request, launch->usage->records, launch->uuid, launch->host,
				  &taken, &launch->placement, fail);
	*fail = without;
	without = (struct fail){ 0 };
	return -1;
}
