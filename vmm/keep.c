// SPDX-License-Identifier: MIT
#include "vmm/keep.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "topo/host.h"
#include "vmm/base/mem.h"
#include "vmm/base/root.h"
#include "vmm/base/text.h"
#include "vmm/hv.h"
#include "vmm/owner.h"
#include "vmm/quarantine.h"
#include "vmm/record_text.h"
#include "vmm/usage.h"

#define DRIVERS_TIMEOUT_MS 5000

/* What the verbs look at. */
struct scene {
	const struct keep_options *options;
	struct root *root;
	struct owner *owner;
	struct hv *hv;
	struct host *host;
	struct usage *usage;
	struct keep *keep;
};

static void scene_cleanup(struct scene *scene)
{
	keep_free(scene->keep);
	usage_free(scene->usage);
	host_free(scene->host);
	hv_close(scene->hv);
	owner_free(scene->owner);
	root_free(scene->root);
}

/* Records of GPUs that were taken out of the machine can still be ended. */
static bool has_record(const struct scene *scene, const char *address)
{
	for (int kind = 0; kind < RECORD_KINDS; kind++)
		if (record_find(scene->usage->records, (enum record_kind)kind, address) != NULL)
			return true;
	return false;
}

static int check_address(const char *typed, struct fail *fail)
{
	CLEANUP(text) char *shown = text_printable(typed, 80);
	char address[DEVICE_ADDRESS_BYTES];

	if (device_parse_address(typed, address))
		return 0;
	fail_add(fail, FAIL_USAGE, "%s: not a PCI address", shown);
	return fail_hint(fail, "gpuvm gpus lists the GPUs of this host");
}

static int add_gpu(struct scene *scene, const char *typed, struct fail *fail)
{
	struct keep *keep = scene->keep;
	CLEANUP(text) char *shown = text_printable(typed, 80);
	char address[DEVICE_ADDRESS_BYTES];
	const struct gpu *gpu;

	(void)device_parse_address(typed, address);
	gpu = gpu_find(scene->host->gpus, address);
	if (gpu != NULL)
		memcpy(address, gpu->device->address, sizeof address);
	else if (!has_record(scene, address)) {
		fail_add(fail, FAIL_USAGE, "%s: this host has no such GPU", shown);
		return fail_hint(fail, "gpuvm gpus lists the GPUs of this host");
	}
	for (size_t i = 0; i < keep->count; i++)
		if (text_equal(keep->gpus[i].address, address))
			return 0;
	memcpy(MEM_APPEND(keep->gpus, keep->count)->address, address, sizeof address);
	return 0;
}

static int open_scene(const struct keep_options *options, char *const *gpus, size_t count,
		      struct scene *scene, struct fail *fail)
{
	scene->options = options;
	scene->owner = owner_of_caller();
	scene->keep = mem_alloc(1, sizeof *scene->keep);
	for (size_t i = 0; i < count; i++)
		if (check_address(gpus[i], fail) < 0)
			return -1;
	if (root_open(NULL, &scene->root, fail) < 0 || record_check(scene->root, fail) < 0 ||
	    hv_open(options->uri == NULL ? HV_URI_DEFAULT : options->uri, HV_WRITE, &scene->hv,
		    fail) < 0 ||
	    host_read(scene->root, &scene->host, fail) < 0)
		return -1;
	held_take_over(scene->root, scene->hv, options->lease_directory, &scene->keep->taken_over);
	if (usage_read(scene->hv, scene->root, options->lease_directory, scene->host->machine, NULL,
		       &scene->usage, fail) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (add_gpu(scene, gpus[i], fail) < 0)
			return -1;
	return 0;
}

static const struct usage_vm *vm_of(const struct scene *scene, const char *uuid)
{
	for (size_t i = 0; i < scene->usage->vm_count; i++)
		if (uuid != NULL && text_equal(scene->usage->vms[i].domain->uuid, uuid))
			return &scene->usage->vms[i];
	return NULL;
}

/* The running VM that has the GPU, or NULL. */
static const struct usage_vm *runner_of(const struct scene *scene, const char *address)
{
	const struct gpu *gpu = gpu_find(scene->host->gpus, address);

	for (size_t i = 0; gpu != NULL && i < scene->usage->vm_count; i++) {
		const struct usage_vm *vm = &scene->usage->vms[i];
		struct place_taken_gpu taken[1] = { { .holder = vm->label } };

		for (size_t j = 0; vm->domain->is_active && j < vm->guest->hostdev_count; j++) {
			taken[0].address = vm->guest->hostdevs[j];
			if (place_gpu_taken(gpu, &(struct place_taken){ .gpus = taken,
									.gpu_count = 1 }) != NULL)
				return vm;
		}
	}
	return NULL;
}

static int check_owner(const struct scene *scene, const struct record *record, const char *verb,
		       struct fail *fail)
{
	CLEANUP(text) char *words = NULL;

