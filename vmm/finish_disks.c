// SPDX-License-Identifier: MIT
#include "vmm/finish_disks.h"

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/disk.h"
#include "vmm/disk_users.h"
#include "vmm/hv_storage.h"

static char *printable(const char *text)
{
	return text_printable(text, 300);
}

/* What a volume's record says is anybody's text: words of a shell, and printable. The caller frees. */
static char *command(const char *uri, const char *verb, const struct guest_volume *volume)
{
	CLEANUP(text) char *shown_pool = printable(volume->pool);
	CLEANUP(text) char *shown_name = printable(volume->name);
	CLEANUP(text) char *where = text_shell(uri == NULL ? HV_URI_DEFAULT : uri);
	CLEANUP(text) char *pool = text_shell(shown_pool);
	CLEANUP(text) char *name = text_shell(shown_name);

	return text_equal(verb, "vol-delete")
		       ? text_format("virsh -c %s vol-delete --pool %s -- %s", where, pool, name)
		       : text_format("virsh -c %s %s -- %s", where, verb, pool);
}

static void list(struct finish *finish, const char *path, enum finish_disk_fate fate, char *remedy)
{
	*MEM_APPEND(finish->disks, finish->disk_count) =
		(struct finish_disk){ .path = printable(path), .fate = fate, .remedy = remedy };
}

static int refuse(const struct finish *finish, const struct guest_volume *volume,
		  enum fail_kind kind, const char *what, struct fail *fail)
{
	CLEANUP(text) char *path = printable(volume->path);

	return fail_add(fail, kind, "VM \"%s\" stays, with its disks: %s %s", finish->name, path,
			what);
}

static int check_pool(struct hv *hv, const char *uri, const struct finish *finish,
		      const struct guest_volume *volume, struct fail *fail)
{
	CLEANUP(hv_pool) struct hv_pool *pool = NULL;
	CLEANUP(text) char *start = NULL;

	if (hv_pool_read(hv, volume->pool, &pool, fail) < 0)
		return -1;
	if (pool->state == HV_POOL_ACTIVE) {
		hv_pool_refresh(hv, pool);
		return 0;
	}
	refuse(finish, volume, FAIL_HOST, "cannot be looked at", fail);
	fail_cause(fail, "its storage pool is %s",
		   pool->state == HV_POOL_ABSENT ? "not defined any more" : "not active");
	start = command(uri, "pool-start", volume);
	if (pool->state == HV_POOL_INACTIVE)
		return fail_hint(fail, "%s", start);
	return fail_hint(fail, "without its disks it can go: gpuvm delete %s", finish->name);
}

/* Whoever copied a VM's definition copied its records: its disks are not the copy's to delete. */
static int check_users(struct hv *hv, const struct hv_domains *domains, const struct finish *finish,
		       const struct guest_volume *volume, struct fail *fail)
{
	for (size_t i = 0; i < domains->count; i++) {
		CLEANUP(guest) struct guest *guest = NULL;
		CLEANUP(text) char *name = NULL;

		if (text_equal(domains->domains[i].uuid, finish->guest->uuid))
			continue;
		if (guest_parse(domains->domains[i].xml, &guest, fail) < 0)
			return -1;
		if (disk_users_look(guest, hv, volume->path) == DISK_UNUSED)
			continue;
		name = printable(guest->name);
		refuse(finish, volume, FAIL_BUSY, "is in use", fail);
		fail_cause(fail, "VM \"%s\"%s has it, or builds on it", name,
			   guest->is_ours ? "" : " (not gpuvm's)");
		return fail_hint(fail, "without its disks it can go: gpuvm delete %s",
				 finish->name);
	}
	return 0;
}

static int check(struct hv *hv, const struct hv_domains *domains, const char *uri,
		 const struct finish *finish, const struct guest_volume *record, struct fail *fail)
{
	CLEANUP(hv_volume) struct hv_volume *volume = NULL;

	if (check_pool(hv, uri, finish, record, fail) < 0 ||
	    hv_volume_read(hv, record->pool, record->name, &volume, fail) < 0)
		return -1;
	if (volume == NULL)
		return 0;
	if (!text_equal(volume->path, record->path) || !disk_users_is_as_made(volume, record)) {
		refuse(finish, record, FAIL_REFUSED, "is not what gpuvm made", fail);
		fail_cause(fail, "it is %s, %s%s, and was to be %s, %s%s", volume->format,
			   volume->backing == NULL ? "blank" : "on ",
			   volume->backing == NULL ? "" : volume->backing, record->format,
			   record->backing == NULL ? "blank" : "on ",
			   record->backing == NULL ? "" : record->backing);
		return fail_hint(fail, "without its disks it can go: gpuvm delete %s",
				 finish->name);
	}
	return check_users(hv, domains, finish, record, fail);
}

static int delete_one(struct hv *hv, const struct guest_volume *record, struct finish *finish,
		      struct fail *fail)
{
	CLEANUP(hv_volume) struct hv_volume *volume = NULL;

	if (hv_volume_read(hv, record->pool, record->name, &volume, fail) < 0 ||
	    hv_volume_delete(hv, record->pool, record->name, fail) < 0)
		return -1;
	list(finish, record->path, volume == NULL ? FINISH_DISK_GONE : FINISH_DISK_DELETED, NULL);
	return 0;
}

int finish_disks_delete(struct hv *hv, const struct hv_domains *domains, const char *uri,
			struct finish *finish, struct fail *fail)
{
	const struct guest_volumes *volumes = &finish->guest->volumes;

	for (size_t i = 0; i < volumes->count; i++)
		if (check(hv, domains, uri, finish, &volumes->items[i], fail) < 0)
			return -1;
	for (size_t i = 0; i < volumes->count; i++)
		if (delete_one(hv, &volumes->items[i], finish, fail) < 0)
			return fail_hint(fail,
					 "the VM is still there, to try again: gpuvm delete "
					 "%s --disks",
					 finish->name);
	return 0;
}

static bool is_listed(const struct finish *finish, const char *path)
{
	CLEANUP(text) char *shown = printable(path);

	for (size_t i = 0; i < finish->disk_count; i++)
		if (text_equal(finish->disks[i].path, shown))
			return true;
	return false;
}

void finish_disks_list(const char *uri, struct finish *finish)
{
	const struct guest *guest = finish->guest;

	for (size_t i = 0; i < guest->volumes.count; i++) {
		const struct guest_volume *record = &guest->volumes.items[i];

		if (!is_listed(finish, record->path))
			list(finish, record->path, FINISH_DISK_KEPT,
			     command(uri, "vol-delete", record));
	}
	for (size_t i = 0; i < guest->disk_count; i++)
		if (guest->disks[i].path != NULL && guest->disks[i].is_written &&
		    !is_listed(finish, guest->disks[i].path))
			list(finish, guest->disks[i].path, FINISH_DISK_KEPT, NULL);
}
