// SPDX-License-Identifier: MIT
#include "vmm/taker.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "topo/gpu.h"
#include "topo/holder.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/guest.h"
#include "vmm/lease.h"

static void add_domain(struct taker_list *list, const struct hv_domain *domain)
{
	CLEANUP(guest) struct guest *guest = NULL;
	CLEANUP(fail) struct fail unreadable = { 0 };

	if (!guest_may_have_hostdevs(domain->xml))
		return;
	if (guest_parse(domain->xml, &guest, &unreadable) < 0) {
		list->is_complete = false;
		return;
	}
	for (size_t i = 0; i < guest->hostdev_count; i++)
		memcpy(MEM_APPEND(list->functions, list->function_count), guest->hostdevs[i],
		       DEVICE_ADDRESS_BYTES);
}

static void add_domains(struct taker_list *list, const struct hv_domains *domains,
			const char *except)
{
	for (size_t i = 0; i < domains->count; i++)
		if (domains->domains[i].is_active &&
		    (except == NULL || !text_equal(domains->domains[i].uuid, except)))
			add_domain(list, &domains->domains[i]);
}

static void add_slot(struct taker_list *list, const char *address)
{
	memcpy(MEM_APPEND(list->slots, list->slot_count), address, DEVICE_ADDRESS_BYTES);
}

/* A start that failed and is being undone still has its claim. */
static bool is_own(const struct lease_record *start, const char *except)
{
	return except != NULL && text_equal(start->uuid, except) && start->pid == getpid();
}

static void add_starts(struct taker_list *list, const char *lease_directory, const char *except)
{
	CLEANUP(lease_records) struct lease_records *starts = lease_scan(lease_directory);

	for (size_t i = 0; i < starts->count; i++)
		for (size_t j = 0;
		     !is_own(&starts->records[i], except) && j < starts->records[i].gpu_count; j++)
			add_slot(list, starts->records[i].gpus[j]);
}

/* A process that drives the GPU by itself: taking vfio-pci away from under it would wait for its end. */
static void add_processes(struct taker_list *list, const struct root *root)
{
	CLEANUP(device_list) struct device_list *devices = NULL;
	CLEANUP(gpu_list) struct gpu_list *gpus = NULL;
	CLEANUP(holder_list) struct holder_list *holders = NULL;
	CLEANUP(fail) struct fail unreadable = { 0 };
	const struct gpu **all;

	if (device_list_read(root, &devices, &unreadable) < 0)
		return;
	gpus = gpu_list_build(devices);
	all = mem_alloc(gpus->count, sizeof *all);
	for (size_t i = 0; i < gpus->count; i++)
		all[i] = &gpus->gpus[i];
	holders = holder_list_read(root, all, gpus->count);
	free(all);
	for (size_t i = 0; i < holders->count; i++)
		if (holders->holders[i].kind == HOLDER_VFIO)
			add_slot(list, holders->holders[i].address);
}

struct taker_list *taker_list_read(const struct root *root, struct hv *hv,
				   const struct hv_domains *domains, const char *lease_directory,
				   const char *except)
{
	struct taker_list *list = mem_alloc(1, sizeof *list);
	CLEANUP(hv_domains) struct hv_domains *asked = NULL;
	CLEANUP(fail) struct fail unknown = { 0 };

	list->is_complete = true;
	/* Starts first: one that ends in between is then seen twice, never missed. */
	add_starts(list, lease_directory, except);
	if (hv != NULL && hv_domains_read(hv, &asked, &unknown) < 0)
		list->is_complete = false;
	if (asked != NULL || (hv == NULL && domains != NULL))
		add_domains(list, asked != NULL ? asked : domains, except);
	add_processes(list, root);
	return list;
}

void taker_list_free(struct taker_list *list)
{
	if (list == NULL)
		return;
	free(list->functions);
	free(list->slots);
	free(list);
}

bool taker_has(const struct taker_list *list, const char *address)
{
	size_t slot = strcspn(address, ".");

	for (size_t i = 0; i < list->function_count; i++)
		if (text_equal(list->functions[i], address))
			return true;
	for (size_t i = 0; i < list->slot_count; i++)
		if (strncmp(list->slots[i], address, slot + 1) == 0)
			return true;
	return false;
}
