// SPDX-License-Identifier: MIT
#include "vmm/check.h"

#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/check_internal.h"

#define MOST_BYTES 300 /* of a text; host files are not trusted to be short */

struct finding *check_add(struct findings *findings, enum finding_state state, const char *subject,
			  const char *source, char *found, char *hint)
{
	struct finding *row = findings_add(findings, state, subject);

	row->source = mem_strdup(source);
	row->found = found == NULL ? NULL : text_printable(found, MOST_BYTES);
	row->hint = hint;
	free(found);
	return row;
}

void check_add_unread(struct findings *findings, const char *source)
{
	check_add(findings, FINDING_NOT_CHECKED, NULL, source,
		  text_format("%s cannot be read", source), NULL);
}

static struct finding *add_item(struct findings *findings, const char *subject, const char *source,
				const struct fail_item *item)
{
	CLEANUP(text) char *found = mem_strdup(item->what);
	CLEANUP(text) char *place = NULL;

	if (item->cause != NULL)
		text_add(&found, ": %s", item->cause);
	if (source == NULL && item->file != NULL)
		place = item->line == 0 ? mem_strdup(item->file)
					: text_format("%s:%u", item->file, item->line);
	return check_add(findings, FINDING_FAILED, subject, source == NULL ? place : source,
			 STEAL(found), mem_strdup(item->hint));
}

struct finding *check_add_fail(struct findings *findings, const char *subject, const char *source,
			       const struct fail *fail)
{
	struct finding *row = NULL;

	for (size_t i = 0; i < fail->item_count; i++)
		row = add_item(findings, subject, source, &fail->items[i]);
	return row;
}

const char *check_scope_name(enum check_scope scope)
{
	switch (scope) {
	case CHECK_HOST:
		return "host";
	case CHECK_GPU:
		return "gpu";
	case CHECK_VM:
		return "vm";
	}
	return "unknown";
}

static void run_row(const struct check *check, const struct check_about *row,
		    struct findings *findings)
{
	size_t first = findings->count;

	row->run(check, findings);
	for (size_t i = first; i < findings->count; i++) {
		findings->rows[i].check = row->id;
		findings->rows[i].scope = check_scope_name(row->scope);
		findings->rows[i].why = row->why;
	}
}

static bool is_wanted(const struct check *check, const struct check_about *row)
{
	if (check->subject->is_for_vm && row->run == check_gpus)
		return false;
	return !check->subject->only_stops || row->weight == CHECK_STOPS;
}

static void run_scope(const struct check *check, enum check_scope scope, struct findings *findings)
{
	for (const struct check_about *row = check_table(); row->id != NULL; row++)
		if (row->scope == scope && is_wanted(check, row))
			run_row(check, row, findings);
}

void check_one_gpu(const struct check *check, const struct gpu *gpu, struct findings *findings)
{
	struct check one = *check;

	one.gpu = gpu;
	run_scope(&one, CHECK_GPU, findings);
}

static void read_holders(struct check *check)
{
	const struct gpu **gpus;

	if (check->holders != NULL)
		return;
	gpus = mem_alloc(check->host->gpus->count, sizeof *gpus);
	for (size_t i = 0; i < check->host->gpus->count; i++)
		gpus[i] = &check->host->gpus->gpus[i];
	check->own_holders = holder_list_read(check->root, gpus, check->host->gpus->count);
	check->holders = check->own_holders;
	free(gpus);
}

/* What no finding needs that keeps a VM from starting. */
static void read_rest(struct check *check)
{
	check->cmdline = cmdline_read(check->root);
	check->iommu = iommu_read(check->root, check->cmdline);
	check->pcie = pcie_read(check->root, check->host->devices, check->host->gpus);
	check_versions(check);
}

static void done(struct check *check)
{
	holder_list_free(check->own_holders);
	pcie_free(check->pcie);
	iommu_free(check->iommu);
	cmdline_free(check->cmdline);
}

struct findings *check_run(const struct check_subject *subject, unsigned scopes,
			   const struct gpu *const *gpus, size_t gpu_count)
{
	struct findings *findings = findings_begin(subject->vm == NULL ? NULL
								       : subject->vm->spec->name);
	struct check check = { .subject = subject,
			       .root = subject->root,
			       .host = subject->host,
			       .vm = subject->vm,
			       .holders = subject->holders,
			       .gpus = gpus,
			       .gpu_count = gpu_count };

	read_holders(&check);
	if (!subject->only_stops)
		read_rest(&check);
	if ((scopes & CHECK_HOST) != 0)
		run_scope(&check, CHECK_HOST, findings);
	for (size_t i = 0; i < gpu_count && (scopes & CHECK_GPU) != 0; i++)
		check_one_gpu(&check, gpus[i], findings);
	if ((scopes & CHECK_VM) != 0 && subject->vm != NULL)
		run_scope(&check, CHECK_VM, findings);
	done(&check);
	return findings;
}

static bool is_among(const char *const *ids, const char *id)
{
	for (; ids != NULL && *ids != NULL; ids++)
		if (text_equal(*ids, id))
			return true;
	return false;
}

static void refuse(const struct finding *row, struct fail *fail)
{
	const struct check_about *about = check_find(row->check);

	fail_add(fail, FAIL_HOST, "%s%s%s", row->subject == NULL ? "" : row->subject,
		 row->subject == NULL ? "" : ": ", row->found);
	fail_cause(fail, "%s%s%s", about->why,
		   row->source == NULL ? "" : "; read: ", row->source == NULL ? "" : row->source);
	if (row->hint != NULL)
		fail_hint(fail, "%s", row->hint);
	fail_finding(fail, row->check);
}

int check_refuse(const struct findings *findings, const char *const *forced, struct fail *fail)
{
	size_t before = fail->item_count;

	for (size_t i = 0; i < findings->count; i++)
		if (findings->rows[i].state == FINDING_FAILED &&
		    !is_among(forced, findings->rows[i].check))
			refuse(&findings->rows[i], fail);
	return fail->item_count == before ? 0 : -1;
}

static int refuse_id(const char *id, struct fail *fail)
{
	const char *names[128];
	const char *nearest;
	size_t count = 0;

	for (const struct check_about *row = check_table(); row->id != NULL; row++)
		if (row->weight == CHECK_STOPS)
			names[count++] = row->id;
	names[count] = NULL;
	nearest = text_nearest(id, names);
	fail_add(fail, FAIL_USAGE, "--force=%s: there is no such finding", id);
	if (nearest != NULL)
		return fail_hint(fail, "did you mean --force=%s?", nearest);
	return fail_hint(fail, "gpuvm help check");
}

int check_forced(const char *const *forced, struct fail *fail)
{
	for (; forced != NULL && *forced != NULL; forced++) {
		const struct check_about *row = check_find(*forced);

		if (row == NULL)
			return refuse_id(*forced, fail);
		if (row->weight == CHECK_STOPS)
			continue;
		fail_add(fail, FAIL_USAGE, "--force=%s: %s", *forced,
			 row->weight == CHECK_WARNS
				 ? "it is a warning, which keeps no VM from starting"
				 : "a start could not go on without it");
		return fail_hint(fail, "gpuvm help check");
	}
	return 0;
}

const char *check_state_name(enum finding_state state)
{
	switch (state) {
	case FINDING_OK:
	case FINDING_NOTE:
		return "pass";
	case FINDING_WARNING:
		return "warn";
	case FINDING_FAILED:
		return "fail";
	case FINDING_NOT_CHECKED:
		return "not checked";
	}
	return "unknown";
}
