// SPDX-License-Identifier: MIT
#include "vmm/cli/vm.h"

#include <stdlib.h>

#include "vmm/address.h"
#include "vmm/base/text.h"
#include "vmm/cli/out.h"
#include "vmm/pending.h"
#include "vmm/record_text.h"

static bool has(const struct guest *guest, const char *address)
{
	for (size_t i = 0; i < guest->hostdev_count; i++)
		if (text_equal(guest->hostdevs[i], address))
			return true;
	return false;
}

static void note(json_t *notes, const char *text)
{
	json_array_append_new(notes, out_text_or_null(text));
}

/* @what, and the command of virsh that does something about it. */
static void note_virsh(json_t *notes, const struct vm_view *view, const struct usage_vm *vm,
		       const char *what, const char *verb)
{
	CLEANUP(text) char *uri = text_shell(view->uri == NULL ? HV_URI_DEFAULT : view->uri);
	CLEANUP(text) char *name = text_shell(vm->domain->name);
	CLEANUP(text) char *text = text_format("%s: virsh -c %s %s %s", what, uri, verb, name);

	note(notes, text);
}

/* What a domain cannot refuse, and what only shows in its state. */
static void note_state(json_t *notes, const struct vm_view *view, const struct usage_vm *vm)
{
	const struct hv_domain *domain = vm->domain;

	if (domain->state == HV_PAUSED) {
		CLEANUP(text)
		char *what = text_format(
			"paused %s: its vCPUs stand still, its GPU does not; go on with",
			domain->paused_reason);

		note_virsh(notes, view, vm, what, "resume");
	}
	if (domain->has_managed_save)
		note_virsh(notes, view, vm,
			   "has a saved state, which the next start discards, as does",
			   "managedsave-remove");
	if (domain->is_active && domain->is_transient)
		note(notes, "its definition was removed: it is forgotten when it stops; start it "
			    "again from its file");
}

static void note_problems(json_t *notes, const struct guest *guest, const char *what,
			  const char *remedy)
{
	CLEANUP(text) char *problems = NULL;
	CLEANUP(text) char *text = NULL;

	for (size_t i = 0; i < guest->problem_count; i++)
		text_join(&problems, ", ", guest->problems[i]);
	if (problems == NULL)
		return;
	text = text_format("%s (%s): %s", what, problems, remedy);
	note(notes, text);
}

/* What its next start would find defined: for one that is off, that is what is known of it anyway. */
static struct guest *definition_of(const struct vm_view *view, const struct usage_vm *vm)
{
	CLEANUP(text) char *xml = NULL;
	CLEANUP(fail) struct fail unreadable = { 0 };
	struct guest *guest = NULL;

	if (!vm->domain->is_active)
		return NULL;
	xml = hv_definition(view->hv, vm->domain->uuid);
	if (xml == NULL || guest_parse(xml, &guest, &unreadable) < 0)
		return NULL;
	return guest;
}

/* Returns whether there is any edit. */
static bool note_edits(json_t *notes, const struct vm_view *view, const struct usage_vm *vm)
{
	CLEANUP(guest) struct guest *next = definition_of(view, vm);
	const struct guest *defined = vm->domain->is_active ? next : vm->guest;

	if (vm->domain->is_active)
		note_problems(notes, vm->guest, "edited while it runs",
			      "its next start through gpuvm repairs it");
	if (defined != NULL)
		note_problems(notes, defined, "definition edited",
			      "the next start through gpuvm repairs it");
	return (defined != NULL && defined->problem_count > 0) || vm->guest->problem_count > 0;
}

/* A definition that came from another host, by an offline migration, or a card that left. */
static void note_missing(json_t *notes, const struct vm_view *view, const struct guest *guest)
{
	for (size_t i = 0; i < guest->function_count; i++) {
		CLEANUP(text) char *text = NULL;

		if (device_find(view->host->devices, guest->functions[i].address) != NULL)
			continue;
		text = text_format("%s is not in this host: the next start through gpuvm chooses "
				   "anew",
				   guest->functions[i].address);
		note(notes, text);
	}
}

/* What is kept for it while it is off, and what keeps it from its GPUs at its next start. */
static void note_records(json_t *notes, const struct usage_vm *vm,
			 const struct record_list *records)
{
	for (size_t i = 0; i < records->count; i++) {
		const struct record *record = &records->records[i];
		bool is_own = record->problem == NULL && record->kind == RECORD_HELD &&
			      text_equal(record->uuid, vm->domain->uuid);
		CLEANUP(text) char *words = NULL;
		CLEANUP(text) char *text = NULL;

		if (is_own)
			text = text_format("holds %s while it is off", record->address);
		else if (!record->is_stale && has(vm->guest, record->address)) {
			words = record_text_words(record);
			text = text_format("%s %s", record->address, words);
		}
		if (text != NULL)
			note(notes, text);
	}
}

static json_t *gpus_of(const struct guest *guest, const struct host *host)
{
	json_t *gpus = json_array();

	for (size_t i = 0; i < guest->hostdev_count; i++) {
		const struct gpu *gpu = gpu_find(host->gpus, guest->hostdevs[i]);

		if (gpu != NULL && text_equal(gpu->device->address, guest->hostdevs[i]))
			json_array_append_new(gpus, json_string(guest->hostdevs[i]));
	}
	return gpus;
}

/* Sets address and address_source, each null if there is none or the VM is off. Its agent is not asked: that can take
 * seconds. */
static void set_address(json_t *row, const struct vm_view *view, const struct usage_vm *vm)
{
	struct address address;
	bool found = vm->domain->state == HV_RUNNING && vm->guest->mac != NULL &&
		     address_find(view->hv, vm->domain->uuid, vm->guest->mac, false, &address);

	json_object_set_new(row, "address", out_text_or_null(found ? address.text : NULL));
	json_object_set_new(row, "address_source", out_text_or_null(found ? address.source : NULL));
}

json_t *vm_json(const struct vm_view *view, const struct usage_vm *vm)
{
	const struct guest *guest = vm->guest;
	CLEANUP(text) char *changed = pending_spec(guest);
	json_t *notes = json_array();
	json_t *row;
	bool is_edited;

	note_state(notes, view, vm);
	if (changed != NULL)
		note(notes, "spec changed: applies at the next start");
	is_edited = note_edits(notes, view, vm);
	note_missing(notes, view, guest);
	if (guest->autostart)
		note(notes, "starts at boot");
	note_records(notes, vm, view->records);
	row = json_pack("{s:o, s:s, s:o, s:i, s:I, s:o, s:b, s:b, s:o}", "name",
			out_text_or_null(guest->name), "state", hv_state_name(vm->domain->state),
			"user", out_text_or_null(guest->user), "vcpus", (int)guest->vcpus,
			"memory_bytes", (json_int_t)guest->memory_bytes, "gpus",
			gpus_of(guest, view->host), "spec_changed", changed != NULL,
			"definition_edited", is_edited, "notes", notes);
	set_address(row, view, vm);
	return row;
}
