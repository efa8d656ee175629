// SPDX-License-Identifier: MIT
#include "vmm/quarantine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define FUNCTION "/sys/bus/pci/devices/%s"

char *quarantine_silence(const struct root *root, const char *address)
{
	size_t length = 0;
	CLEANUP(text) char *config = NULL;

	if (!root_exists(root, FUNCTION, address))
		return text_format("%s is gone from the PCI bus", address);
	if (root_exists(root, FUNCTION "/physfn", address))
		return NULL;
	config = root_bytes(root, &length, FUNCTION "/config", address);
	if (config == NULL || length < 2 || (unsigned char)config[0] != 0xff ||
	    (unsigned char)config[1] != 0xff)
		return NULL;
	return text_format("%s does not answer: its configuration space reads as all ones",
			   address);
}

/* What is wrong with a function, or NULL. The caller frees. */
static char *fault_of(const struct root *root, const struct giveback_function *function)
{
	char *silence = quarantine_silence(root, function->before->address);

	if (silence != NULL || function->state != GIVEBACK_ELSEWHERE ||
	    function->driver_now != NULL)
		return silence;
	return text_format("no driver takes %s back, which was on %s", function->before->address,
			   function->before->driver);
}

static bool is_known(const struct quarantine *quarantine, const char *address)
{
	for (size_t i = 0; i < quarantine->count; i++)
		if (text_equal(quarantine->gpus[i].address, address))
			return true;
	return false;
}

static void write_record(const struct root *root, const struct owner *owner, struct record *record,
			 struct quarantine_gpu *gpu)
{
	record->kind = RECORD_QUARANTINED;
	record->user = owner->name;
	record->uid = owner->uid;
	record->since = time(NULL);
	record->reason = gpu->seen;
	memcpy(record->address, gpu->address, sizeof record->address);
	gpu->is_recorded = record_write(root, record, &gpu->fail) == 0;
	free(record->functions);
}

static void add_function(struct record *record, const char *address, char *driver)
{
	struct record_function *function = MEM_APPEND(record->functions, record->function_count);

	snprintf(function->address, sizeof function->address, "%s", address);
	function->driver = driver;
}

static void record_of_vm(const struct root *root, const struct guest *guest,
			 const struct owner *owner, struct quarantine_gpu *gpu)
{
	CLEANUP(text) char *vm = text_printable(guest->name, 80);
	struct record record = { .vm = vm, .uuid = guest->uuid };

	for (size_t i = 0; i < guest->function_count; i++)
		if (text_equal(guest->functions[i].gpu, gpu->address))
			add_function(&record, guest->functions[i].address,
				     guest->functions[i].driver);
	write_record(root, owner, &record, gpu);
}

struct quarantine *quarantine_look(const struct root *root, const struct giveback *giveback)
{
	struct quarantine *quarantine = mem_alloc(1, sizeof *quarantine);

	for (size_t i = 0; i < giveback->count; i++) {
		const struct giveback_function *function = &giveback->functions[i];
		CLEANUP(text) char *fault = fault_of(root, function);
		struct quarantine_gpu *gpu;

		if (fault == NULL || function->before->gpu[0] == '\0' ||
		    is_known(quarantine, function->before->gpu))
			continue;
		gpu = MEM_APPEND(quarantine->gpus, quarantine->count);
		memcpy(gpu->address, function->before->gpu, sizeof gpu->address);
		gpu->seen = STEAL(fault);
	}
	return quarantine;
}

struct quarantine *quarantine_lost(const struct root *root, const struct guest *guest,
				   const struct giveback *giveback, const struct owner *owner)
{
	struct quarantine *quarantine = quarantine_look(root, giveback);

	for (size_t i = 0; i < quarantine->count; i++)
		record_of_vm(root, guest, owner, &quarantine->gpus[i]);
	return quarantine;
}

void quarantine_add(struct quarantine *quarantine, const struct root *root, const struct gpu *gpu,
		    const char *seen, const struct owner *owner)
{
	struct quarantine_gpu *added = MEM_APPEND(quarantine->gpus, quarantine->count);
	struct record record = { 0 };

	memcpy(added->address, gpu->device->address, sizeof added->address);
	added->seen = mem_strdup(seen);
	for (size_t i = 0; i < gpu->member_count; i++)
		if (gpu->members[i].role == GPU_MEMBER_FUNCTION)
			add_function(&record, gpu->members[i].device->address,
				     gpu->members[i].device->driver);
	write_record(root, owner, &record, added);
}

void quarantine_free(struct quarantine *quarantine)
{
	if (quarantine == NULL)
		return;
	for (size_t i = 0; i < quarantine->count; i++) {
		free(quarantine->gpus[i].seen);
		fail_done(&quarantine->gpus[i].fail);
	}
	free(quarantine->gpus);
	free(quarantine);
}

static int check_answer(const struct root *root, const char *address, const struct record *record,
			struct fail *fail)
{
	CLEANUP(text) char *silence = quarantine_silence(root, address);

	if (silence == NULL)
		return 0;
	fail_add(fail, FAIL_HOST, "%s stays in quarantine", record->address);
	fail_cause(fail, "%s", silence);
	return fail_hint(fail,
			 "only a power cycle of the machine resets such a card; after it: "
			 "gpuvm undrain %s",
			 record->address);
}

static int check_driver(const struct giveback_function *function, const struct record *record,
			struct fail *fail)
{
	if (function->state != GIVEBACK_ELSEWHERE)
		return 0;
	fail_add(fail, FAIL_HOST, "%s stays in quarantine", record->address);
	fail_cause(fail, "%s was on %s before, and is on %s", function->before->address,
		   function->before->driver == NULL ? "no driver" : function->before->driver,
		   function->driver_now == NULL ? "no driver" : function->driver_now);
	return fail_hint(fail,
			 "%s; gpuvm undrain %s   or take it as it is: gpuvm undrain --force %s",
			 function->remedy, record->address, record->address);
}

/* The part of a guest that giveback.h looks at, from the record. */
static void guest_of(const struct record *record, struct guest *ret_guest)
{
	for (size_t i = 0; i < record->function_count; i++) {
		struct guest_function *function = MEM_APPEND(ret_guest->functions,
							     ret_guest->function_count);

		memcpy(function->address, record->functions[i].address, sizeof function->address);
		function->driver = record->functions[i].driver;
		memcpy(MEM_APPEND(ret_guest->hostdevs, ret_guest->hostdev_count), function->address,
		       sizeof function->address);
	}
}

static int check_drivers(const struct root *root, const struct record *record, struct hv *hv,
			 unsigned timeout_ms, struct fail *fail)
{
	struct guest guest = { 0 };
	CLEANUP(giveback) struct giveback *giveback = NULL;
	int result = 0;

	guest_of(record, &guest);
	giveback = giveback_check(&guest, root,
				  &(struct giveback_means){ .hv = hv, .timeout_ms = timeout_ms });
	for (size_t i = 0; i < giveback->count && result == 0; i++)
		result = check_driver(&giveback->functions[i], record, fail);
	free(guest.functions);
	free(guest.hostdevs);
	return result;
}

int quarantine_check(const struct root *root, const struct record *record, struct hv *hv,
		     unsigned timeout_ms, bool force, struct fail *fail)
{
	if (check_answer(root, record->address, record, fail) < 0)
		return -1;
	for (size_t i = 0; i < record->function_count; i++)
		if (check_answer(root, record->functions[i].address, record, fail) < 0)
			return -1;
	return force ? 0 : check_drivers(root, record, hv, timeout_ms, fail);
}
