// SPDX-License-Identifier: MIT
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/virterror.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/hv_internal.h"

#define NOT_ACTIVE ((unsigned)-1) /* the id of a domain that is off */

const char *hv_state_name(enum hv_state state)
{
	switch (state) {
	case HV_OFF:
		return "off";
	case HV_RUNNING:
		return "running";
	case HV_PAUSED:
		return "paused";
	case HV_STOPPING:
		return "stopping";
	case HV_CRASHED:
		return "crashed";
	}
	return "unknown";
}

static enum hv_state state_of(int state)
{
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
	case VIR_DOMAIN_NOSTATE:
		return HV_RUNNING;
	case VIR_DOMAIN_PAUSED:
	case VIR_DOMAIN_PMSUSPENDED:
		return HV_PAUSED;
	case VIR_DOMAIN_SHUTDOWN:
		return HV_STOPPING;
	case VIR_DOMAIN_CRASHED:
		return HV_CRASHED;
	default:
		return HV_OFF;
	}
}

static const char *paused_reason(int reason)
{
	static const char *const names[] = {
		[VIR_DOMAIN_PAUSED_USER] = "by a user",
		[VIR_DOMAIN_PAUSED_MIGRATION] = "for a migration",
		[VIR_DOMAIN_PAUSED_SAVE] = "for a save",
		[VIR_DOMAIN_PAUSED_DUMP] = "for a dump",
		[VIR_DOMAIN_PAUSED_IOERROR] = "after a disk I/O error",
		[VIR_DOMAIN_PAUSED_WATCHDOG] = "by its watchdog",
		[VIR_DOMAIN_PAUSED_SHUTTING_DOWN] = "while shutting down",
		[VIR_DOMAIN_PAUSED_SNAPSHOT] = "for a snapshot",
		[VIR_DOMAIN_PAUSED_CRASHED] = "after a crash",
		[VIR_DOMAIN_PAUSED_STARTING_UP] = "while starting",
	};

	if (reason < 0 || (size_t)reason >= sizeof names / sizeof *names || names[reason] == NULL)
		return "for an unknown reason";
	return names[reason];
}

/* 1: read; 0: the domain vanished meanwhile; -1 with @fail: libvirt does not tell, and what it holds is unknown. */
static int read_domain(virDomainPtr from, struct hv_domain *ret, struct fail *fail)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	int state = 0;
	int reason = 0;
	unsigned id;
	char *xml = NULL;

	if (virDomainGetState(from, &state, &reason, 0) == 0 &&
	    virDomainGetUUIDString(from, uuid) == 0)
		xml = virDomainGetXMLDesc(from, 0);
	if (xml == NULL)
		return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN
			       ? 0
			       : hv_fail(fail, "libvirt does not tell about one of its domains");
	ret->xml = xml;
	ret->name = mem_strdup(virDomainGetName(from));
	ret->uuid = mem_strdup(uuid);
	ret->state = state_of(state);
	id = virDomainGetID(from);
	ret->id = id == NOT_ACTIVE ? 0 : id;
	/* Ids came with the list, states after it: whichever of them says that it runs. */
	ret->is_active = id != NOT_ACTIVE || ret->state == HV_RUNNING || ret->state == HV_PAUSED ||
			 ret->state == HV_STOPPING;
	ret->is_starting = state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_STARTING_UP;
	if (ret->state == HV_PAUSED)
		ret->paused_reason = mem_strdup(paused_reason(reason));
	return 1;
}

static void forget(virDomainPtr *domains, int count)
{
	for (int i = 0; i < count; i++)
		virDomainFree(domains[i]);
	free(domains);
}

static int by_name(const void *a, const void *b)
{
	return strverscmp(((const struct hv_domain *)a)->name, ((const struct hv_domain *)b)->name);
}

int hv_domains_read(struct hv *hv, struct hv_domains **ret_domains, struct fail *fail)
{
	HV_WITHIN_DEADLINE(hv);
	CLEANUP(hv_domains) struct hv_domains *result = NULL;
	virDomainPtr *all = NULL;
	int read = 1;
	int count = virConnectListAllDomains(hv->connection, &all, 0);

	if (count < 0)
		return hv_fail(fail, "libvirt does not list its domains");
	result = mem_alloc(1, sizeof *result);
	result->domains = mem_alloc((size_t)count, sizeof *result->domains);
	for (int i = 0; i < count; i++) {
		if (read >= 0)
			read = read_domain(all[i], &result->domains[result->count], fail);
		if (read > 0)
			result->count++;
	}
	forget(all, count);
	if (read < 0)
		return -1;
	qsort(result->domains, result->count, sizeof *result->domains, by_name);
	*ret_domains = STEAL(result);
	return 0;
}

