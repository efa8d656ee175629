// SPDX-License-Identifier: MIT
#include "vmm/hv_storage.h"

#include <stdlib.h>

#include <libvirt/virterror.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/hv_internal.h"
#include "vmm/storage_xml.h"

/* What one message to the daemon carries at most (libvirt, virnetprotocol.x: 256 KiB of payload and legacy). */
#define UPLOAD_PIECE_BYTES ((size_t)64 << 10)

static void pool_handle_cleanup(virStoragePoolPtr *pool)
{
	if (*pool != NULL)
		virStoragePoolFree(*pool);
}

static void volume_handle_cleanup(virStorageVolPtr *volume)
{
	if (*volume != NULL)
		virStorageVolFree(*volume);
}

static void stream_cleanup(virStreamPtr *stream)
{
	if (*stream != NULL)
		virStreamFree(*stream);
}

/* hv_fail() about the pool or volume @name. */
static int fail_about(struct fail *fail, const char *format, const char *name)
{
	CLEANUP(text) char *shown = text_printable(name, 200);
	CLEANUP(text) char *what = text_format("%s \"%s\"", format, shown);

	return hv_fail(fail, what);
}

/* -1: libvirt does not tell. NULL in @ret_pool: there is none. */
static int look_up_pool(struct hv *hv, const char *name, virStoragePoolPtr *ret_pool,
			struct fail *fail)
{
	*ret_pool = virStoragePoolLookupByName(hv->connection, name);
	if (*ret_pool != NULL || virGetLastErrorCode() == VIR_ERR_NO_STORAGE_POOL)
		return 0;
	return fail_about(fail, "libvirt does not tell about storage pool", name);
}

static int read_pool(virStoragePoolPtr from, struct hv_pool *pool, struct fail *fail)
{
	CLEANUP(text) char *xml = virStoragePoolGetXMLDesc(from, 0);
	int active = xml == NULL ? -1 : virStoragePoolIsActive(from);

	if (active < 0)
		return fail_about(fail, "libvirt does not tell about storage pool", pool->name);
	pool->state = active == 1 ? HV_POOL_ACTIVE : HV_POOL_INACTIVE;
	return storage_xml_read_pool(xml, pool, fail);
}

/* The pool that has the default's folder under another name. */
static int find_by_folder(struct hv *hv, struct hv_pool *pool, struct fail *fail)
{
	virStoragePoolPtr *all = NULL;
	int count = virConnectListAllStoragePools(hv->connection, &all, 0);

	if (count < 0)
		return hv_fail(fail, "libvirt does not list its storage pools");
	for (int i = 0; i < count; i++) {
		CLEANUP(hv_pool) struct hv_pool *other = mem_alloc(1, sizeof *other);
		CLEANUP(fail) struct fail ignored = { 0 };

		other->name = mem_strdup(virStoragePoolGetName(all[i]));
		if (pool->state == HV_POOL_ABSENT && read_pool(all[i], other, &ignored) == 0 &&
		    text_equal(other->path, HV_POOL_DEFAULT_PATH)) {
			struct hv_pool swapped = *pool;

			*pool = *other;
			*other = swapped;
		}
		virStoragePoolFree(all[i]);
	}
	free(all);
	return 0;
}

int hv_pool_read(struct hv *hv, const char *name, struct hv_pool **ret_pool, struct fail *fail)
{
	CLEANUP(hv_pool) struct hv_pool *pool = mem_alloc(1, sizeof *pool);
	CLEANUP(pool_handle) virStoragePoolPtr handle = NULL;

	pool->name = mem_strdup(name);
	if (look_up_pool(hv, name, &handle, fail) < 0)
		return -1;
	if (handle != NULL && read_pool(handle, pool, fail) < 0)
		return -1;
	if (handle == NULL && text_equal(name, HV_POOL_DEFAULT) &&
	    find_by_folder(hv, pool, fail) < 0)
		return -1;
	*ret_pool = STEAL(pool);
	return 0;
}

void hv_pool_free(struct hv_pool *pool)
{
	if (pool == NULL)
		return;
	free(pool->name);
	free(pool->type);
	free(pool->path);
	free(pool);
}

static int refuse_absent(struct hv *hv, const struct hv_pool *pool, struct fail *fail)
{
	CLEANUP(text) char *shown = text_printable(pool->name, 200);
	CLEANUP(text) char *uri = text_shell(hv->uri);

	fail_add(fail, FAIL_HOST, "libvirt has no storage pool \"%s\"", shown);
	return fail_hint(fail, "see what there is: virsh -c %s pool-list --all", uri);
}

