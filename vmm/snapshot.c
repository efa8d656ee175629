// SPDX-License-Identifier: MIT
#include "vmm/snapshot.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "topo/host_files.h"
#include "vmm/base/bundle.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/record_text.h"
#include "vmm/scrub.h"

#define LIBVIRT "gpuvm/libvirt.json"
#define DOMAIN  "gpuvm/domains/%zu.xml"

CLEANUP_DEFINE(json, json_t, json_decref)

static const enum hv_state states[] = { HV_OFF, HV_RUNNING, HV_PAUSED, HV_STOPPING, HV_CRASHED };

static const struct {
	enum hv_network state;
	const char *name;
} networks[] = {
	{ HV_NETWORK_ABSENT, "absent" },
	{ HV_NETWORK_INACTIVE, "inactive" },
	{ HV_NETWORK_ACTIVE, "active" },
};

static int malformed(const struct root *root, const char *what, struct fail *fail)
{
	CLEANUP(text) char *shown = text_printable(what, 200);

	fail_add(fail, FAIL_USAGE, "the snapshot's record of libvirt's domains is malformed");
	return fail_cause(fail, "%s/" LIBVIRT ": %s", root->dir, shown);
}

static enum hv_state state_of(const char *name)
{
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (text_equal(hv_state_name(states[i]), name))
			return states[i];
	return HV_OFF;
}

static int read_domain(const struct root *root, json_t *row, struct snapshot_libvirt *libvirt,
		       struct fail *fail)
{
	size_t number = libvirt->domains->count + 1;
	const char *name, *uuid, *state;
	json_error_t error;
	int is_active, is_starting;
	struct hv_domain *domain;
	json_int_t resident;
	char *xml;

	if (json_unpack_ex(row, &error, 0, "{s:s, s:s, s:s, s:b, s:b, s:I}", "name", &name, "uuid",
			   &uuid, "state", &state, "is_active", &is_active, "is_starting",
			   &is_starting, "resident_bytes", &resident) != 0)
		return malformed(root, error.text, fail);
	xml = root_bytes(root, NULL, "/" DOMAIN, number);
	if (xml == NULL)
		return malformed(root, "a domain's XML is missing", fail);
	libvirt->resident_bytes = mem_grow(libvirt->resident_bytes, libvirt->domains->count,
					   sizeof *libvirt->resident_bytes);
	libvirt->resident_bytes[libvirt->domains->count] = resident < 0 ? 0 : (uint64_t)resident;
	domain = MEM_APPEND(libvirt->domains->domains, libvirt->domains->count);
	domain->name = mem_strdup(name);
	domain->uuid = mem_strdup(uuid);
	domain->state = state_of(state);
	domain->is_active = is_active;
	domain->is_starting = is_starting;
	domain->xml = xml;
	return 0;
}

static int read_all(const struct root *root, json_t *whole, struct snapshot_libvirt *libvirt,
		    struct fail *fail)
{
	json_t *rows = json_object_get(whole, "domains");
	json_t *network = json_object_get(whole, "default_network");
	json_t *row;
	size_t i;

	if (!json_is_array(rows))
		return malformed(root, "it has no list of domains", fail);
	libvirt->libvirt_version = (unsigned long)json_integer_value(
		json_object_get(whole, "libvirt_version"));
	libvirt->qemu_version = (unsigned long)json_integer_value(
		json_object_get(whole, "qemu_version"));
	for (i = 0; i < sizeof networks / sizeof *networks; i++)
		if (text_equal(networks[i].name, json_string_value(network)))
			libvirt->default_network = networks[i].state;
	json_array_foreach(rows, i, row) if (read_domain(root, row, libvirt, fail) < 0) return -1;
	return 0;
}

int snapshot_libvirt_read(const struct root *root, struct snapshot_libvirt **ret_libvirt,
			  struct fail *fail)
{
	CLEANUP(snapshot_libvirt) struct snapshot_libvirt *libvirt = NULL;
	CLEANUP(json) json_t *whole = NULL;
	size_t length = 0;
	CLEANUP(text) char *text = root_bytes(root, &length, "/" LIBVIRT);
	json_error_t error;

	*ret_libvirt = NULL;
	if (text == NULL)
		return 0;
	whole = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	if (whole == NULL)
		return malformed(root, error.text, fail);
	libvirt = mem_alloc(1, sizeof *libvirt);
	libvirt->domains = mem_alloc(1, sizeof *libvirt->domains);
	if (read_all(root, whole, libvirt, fail) < 0)
		return -1;
	*ret_libvirt = STEAL(libvirt);
	return 0;
}

int snapshot_libvirt_ask(struct hv *hv, struct snapshot_libvirt **ret_libvirt, struct fail *fail)
{
	CLEANUP(snapshot_libvirt)
	struct snapshot_libvirt *libvirt = mem_alloc(1, sizeof *libvirt);
	CLEANUP(fail) struct fail ignored = { 0 };

	libvirt->libvirt_version = hv_libvirt_version(hv);
	libvirt->qemu_version = hv_qemu_version(hv);
	/* Without the network driver there is no network. */
	(void)hv_network_state(hv, "default", &libvirt->default_network, &ignored);
	if (hv_domains_read(hv, &libvirt->domains, fail) < 0)
		return -1;
	libvirt->resident_bytes = mem_alloc(libvirt->domains->count,
					    sizeof *libvirt->resident_bytes);
	for (size_t i = 0; i < libvirt->domains->count; i++)
		if (libvirt->domains->domains[i].is_active)
			libvirt->resident_bytes[i] = hv_resident_bytes(
				hv, libvirt->domains->domains[i].uuid);
	*ret_libvirt = STEAL(libvirt);
	return 0;
}

