// SPDX-License-Identifier: MIT
#include "vmm/usage.h"

#include <stdlib.h>
#include <string.h>

#include "topo/holder.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/held.h"
#include "vmm/quarantine.h"
#include "vmm/record_text.h"
#include "vmm/snapshot.h"
#include "vmm/usage_memory.h"

static char *vm_label(const struct guest *guest)
{
	CLEANUP(text) char *name = text_printable(guest->name, 80);

	if (!guest->is_ours)
		return text_format("VM \"%s\" (not gpuvm's)", name);
	return text_format("VM \"%s\" of %s", name, guest->user);
}

static char *vm_remedy(const struct guest *guest, struct hv *hv)
{
	CLEANUP(text) char *uri = text_shell(hv == NULL ? HV_URI_DEFAULT : hv_uri(hv));
	CLEANUP(text) char *word = text_shell(guest->name);

	return guest->is_ours ? text_format("gpuvm stop %s", word)
			      : text_format("virsh -c %s shutdown -- %s", uri, word);
}

static char *start_label(const struct lease_record *start)
{
	CLEANUP(text) char *label = NULL;

	text_add(&label, "VM \"%s\"", start->name == NULL ? "?" : start->name);
	if (start->user != NULL)
		text_add(&label, " of %s", start->user);
	text_add(&label, ", starting");
	if (start->pid != 0)
		text_add(&label, " (pid %d)", (int)start->pid);
	return STEAL(label);
}

static void take_gpu(struct usage *usage, const char *address, const char *holder,
		     const char *remedy)
{
	*MEM_APPEND(usage->gpus, usage->gpu_count) =
		(struct place_taken_gpu){ .address = address, .holder = holder, .remedy = remedy };
}

static char *record_holder(const struct record *record)
{
	if (record->kind == RECORD_HELD && record->problem == NULL)
		return text_format("VM \"%s\" of %s, which is off", record->vm,
				   record->user == NULL ? "somebody" : record->user);
	if (record->kind == RECORD_DRAINED && record->user != NULL)
		return text_format("a drain by %s", record->user);
	return mem_strdup(record->kind == RECORD_HELD      ? "somebody's hold"
			  : record->kind == RECORD_DRAINED ? "a drain"
							   : "a quarantine");
}

static struct usage_record record_texts(const struct record *record)
{
	struct usage_record texts = { .holder = record_holder(record),
				      .state = record_text_words(record),
				      .remedy = record_text_remedy(record) };

	if (record->kind == RECORD_HELD && record->problem == NULL)
		text_add(&texts.state, ", which is off");
	return texts;
}

/* Behind the VMs: a VM that runs is the better answer to who has a GPU. */
static void take_records(struct usage *usage, const char *except)
{
	const struct usage_vm *own = except == NULL ? NULL : usage_vm(usage, except);

	usage->record_texts = mem_alloc(usage->records->count, sizeof *usage->record_texts);
	for (size_t i = 0; i < usage->records->count; i++) {
		const struct record *record = &usage->records->records[i];
		struct usage_record *texts = &usage->record_texts[i];

		*texts = record_texts(record);
		if (record->is_stale || (record->kind == RECORD_HELD && own != NULL &&
					 text_equal(record->uuid, own->domain->uuid)))
			continue;
		*MEM_APPEND(usage->gpus, usage->gpu_count) = (struct place_taken_gpu){
			.address = record->address,
			.holder = texts->holder,
			.state = texts->state,
			.word = record->kind == RECORD_HELD ? NULL : record_kind_name(record->kind),
			.remedy = texts->remedy
		};
	}
}

static void take_cpus(struct usage *usage, hwloc_const_bitmap_t cpus, const char *holder)
{
	*MEM_APPEND(usage->cpus, usage->cpus_count) = (struct place_taken_cpus){ .cpus = cpus,
										 .holder = holder };
}

static bool covers_machine(hwloc_const_bitmap_t cpus, const struct machine *machine)
{
	for (size_t i = 0; i < machine->cpu_count; i++)
		if (!hwloc_bitmap_isset(cpus, machine->cpus[i].os_index))
			return false;
	return true;
}

static void take_vm(struct usage *usage, const struct usage_vm *vm, const struct machine *machine)
{
	const struct guest *guest = vm->guest;

	for (size_t i = 0; i < guest->hostdev_count; i++)
		take_gpu(usage, guest->hostdevs[i], vm->label, vm->remedy);
	hwloc_bitmap_copy(vm->cpus, guest->vcpu_cpus);
	if (covers_machine(vm->cpus, machine))
		hwloc_bitmap_zero(vm->cpus);
	if (guest->keeps_cores)
		machine_widen_to_cores(machine, vm->cpus);
	if (!hwloc_bitmap_iszero(vm->cpus))
		take_cpus(usage, vm->cpus, vm->label);
}