/* As virt-install does it. A pool that cannot be brought up is not left behind. */
static int make_default(struct hv *hv, const struct hv_pool *pool, struct fail *fail)
{
	CLEANUP(text) char *xml = storage_xml_pool(pool->name, HV_POOL_DEFAULT_PATH);
	CLEANUP(pool_handle) virStoragePoolPtr handle = NULL;

	handle = virStoragePoolDefineXML(hv->connection, xml, 0);
	if (handle == NULL)
		return fail_about(fail, "libvirt does not define storage pool", pool->name);
	if (virStoragePoolBuild(handle, VIR_STORAGE_POOL_BUILD_NEW) == 0 &&
	    virStoragePoolCreate(handle, 0) == 0) {
		(void)virStoragePoolSetAutostart(handle, 1);
		return 0;
	}
	fail_about(fail, "libvirt cannot start storage pool", pool->name);
	(void)virStoragePoolUndefine(handle);
	return -1;
}

void hv_pool_refresh(struct hv *hv, const struct hv_pool *pool)
{
	CLEANUP(fail) struct fail ignored = { 0 };
	CLEANUP(pool_handle) virStoragePoolPtr handle = NULL;

	if (look_up_pool(hv, pool->name, &handle, &ignored) == 0 && handle != NULL)
		(void)virStoragePoolRefresh(handle, 0);
}

int hv_pool_ready(struct hv *hv, struct hv_pool *pool, struct fail *fail)
{
	CLEANUP(pool_handle) virStoragePoolPtr handle = NULL;

	if (pool->state == HV_POOL_ABSENT && !text_equal(pool->name, HV_POOL_DEFAULT))
		return refuse_absent(hv, pool, fail);
	if (pool->state == HV_POOL_ABSENT && make_default(hv, pool, fail) < 0)
		return -1;
	if (look_up_pool(hv, pool->name, &handle, fail) < 0)
		return -1;
	if (handle == NULL)
		return fail_about(fail, "somebody has just removed storage pool", pool->name);
	if (pool->state == HV_POOL_INACTIVE && virStoragePoolCreate(handle, 0) < 0)
		return fail_about(fail, "libvirt cannot start storage pool", pool->name);
	if (pool->state == HV_POOL_ACTIVE)
		(void)virStoragePoolRefresh(handle, 0);
	return read_pool(handle, pool, fail);
}

/* The pool, for a volume that is to be in it. */
static int open_pool(struct hv *hv, const char *name, virStoragePoolPtr *ret_pool,
		     struct fail *fail)
{
	if (look_up_pool(hv, name, ret_pool, fail) < 0)
		return -1;
	return *ret_pool == NULL ? fail_about(fail, "libvirt has no storage pool", name) : 0;
}

static bool is_no_volume(void)
{
	int code = virGetLastErrorCode();

	return code == VIR_ERR_NO_STORAGE_VOL || code == VIR_ERR_OPERATION_INVALID ||
	       code == VIR_ERR_NO_STORAGE_POOL;
}

/* -1: libvirt does not tell. NULL in @ret_volume: there is none. */
static int look_up_volume(struct hv *hv, const char *pool, const char *name,
			  virStorageVolPtr *ret_volume, struct fail *fail)
{
	CLEANUP(pool_handle) virStoragePoolPtr handle = NULL;

	*ret_volume = NULL;
	if (look_up_pool(hv, pool, &handle, fail) < 0)
		return -1;
	if (handle == NULL)
		return 0;
	*ret_volume = virStorageVolLookupByName(handle, name);
	if (*ret_volume != NULL || is_no_volume())
		return 0;
	return fail_about(fail, "libvirt does not tell about volume", name);
}

/* The volume, which must be there. */
static int open_volume(struct hv *hv, const char *pool, const char *name,
		       virStorageVolPtr *ret_volume, struct fail *fail)
{
	if (look_up_volume(hv, pool, name, ret_volume, fail) < 0)
		return -1;
	return *ret_volume == NULL ? fail_about(fail, "libvirt does not find volume", name) : 0;
}

static int read_volume(virStorageVolPtr from, const char *pool, struct hv_volume **ret_volume,
		       struct fail *fail)
{
	CLEANUP(hv_volume) struct hv_volume *volume = mem_alloc(1, sizeof *volume);
	CLEANUP(text) char *name = mem_strdup(virStorageVolGetName(from));
	CLEANUP(text) char *xml = virStorageVolGetXMLDesc(from, 0);

	/* Its file is gone, and the pool was not looked at since. */
	if (xml == NULL && virGetLastErrorCode() == VIR_ERR_NO_STORAGE_VOL) {
		*ret_volume = NULL;
		return 0;
	}
	if (xml == NULL)
		return fail_about(fail, "libvirt does not tell about volume", name);
	volume->pool = mem_strdup(pool);
	if (storage_xml_read_volume(xml, volume, fail) < 0)
		return -1;
	*ret_volume = STEAL(volume);
	return 0;
}

