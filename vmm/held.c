// SPDX-License-Identifier: MIT
#include "vmm/held.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

static bool is_defined(const struct hv_domains *domains, const char *uuid)
{
	for (size_t i = 0; i < domains->count; i++)
		if (text_equal(domains->domains[i].uuid, uuid))
			return true;
	return false;
}

/* A claim without a readable UUID may be the hold's own. */
static bool is_starting(const struct lease_records *starts, const struct record *record)
{
	for (size_t i = 0; i < starts->count; i++) {
		if (text_equal(starts->records[i].uuid, record->uuid))
			return true;
		for (size_t j = 0;
		     starts->records[i].uuid == NULL && j < starts->records[i].gpu_count; j++)
			if (text_equal(starts->records[i].gpus[j], record->address))
				return true;
	}
	return false;
}

void held_judge(struct record_list *records, const struct lease_records *starts,
		const struct hv_domains *domains)
{
	for (size_t i = 0; i < records->count; i++) {
		struct record *record = &records->records[i];

		if (record->kind != RECORD_HELD)
			continue;
		if (record->problem != NULL)
			record->is_stale = record->is_damaged;
		else if (domains != NULL)
			record->is_stale = !is_defined(domains, record->uuid) &&
					   !is_starting(starts, record);
	}
}

void held_lines_done(struct held_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->lines[i]);
	free(lines->lines);
	*lines = (struct held_lines){ 0 };
}

static bool has_hold(const struct record_list *records)
{
	return records->count > 0 && records->records[0].kind == RECORD_HELD;
}

static char *line_of(const struct record *record)
{
	if (record->problem != NULL)
		return text_format("%s is free again: its hold was damaged (%s)", record->address,
				   record->problem);
	return text_format("%s is free again: VM \"%s\", which it was held for, is gone",
			   record->address, record->vm);
}

static void end_stale(const struct root *root, const struct record_list *records,
		      struct held_lines *lines)
{
	for (size_t i = 0; i < records->count; i++) {
		CLEANUP(fail) struct fail ignored = { 0 };

		if (records->records[i].is_stale &&
		    record_remove(root, &records->records[i], &ignored) == 0)
			*MEM_APPEND(lines->lines, lines->count) = line_of(&records->records[i]);
	}
}

void held_take_over(const struct root *root, struct hv *hv, const char *lease_directory,
		    struct held_lines *lines)
{
	CLEANUP(record_list) struct record_list *records = NULL;
	CLEANUP(lease_records) struct lease_records *starts = NULL;
	CLEANUP(hv_domains) struct hv_domains *domains = NULL;
	CLEANUP(fail) struct fail ignored = { 0 };
	size_t unfinished;

	if (!root->live || hv == NULL || !hv_is_system(hv))
		return;
	unfinished = record_sweep(root);
	if (unfinished > 0)
		*MEM_APPEND(lines->lines, lines->count) = text_format(
			"%zu unfinished record%s of a gpuvm that was killed %s removed", unfinished,
			unfinished == 1 ? "" : "s", unfinished == 1 ? "is" : "are");
	records = record_scan(root);
	if (!has_hold(records))
		return;
	starts = lease_scan(lease_directory);
	if (hv_domains_read(hv, &domains, &ignored) < 0)
		return;
	held_judge(records, starts, domains);
	end_stale(root, records, lines);
}

/* The first @count GPUs held for @uuid by the section @request, or NULL if there are fewer that it would take.
 * The texts are borrowed. */
static const char **kept_for(const struct place_gpu_request *request,
			     const struct record_list *records, const char *uuid,
			     const struct gpu_list *gpus)
{
	const char **kept = mem_alloc(request->count, sizeof *kept);
	unsigned count = 0;

	for (size_t i = 0; i < records->count && count < request->count; i++) {
		const struct record *record = &records->records[i];
		const struct gpu *gpu = gpu_find(gpus, record->address);

		if (record->kind == RECORD_HELD && record->problem == NULL && gpu != NULL &&
		    gpu->offer == GPU_OFFERED && text_equal(record->uuid, uuid) &&
		    text_equal(record->section, request->label) &&
		    text_equal(gpu->device->address, record->address))
			kept[count++] = record->address;
	}
	if (count == request->count)
		return kept;
	free(kept);
	return NULL;
}