void snapshot_libvirt_free(struct snapshot_libvirt *libvirt)
{
	if (libvirt == NULL)
		return;
	hv_domains_free(libvirt->domains);
	free(libvirt->resident_bytes);
	free(libvirt);
}

/* What stands for a domain's UUID: its number in the list, from 1. The caller frees. */
static char *uuid_of(size_t number)
{
	return text_format("00000000-0000-0000-0000-%012zu", number);
}

/* Adds @libvirt; the UUID of the domain that became number i + 1 goes to (*@ret_uuids)[i], borrowed. */
static void add_libvirt(struct bundle *bundle, const struct snapshot_libvirt *libvirt,
			struct scrub_users *users, const char ***ret_uuids, size_t *ret_count)
{
	CLEANUP(json) json_t *whole = NULL;
	CLEANUP(text) char *text = NULL;
	json_t *rows = json_array();

	for (size_t i = 0; i < libvirt->domains->count; i++) {
		const struct hv_domain *domain = &libvirt->domains->domains[i];
		CLEANUP(text) char *xml = scrub_domain(domain->xml, users);
		CLEANUP(text) char *path = NULL;
		CLEANUP(text) char *uuid = NULL;

		if (xml == NULL)
			continue;
		path = text_format(DOMAIN, json_array_size(rows) + 1);
		uuid = uuid_of(json_array_size(rows) + 1);
		*MEM_APPEND(*ret_uuids, *ret_count) = domain->uuid;
		bundle_add_file(bundle, path, xml, strlen(xml));
		json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:b, s:b, s:I}", "name",
						      domain->name, "uuid", uuid, "state",
						      hv_state_name(domain->state), "is_active",
						      domain->is_active, "is_starting",
						      domain->is_starting, "resident_bytes",
						      (json_int_t)libvirt->resident_bytes[i]));
	}
	whole = json_pack("{s:i, s:I, s:I, s:s, s:o}", "format", 1, "libvirt_version",
			  (json_int_t)libvirt->libvirt_version, "qemu_version",
			  (json_int_t)libvirt->qemu_version, "default_network",
			  networks[libvirt->default_network].name, "domains", rows);
	text = json_dumps(whole, JSON_INDENT(1));
	bundle_add_file(bundle, LIBVIRT, text, strlen(text));
}

static void add_record(struct bundle *bundle, const struct record *record, const char *uuid,
		       struct scrub_users *users)
{
	CLEANUP(text) char *user = scrub_user(record->user, users);
	CLEANUP(text)
	char *path = text_format("%s/%s/%s", &RECORD_DIRECTORY[1], record_kind_name(record->kind),
				 record->address);
	CLEANUP(text) char *text = NULL;
	struct record clean = *record;

	clean.uuid = (char *)uuid;
	clean.user = user;
	clean.uid = 0;
	if (record->kind != RECORD_QUARANTINED)
		clean.reason = NULL;
	text = record_text_format(&clean);
	bundle_add_file(bundle, path, text, strlen(text));
}

/* A domain that is not in the list gets a number that is in none: its hold stays stale. */
static void add_records(struct bundle *bundle, const struct root *root, struct scrub_users *users,
			const char *const *uuids, size_t count)
{
	CLEANUP(record_list) struct record_list *records = record_scan(root);

	for (size_t i = 0; i < records->count; i++) {
		const struct record *record = &records->records[i];
		CLEANUP(text) char *uuid = NULL;
		size_t number = 0;

		for (size_t j = 0; j < count; j++)
			if (text_equal(uuids[j], record->uuid))
				number = j + 1;
		uuid = record->uuid == NULL ? NULL : uuid_of(number);
		if (record->problem == NULL)
			add_record(bundle, record, uuid, users);
	}
}

static void add_host(struct bundle *bundle, const struct host_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		const struct host_file *file = &files->files[i];

		switch (file->kind) {
		case HOST_FILE:
			bundle_add_file(bundle, file->path, file->bytes, file->length);
			break;
		case HOST_LINK:
			bundle_add_link(bundle, file->path, file->bytes);
			break;
		case HOST_FOLDER:
			bundle_add_folder(bundle, file->path);
			break;
		}
	}
}

int snapshot_write(const struct root *root, const struct snapshot_libvirt *libvirt,
		   const char *path, size_t *ret_count, struct fail *fail)
{
	CLEANUP(host_files) struct host_files *files = host_files_read(root);
	CLEANUP(bundle) struct bundle *bundle = NULL;
	__attribute__((cleanup(scrub_users_cleanup))) struct scrub_users users = { 0 };
	const char **uuids = NULL;
	size_t uuid_count = 0;

	if (bundle_create(path, &bundle, fail) < 0)
		return -1;
	add_host(bundle, files);
	if (libvirt != NULL)
		add_libvirt(bundle, libvirt, &users, &uuids, &uuid_count);
	add_records(bundle, root, &users, uuids, uuid_count);
	free(uuids);
	if (bundle_finish(bundle, fail) < 0)
		return -1;
	*ret_count = files->count;
	return 0;
}
