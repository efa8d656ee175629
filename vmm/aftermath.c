// SPDX-License-Identifier: MIT
#include "vmm/aftermath.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/domxml.h"
#include "vmm/record.h"

/* Without its own failure: a note that is missing only means that the next command looks again. */
void aftermath_settle(const struct guest *guest, const struct giveback *giveback,
		      const struct quarantine *quarantine, struct hv *hv)
{
	CLEANUP(fail) struct fail ignored = { 0 };

	if ((giveback->fulfilled || quarantine->count > 0) && guest->uuid != NULL)
		(void)hv_set_metadata(hv, guest->uuid, DOMXML_RETURNED_ELEMENT, "gpuvm-returned",
				      DOMXML_RETURNED, &ignored);
}

/* The VM's record if it is worth comparing. */
static struct guest *record_of(const struct hv_domain *domain, const char *boot)
{
	CLEANUP(guest) struct guest *guest = NULL;
	CLEANUP(fail) struct fail unreadable = { 0 };

	if (domain->is_active || strstr(domain->xml, DOMXML_NAMESPACE) == NULL ||
	    guest_parse(domain->xml, &guest, &unreadable) < 0 || !guest->is_ours ||
	    guest->is_returned || guest->function_count == 0 || guest->boot == NULL ||
	    !text_equal(guest->boot, boot))
		return NULL;
	return STEAL(guest);
}

static void vm_done(struct aftermath_vm *vm)
{
	quarantine_free(vm->quarantine);
	giveback_free(vm->giveback);
	guest_free(vm->guest);
}

static bool has_repaired(const struct giveback *giveback)
{
	for (size_t i = 0; i < giveback->count; i++)
		if (giveback->functions[i].state == GIVEBACK_REPAIRED)
			return true;
	return false;
}

/* Those that are lost; none if records tell it of all. */
static struct quarantine *look_for_lost(const struct root *root, const struct giveback *giveback)
{
	CLEANUP(quarantine) struct quarantine *lost = quarantine_look(root, giveback);
	CLEANUP(record_list)
	struct record_list *records = lost->count == 0 ? NULL : record_scan(root);
	bool is_news = false;

	for (size_t i = 0; i < lost->count; i++) {
		struct quarantine_gpu *gpu = &lost->gpus[i];

		gpu->is_recorded = record_find(records, RECORD_QUARANTINED, gpu->address) != NULL;
		is_news |= !gpu->is_recorded;
	}
	return is_news ? STEAL(lost) : mem_alloc(1, sizeof *lost);
}

static void look_at(struct aftermath *aftermath, struct guest *guest, const struct root *root,
		    const struct giveback_means *means, bool is_redefined)
{
	struct aftermath_vm vm = { .guest = guest, .giveback = giveback_check(guest, root, means) };
	bool has_changed = has_repaired(vm.giveback);

	if (means->hv != NULL) {
		CLEANUP(owner) struct owner *owner = owner_of_caller();

		vm.quarantine = quarantine_lost(root, guest, vm.giveback, owner);
		has_changed = has_changed || vm.quarantine->count > 0;
		if (!is_redefined)
			aftermath_settle(guest, vm.giveback, vm.quarantine, means->hv);
	} else {
		vm.quarantine = look_for_lost(root, vm.giveback);
	}
	if (vm.giveback->complete && !has_changed && vm.quarantine->count == 0) {
		vm_done(&vm);
		return;
	}
	*MEM_APPEND(aftermath->vms, aftermath->count) = vm;
	aftermath->has_changed |= has_changed;
}

struct aftermath *aftermath_check(const struct hv_domains *domains, const struct root *root,
				  const struct giveback_means *means, const char *redefined)
{
	struct aftermath *aftermath = mem_alloc(1, sizeof *aftermath);
	CLEANUP(text) char *boot = giveback_boot(root);
	struct giveback_means known = *means;

	known.domains = domains;
	for (size_t i = 0; domains != NULL && i < domains->count; i++) {
		struct guest *guest = record_of(&domains->domains[i], boot);

		if (guest != NULL)
			look_at(aftermath, guest, root, &known,
				redefined != NULL &&
					text_equal(domains->domains[i].name, redefined));
	}
	return aftermath;
}

void aftermath_free(struct aftermath *aftermath)
{
	if (aftermath == NULL)
		return;
	for (size_t i = 0; i < aftermath->count; i++)
		vm_done(&aftermath->vms[i]);
	free(aftermath->vms);
	free(aftermath);
}