	/* What cannot be believed is nobody's. */
	if (record->problem != NULL || record->uid == scene->owner->uid || scene->options->force)
		return 0;
	words = record_text_words(record);
	fail_add(fail, FAIL_REFUSED, "%s %s", record->address, words);
	fail_cause(fail, "you are %s", scene->owner->name);
	return fail_hint(fail, "ask %s, or insist: gpuvm %s --force %s",
			 record->user == NULL ? "its user" : record->user, verb, record->address);
}

static int check_hold(const struct scene *scene, const struct record *record, struct fail *fail)
{
	const struct usage_vm *vm = vm_of(scene, record->uuid);
	const struct lease_record *start = record->vm == NULL
						   ? NULL
						   : usage_start(scene->usage, record->vm);

	if (vm != NULL && vm->domain->is_active) {
		fail_add(fail, FAIL_BUSY, "%s cannot be released: VM \"%s\" is running",
			 record->address, record->vm);
		return fail_hint(fail, "%s   and when it is off: gpuvm release %s", vm->remedy,
				 record->address);
	}
	if (start != NULL) {
		fail_add(fail, FAIL_BUSY, "%s cannot be released: VM \"%s\" is being started",
			 record->address, record->vm);
		fail_cause(fail, "by %s (pid %d)", start->user == NULL ? "somebody" : start->user,
			   (int)start->pid);
		return fail_hint(fail, "gpuvm list");
	}
	return check_owner(scene, record, "release", fail);
}

static int check_release(const struct scene *scene, const char *address, struct fail *fail)
{
	const struct record *record = record_find(scene->usage->records, RECORD_HELD, address);

	return record == NULL ? 0 : check_hold(scene, record, fail);
}

static int release_one(const struct scene *scene, struct keep_gpu *gpu, struct fail *fail)
{
	const struct record *record = record_find(scene->usage->records, RECORD_HELD, gpu->address);

	gpu->outcome = record == NULL ? KEEP_WAS_NOT_HELD : KEEP_RELEASED;
	if (record == NULL)
		return 0;
	gpu->vm = mem_strdup(record->vm);
	return record_remove(scene->root, record, fail);
}

static int check_drain(const struct scene *scene, const char *address, struct fail *fail)
{
	const struct record *record = record_find(scene->usage->records, RECORD_DRAINED, address);

	return record == NULL ? 0 : check_owner(scene, record, "drain", fail);
}

static int drain_one(const struct scene *scene, struct keep_gpu *gpu, struct fail *fail)
{
	const struct usage_vm *vm = runner_of(scene, gpu->address);
	CLEANUP(text)
	char *reason = scene->options->reason == NULL
			       ? NULL
			       : text_printable(scene->options->reason, RECORD_TEXT_MOST_REASON);
	struct record record = { .kind = RECORD_DRAINED,
				 .user = scene->owner->name,
				 .uid = scene->owner->uid,
				 .since = time(NULL),
				 .reason = reason };

	memcpy(record.address, gpu->address, sizeof record.address);
	gpu->outcome = KEEP_DRAINED;
	gpu->vm = vm == NULL ? NULL : mem_strdup(vm->label);
	return record_write(scene->root, &record, fail);
}

/* Its owner is no matter: nobody wanted it. */
static int check_quarantine(const struct scene *scene, const struct record *record,
			    struct fail *fail)
{
	const struct usage_vm *vm = runner_of(scene, record->address);