/*
 * A start of gpuvm's own that is under way is in the lease records as well, with all of its memory.
 * libvirt is only asked where it matters: the answer can wait for a job of that domain.
 */
static void take_memory(struct usage *usage, const struct usage_vm *vm,
			const struct machine *machine, struct hv *hv)
{
	const struct lease_record *start = usage_start(usage, vm->domain->name);
	uint64_t resident = 0;

	if (start != NULL && text_equal(start->uuid, vm->domain->uuid))
		return;
	if (!vm->domain->is_starting && usage_memory_grows(vm->guest))
		resident = usage->resident_bytes == NULL ? hv_resident_bytes(hv, vm->domain->uuid)
							 : usage->resident_bytes[vm - usage->vms];
	usage_memory_add(vm->guest, vm->domain->is_starting, resident, machine, vm->label,
			 &usage->memory, &usage->memory_count);
}

static void take_start(struct usage *usage, const struct lease_record *start, const char *label)
{
	for (size_t i = 0; i < start->gpu_count; i++)
		take_gpu(usage, start->gpus[i], label, NULL);
	take_cpus(usage, start->cpus, label);
	for (size_t i = 0; i < start->memory_count; i++)
		*MEM_APPEND(usage->memory, usage->memory_count) =
			(struct place_taken_memory){ .node = start->memory[i].node,
						     .page_bytes = start->memory[i].page_bytes,
						     .bytes = start->memory[i].bytes,
						     .holder = label };
}

static int read_domains(struct usage *usage, struct hv *hv, const struct root *root,
			struct fail *fail)
{
	CLEANUP(snapshot_libvirt) struct snapshot_libvirt *recorded = NULL;

	if (root->live)
		return hv == NULL ? 0 : hv_domains_read(hv, &usage->domains, fail);
	if (snapshot_libvirt_read(root, &recorded, fail) < 0)
		return -1;
	if (recorded != NULL) {
		usage->domains = STEAL(recorded->domains);
		usage->resident_bytes = STEAL(recorded->resident_bytes);
	}
	return 0;
}

static int read_vms(struct usage *usage, struct hv *hv, struct fail *fail)
{
	for (size_t i = 0; usage->domains != NULL && i < usage->domains->count; i++) {
		struct usage_vm vm = { .domain = &usage->domains->domains[i] };

		if (guest_parse(vm.domain->xml, &vm.guest, fail) < 0)
			return -1;
		vm.label = vm_label(vm.guest);
		vm.remedy = vm_remedy(vm.guest, hv);
		vm.cpus = hwloc_bitmap_alloc();
		*MEM_APPEND(usage->vms, usage->vm_count) = vm;
	}
	return 0;
}

int usage_read(struct hv *hv, const struct root *root, const char *lease_directory,
	       const struct machine *machine, const char *except, struct usage **ret_usage,
	       struct fail *fail)
{
	CLEANUP(usage) struct usage *usage = mem_alloc(1, sizeof *usage);

	/* Each before the one that follows it in a VM's life: what ends in between is seen twice, never missed. */
	usage->records = record_scan(root);
	usage->starts = lease_scan(root->live ? lease_directory : "/nonexistent");
	usage->start_labels = mem_alloc(usage->starts->count, sizeof *usage->start_labels);
	for (size_t i = 0; i < usage->starts->count; i++) {
		usage->start_labels[i] = start_label(&usage->starts->records[i]);
		take_start(usage, &usage->starts->records[i], usage->start_labels[i]);
	}
	if (read_domains(usage, hv, root, fail) < 0 || read_vms(usage, hv, fail) < 0)
		return -1;
	held_judge(usage->records, usage->starts,
		   hv == NULL || hv_is_system(hv) ? usage->domains : NULL);
	for (size_t i = 0; i < usage->vm_count; i++)
		if (usage->vms[i].domain->is_active &&
		    !text_equal(usage->vms[i].domain->name, except)) {
			take_vm(usage, &usage->vms[i], machine);
			take_memory(usage, &usage->vms[i], machine, hv);
		}
	take_records(usage, except);
	*ret_usage = STEAL(usage);
	return 0;
}