int hv_volume_read(struct hv *hv, const char *pool, const char *name, struct hv_volume **ret_volume,
		   struct fail *fail)
{
	CLEANUP(volume_handle) virStorageVolPtr handle = NULL;

	if (look_up_volume(hv, pool, name, &handle, fail) < 0)
		return -1;
	if (handle != NULL)
		return read_volume(handle, pool, ret_volume, fail);
	*ret_volume = NULL;
	return 0;
}

int hv_volume_at(struct hv *hv, const char *path, struct hv_volume **ret_volume, struct fail *fail)
{
	CLEANUP(volume_handle)
	virStorageVolPtr handle = virStorageVolLookupByPath(hv->connection, path);
	CLEANUP(pool_handle) virStoragePoolPtr pool = NULL;

	if (handle == NULL && !is_no_volume())
		return fail_about(fail, "libvirt does not tell about volume", path);
	if (handle == NULL) {
		*ret_volume = NULL;
		return 0;
	}
	pool = virStoragePoolLookupByVolume(handle);
	if (pool == NULL)
		return fail_about(fail, "libvirt does not tell the pool of volume", path);
	return read_volume(handle, virStoragePoolGetName(pool), ret_volume, fail);
}

void hv_volume_free(struct hv_volume *volume)
{
	if (volume == NULL)
		return;
	free(volume->pool);
	free(volume->name);
	free(volume->path);
	free(volume->format);
	free(volume->backing);
	free(volume->backing_format);
	free(volume);
}

static int create(struct hv *hv, const struct hv_volume_wish *wish, virStorageVolPtr *ret_volume,
		  struct fail *fail)
{
	CLEANUP(text) char *xml = storage_xml_volume(wish);
	CLEANUP(pool_handle) virStoragePoolPtr pool = NULL;

	if (open_pool(hv, wish->pool, &pool, fail) < 0)
		return -1;
	*ret_volume = virStorageVolCreateXML(pool, xml, 0);
	return *ret_volume == NULL ? fail_about(fail, "libvirt cannot make volume", wish->name) : 0;
}

int hv_volume_create(struct hv *hv, const struct hv_volume_wish *wish, struct fail *fail)
{
	CLEANUP(volume_handle) virStorageVolPtr volume = NULL;

	return create(hv, wish, &volume, fail);
}

static int send_all(virStreamPtr stream, const char *bytes, size_t length)
{
	for (size_t sent = 0; sent < length;) {
		size_t piece = length - sent;
		int done = virStreamSend(stream, bytes + sent,
					 piece < UPLOAD_PIECE_BYTES ? piece : UPLOAD_PIECE_BYTES);

		if (done <= 0)
			return -1;
		sent += (size_t)done;
	}
	return 0;
}

static int upload(struct hv *hv, virStorageVolPtr volume, const void *bytes, size_t length)
{
	CLEANUP(stream) virStreamPtr stream = virStreamNew(hv->connection, 0);

	if (stream == NULL || virStorageVolUpload(volume, stream, 0, length, 0) < 0)
		return -1;
	if (send_all(stream, bytes, length) == 0)
		return virStreamFinish(stream);
	virStreamAbort(stream);
	return -1;
}

int hv_volume_create_filled(struct hv *hv, const char *pool, const char *name, const void *bytes,
			    size_t length, struct fail *fail)
{
	const struct hv_volume_wish wish = {
		.pool = pool, .name = name, .format = "raw", .capacity_bytes = length
	};
	CLEANUP(volume_handle) virStorageVolPtr volume = NULL;

	if (create(hv, &wish, &volume, fail) < 0)
		return -1;
	if (upload(hv, volume, bytes, length) == 0)
		return 0;
	fail_about(fail, "libvirt cannot fill volume", name);
	(void)virStorageVolDelete(volume, 0);
	return -1;
}

int hv_volume_resize(struct hv *hv, const char *pool, const char *name, uint64_t capacity_bytes,
		     struct fail *fail)
{
	CLEANUP(volume_handle) virStorageVolPtr volume = NULL;

	if (open_volume(hv, pool, name, &volume, fail) < 0)
		return -1;
	if (virStorageVolResize(volume, capacity_bytes, 0) < 0)
		return fail_about(fail, "libvirt cannot enlarge volume", name);
	return 0;
}

int hv_volume_delete(struct hv *hv, const char *pool, const char *name, struct fail *fail)
{
	CLEANUP(volume_handle) virStorageVolPtr volume = NULL;

	if (look_up_volume(hv, pool, name, &volume, fail) < 0)
		return -1;
	if (volume == NULL || virStorageVolDelete(volume, 0) == 0 ||
	    virGetLastErrorCode() == VIR_ERR_NO_STORAGE_VOL)
		return 0;
	return fail_about(fail, "libvirt cannot delete volume", name);
}