	if (vm != NULL) {
		fail_add(fail, FAIL_BUSY, "%s stays in quarantine: %s has it", record->address,
			 vm->label);
		return fail_hint(fail, "%s   and when it is off: gpuvm undrain %s", vm->remedy,
				 record->address);
	}
	return quarantine_check(scene->root, record, scene->hv, DRIVERS_TIMEOUT_MS,
				scene->options->force, fail);
}

static int check_undrain(const struct scene *scene, const char *address, struct fail *fail)
{
	const struct record_list *records = scene->usage->records;
	const struct record *drained = record_find(records, RECORD_DRAINED, address);
	const struct record *quarantined = record_find(records, RECORD_QUARANTINED, address);

	if (drained != NULL && check_owner(scene, drained, "undrain", fail) < 0)
		return -1;
	return quarantined == NULL ? 0 : check_quarantine(scene, quarantined, fail);
}

static int undrain_one(const struct scene *scene, struct keep_gpu *gpu, struct fail *fail)
{
	const struct record_list *records = scene->usage->records;
	const struct record *drained = record_find(records, RECORD_DRAINED, gpu->address);
	const struct record *quarantined = record_find(records, RECORD_QUARANTINED, gpu->address);

	gpu->outcome = drained == NULL && quarantined == NULL ? KEEP_WAS_NOT_DRAINED
							      : KEEP_UNDRAINED;
	gpu->answered = quarantined != NULL;
	if (quarantined != NULL && record_remove(scene->root, quarantined, fail) < 0)
		return -1;
	return drained == NULL ? 0 : record_remove(scene->root, drained, fail);
}

struct verb {
	int (*check)(const struct scene *scene, const char *address, struct fail *fail);
	int (*change)(const struct scene *scene, struct keep_gpu *gpu, struct fail *fail);
};

/* All are checked before any is changed. */
static int run(const struct verb *verb, const struct keep_options *options, char *const *gpus,
	       size_t count, struct keep **ret_keep, struct fail *fail)
{
	__attribute__((cleanup(scene_cleanup))) struct scene scene = { 0 };

	if (open_scene(options, gpus, count, &scene, fail) < 0)
		return -1;
	for (size_t i = 0; i < scene.keep->count; i++)
		if (verb->check(&scene, scene.keep->gpus[i].address, fail) < 0)
			return -1;
	for (size_t i = 0; i < scene.keep->count; i++)
		if (verb->change(&scene, &scene.keep->gpus[i], fail) < 0)
			return -1;
	*ret_keep = STEAL(scene.keep);
	return 0;
}

int keep_release(const struct keep_options *options, char *const *gpus, size_t count,
		 struct keep **ret_keep, struct fail *fail)
{
	return run(&(struct verb){ check_release, release_one }, options, gpus, count, ret_keep,
		   fail);
}

int keep_drain(const struct keep_options *options, char *const *gpus, size_t count,
	       struct keep **ret_keep, struct fail *fail)
{
	return run(&(struct verb){ check_drain, drain_one }, options, gpus, count, ret_keep, fail);
}

int keep_undrain(const struct keep_options *options, char *const *gpus, size_t count,
		 struct keep **ret_keep, struct fail *fail)
{
	return run(&(struct verb){ check_undrain, undrain_one }, options, gpus, count, ret_keep,
		   fail);
}

void keep_free(struct keep *keep)
{
	if (keep == NULL)
		return;
	for (size_t i = 0; i < keep->count; i++)
		free(keep->gpus[i].vm);
	free(keep->gpus);
	held_lines_done(&keep->taken_over);
	free(keep);
}