void usage_free(struct usage *usage)
{
	if (usage == NULL)
		return;
	for (size_t i = 0; i < usage->vm_count; i++) {
		guest_free(usage->vms[i].guest);
		hwloc_bitmap_free(usage->vms[i].cpus);
		free(usage->vms[i].label);
		free(usage->vms[i].remedy);
	}
	for (size_t i = 0; usage->starts != NULL && i < usage->starts->count; i++)
		free(usage->start_labels[i]);
	for (size_t i = 0; usage->record_texts != NULL && i < usage->records->count; i++) {
		free(usage->record_texts[i].holder);
		free(usage->record_texts[i].state);
		free(usage->record_texts[i].remedy);
	}
	for (size_t i = 0; i < usage->silent_count; i++) {
		free(usage->silent[i].seen);
		free(usage->silent[i].state);
	}
	free(usage->silent);
	free(usage->record_texts);
	record_list_free(usage->records);
	free(usage->vms);
	free(usage->resident_bytes);
	free(usage->start_labels);
	holder_list_free(usage->users);
	free(usage->gpus);
	free(usage->cpus);
	free(usage->memory);
	lease_records_free(usage->starts);
	hv_domains_free(usage->domains);
	free(usage);
}

struct place_taken usage_taken(const struct usage *usage)
{
	return (struct place_taken){ .gpus = usage->gpus,
				     .gpu_count = usage->gpu_count,
				     .cpus = usage->cpus,
				     .cpus_count = usage->cpus_count,
				     .memory = usage->memory,
				     .memory_count = usage->memory_count };
}

struct place_taken usage_taken_by_vms(const struct usage *usage)
{
	struct place_taken taken = usage_taken(usage);

	taken.gpu_count -= usage->user_gpu_count;
	return taken;
}

static bool is_named(const struct host *host, const struct gpu *gpu,
		     const struct place_gpu_request *requests, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < requests[i].address_count; j++)
			if (gpu_find(host->gpus, requests[i].addresses[j]) == gpu)
				return true;
	return false;
}

static bool is_matched(const struct gpu *gpu, const struct place_gpu_request *requests,
		       size_t count)
{
	for (size_t i = 0; i < count && gpu->offer == GPU_OFFERED; i++)
		if (requests[i].address_count == 0 &&
		    gpu_matches(gpu, requests[i].match == NULL ? "any" : requests[i].match))
			return true;
	return false;
}

/* NULL if it answers. */
static const struct usage_silent *add_if_silent(struct usage *usage, const struct root *root,
						const struct gpu *gpu)
{
	char *seen = quarantine_silence(root, gpu->device->address);
	struct usage_silent *silent;

	if (seen == NULL)
		return NULL;
	silent = MEM_APPEND(usage->silent, usage->silent_count);
	*silent = (struct usage_silent){ .gpu = gpu,
					 .seen = seen,
					 .state = mem_strdup(seen + strlen(gpu->device->address) +
							     1) };
	return silent;
}

void usage_read_users(struct usage *usage, const struct root *root, const struct host *host,
		      const struct place_gpu_request *requests, size_t request_count)
{
	const struct place_taken taken = usage_taken(usage);
	const struct gpu **gpus = mem_alloc(host->gpus->count, sizeof *gpus);
	size_t count = 0;

	for (size_t i = 0; i < host->gpus->count; i++) {
		const struct gpu *gpu = &host->gpus->gpus[i];

		if (place_gpu_holder(gpu, &taken) == NULL &&
		    (is_named(host, gpu, requests, request_count) ||
		     is_matched(gpu, requests, request_count)))
			gpus[count++] = gpu;
	}
	usage->users = holder_list_read(root, gpus, count);
	for (size_t i = 0; i < count; i++) {
		const struct holder *holder = holder_of(usage->users, gpus[i]);
		const struct usage_silent *silent = add_if_silent(usage, root, gpus[i]);

		if ((holder == NULL && silent == NULL) ||
		    is_named(host, gpus[i], requests, request_count))
			continue;
		take_gpu(usage, gpus[i]->device->address, holder == NULL ? "nobody" : holder->who,
			 holder == NULL ? NULL : holder->remedy);
		if (silent != NULL)
			usage->gpus[usage->gpu_count - 1].state = silent->state;
		usage->user_gpu_count++;
	}
	free(gpus);
}

const struct usage_vm *usage_vm(const struct usage *usage, const char *name)
{
	for (size_t i = 0; i < usage->vm_count; i++)
		if (text_equal(usage->vms[i].domain->name, name))
			return &usage->vms[i];
	return NULL;
}

const struct lease_record *usage_start(const struct usage *usage, const char *name)
{
	for (size_t i = 0; i < usage->starts->count; i++)
		if (text_equal(usage->starts->records[i].name, name))
			return &usage->starts->records[i];
	return NULL;
}