int held_place(const struct place_request *request, const struct record_list *records,
	       const char *uuid, const struct host *host, const struct place_taken *taken,
	       struct placement **ret_placement, struct fail *fail)
{
	struct place_request wished = *request;
	struct place_gpu_request *gpus = mem_alloc(request->gpu_count, sizeof *gpus);
	const char ***kept = mem_alloc(request->gpu_count, sizeof *kept);
	CLEANUP(fail) struct fail unsatisfied = { 0 };
	bool any = false;
	int result = -1;

	for (size_t i = 0; i < request->gpu_count; i++) {
		gpus[i] = request->gpus[i];
		if (uuid != NULL && gpus[i].address_count == 0)
			kept[i] = kept_for(&gpus[i], records, uuid, host->gpus);
		if (kept[i] == NULL)
			continue;
		gpus[i].addresses = kept[i];
		gpus[i].address_count = gpus[i].count;
		gpus[i].are_held = any = true;
	}
	wished.gpus = gpus;
	if (any)
		result = place(&wished, host, taken, ret_placement, &unsatisfied);
	for (size_t i = 0; i < request->gpu_count; i++)
		free(kept[i]);
	free(kept);
	free(gpus);
	return result == 0 ? 0 : place(request, host, taken, ret_placement, fail);
}

static bool is_wanted(const struct held_start *start, const char *address)
{
	for (size_t i = 0; i < start->placement->gpu_count; i++) {
		const struct place_gpu *placed = &start->placement->gpus[i];

		if (start->spec->gpus[placed->request].hold &&
		    text_equal(placed->gpu->device->address, address))
			return true;
	}
	return false;
}

static int write_hold(const struct held_start *start, const struct place_gpu *placed,
		      struct fail *fail)
{
	struct record record = { .kind = RECORD_HELD,
				 .vm = start->spec->name,
				 .uuid = (char *)start->uuid,
				 .section = start->spec->gpus[placed->request].label,
				 .user = (char *)start->user,
				 .uid = start->uid,
				 .since = time(NULL) };

	memcpy(record.address, placed->gpu->device->address, sizeof record.address);
	return record_write(start->root, &record, fail);
}

int held_begin(const struct held_start *start, struct fail *fail)
{
	for (size_t i = 0; i < start->placement->gpu_count; i++) {
		const struct place_gpu *placed = &start->placement->gpus[i];

		if (!start->spec->gpus[placed->request].hold ||
		    write_hold(start, placed, fail) == 0)
			continue;
		held_take_back(start);
		return -1;
	}
	return 0;
}

static void end_hold(const struct held_start *start, const char *address)
{
	CLEANUP(record_list) struct record_list *records = record_scan(start->root);
	const struct record *record = record_find(records, RECORD_HELD, address);
	CLEANUP(fail) struct fail ignored = { 0 };

	if (record != NULL && text_equal(record->uuid, start->uuid))
		(void)record_remove(start->root, record, &ignored);
}

void held_take_back(const struct held_start *start)
{
	for (size_t i = 0; i < start->placement->gpu_count; i++) {
		const char *address = start->placement->gpus[i].gpu->device->address;
		const struct record *before = record_find(start->records, RECORD_HELD, address);
		CLEANUP(fail) struct fail ignored = { 0 };

		if (!is_wanted(start, address))
			continue;
		if (before != NULL && before->problem == NULL && !before->is_stale)
			(void)record_write(start->root, before, &ignored);
		else
			end_hold(start, address);
	}
}

void held_settle(const struct held_start *start)
{
	for (size_t i = 0; i < start->records->count; i++) {
		const struct record *record = &start->records->records[i];

		if (record->kind == RECORD_HELD && text_equal(record->uuid, start->uuid) &&
		    !is_wanted(start, record->address))
			end_hold(start, record->address);
	}
}

void held_drop(const struct root *root, const char *uuid)
{
	CLEANUP(record_list) struct record_list *records = record_scan(root);

	for (size_t i = 0; i < records->count; i++) {
		CLEANUP(fail) struct fail ignored = { 0 };

		if (records->records[i].kind == RECORD_HELD &&
		    text_equal(records->records[i].uuid, uuid))
			(void)record_remove(root, &records->records[i], &ignored);
	}
}