/* Calls @set for each of @domains that libvirt's @filter finds: one call instead of one for each. */
static void mark(struct hv *hv, unsigned filter, struct hv_domains *domains,
		 void (*set)(struct hv_domain *domain))
{
	HV_WITHIN_DEADLINE(hv);
	virDomainPtr *found = NULL;
	int count = virConnectListAllDomains(hv->connection, &found, filter);

	for (int i = 0; i < count; i++)
		for (size_t j = 0; j < domains->count; j++)
			if (text_equal(domains->domains[j].name, virDomainGetName(found[i])))
				set(&domains->domains[j]);
	forget(found, count);
}

static void set_transient(struct hv_domain *domain)
{
	domain->is_transient = true;
}

static void set_managed_save(struct hv_domain *domain)
{
	domain->has_managed_save = true;
}

void hv_domains_mark(struct hv *hv, struct hv_domains *domains)
{
	mark(hv, VIR_CONNECT_LIST_DOMAINS_TRANSIENT, domains, set_transient);
	mark(hv, VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE, domains, set_managed_save);
}

void hv_domains_free(struct hv_domains *domains)
{
	if (domains == NULL)
		return;
	for (size_t i = 0; i < domains->count; i++) {
		free(domains->domains[i].name);
		free(domains->domains[i].uuid);
		free(domains->domains[i].paused_reason);
		free(domains->domains[i].xml);
	}
	free(domains->domains);
	free(domains);
}

const struct hv_domain *hv_domains_find(const struct hv_domains *domains, const char *name)
{
	for (size_t i = 0; i < domains->count; i++)
		if (text_equal(domains->domains[i].name, name))
			return &domains->domains[i];
	return NULL;
}

char *hv_definition(struct hv *hv, const char *uuid)
{
	HV_WITHIN_DEADLINE(hv);
	CLEANUP(vir_domain) virDomainPtr domain = virDomainLookupByUUIDString(hv->connection, uuid);

	if (domain == NULL || virDomainIsPersistent(domain) != 1)
		return NULL;
	return virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
}

uint64_t hv_resident_bytes(struct hv *hv, const char *uuid)
{
	HV_WITHIN_DEADLINE(hv);
	CLEANUP(vir_domain) virDomainPtr domain = virDomainLookupByUUIDString(hv->connection, uuid);
	virDomainMemoryStatStruct stats[VIR_DOMAIN_MEMORY_STAT_NR];
	int count = domain == NULL
			    ? -1
			    : virDomainMemoryStats(domain, stats, VIR_DOMAIN_MEMORY_STAT_NR, 0);

	for (int i = 0; i < count; i++)
		if (stats[i].tag == VIR_DOMAIN_MEMORY_STAT_RSS)
			return (uint64_t)stats[i].val * SIZE_KIB;
	return 0;
}

static hwloc_bitmap_t bitmap_of(const unsigned char *map, int bytes)
{
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();

	for (unsigned cpu = 0; cpu < (unsigned)bytes * 8; cpu++)
		if (VIR_CPU_USED(map, cpu))
			hwloc_bitmap_set(cpus, cpu);
	return cpus;
}

size_t hv_vcpu_affinity(struct hv *hv, const char *uuid, unsigned vcpus, hwloc_bitmap_t **ret_cpus)
{
	HV_WITHIN_DEADLINE(hv);
	CLEANUP(vir_domain) virDomainPtr domain = virDomainLookupByUUIDString(hv->connection, uuid);
	int host_cpus = virNodeGetCPUMap(hv->connection, NULL, NULL, 0);
	int bytes = host_cpus <= 0 ? 0 : (int)VIR_CPU_MAPLEN((unsigned)host_cpus);
	virVcpuInfoPtr info = mem_alloc(vcpus, sizeof *info);
	unsigned char *maps = mem_alloc((size_t)vcpus * (size_t)bytes, 1);
	size_t count = 0;
	int told = domain == NULL || bytes == 0 || vcpus > INT_MAX
			   ? 0
			   : virDomainGetVcpus(domain, info, (int)vcpus, maps, bytes);

	*ret_cpus = NULL;
	for (int i = 0; i < told; i++)
		*MEM_APPEND(*ret_cpus, count) = bitmap_of(maps + (size_t)i * (size_t)bytes, bytes);
	free(info);
	free(maps);
	return count;
}
