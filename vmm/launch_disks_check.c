// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <sys/stat.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/disk_base.h"
#include "vmm/disk_users.h"
#include "vmm/hv_storage.h"
#include "vmm/launch_internal.h"
#include "vmm/preflight.h"

/* The VM as libvirt knows it by now, or NULL. */
static const struct usage_vm *own_vm(const struct launch *launch)
{
	return usage_vm(launch->usage, launch->spec->name);
}

/* What gpuvm recorded of @disk's volume, or NULL. */
static const struct guest_volume *record_of(const struct launch *launch, const struct disk *disk)
{
	const struct usage_vm *vm = own_vm(launch);

	for (size_t i = 0; vm != NULL && vm->guest->is_ours && i < vm->guest->volumes.count; i++)
		if (text_equal(vm->guest->volumes.items[i].name, disk->volume))
			return &vm->guest->volumes.items[i];
	return NULL;
}

/* The key of the spec that is to blame, as a user wrote it. */
static int at_size(const struct launch *launch, const struct disk *disk, struct fail *fail)
{
	return fail_at(fail, launch->spec->file, disk->spec->size_line);
}

static int refuse_user(const struct launch *launch, const struct disk *disk, const char *path,
		       const struct usage_vm *vm, enum disk_use use, struct fail *fail)
{
	CLEANUP(text) char *word = text_shell(vm->guest->name);
	const char *verb = use == DISK_WRITTEN ? "writes to" : "reads, and maybe builds on,";

	fail_add(fail, FAIL_BUSY, "%s %s: the disk of another VM", disk->spec->label, path);
	fail_cause(fail, "%s %s it%s", vm->label, verb,
		   vm->domain->is_active ? "" : " when it runs; it is off");
	if (vm->domain->is_active)
		fail_hint(fail, "%s", vm->remedy);
	else
		fail_hint(fail,
			  "give each its own: write size = to have one made on a base that "
			  "neither writes   or: gpuvm delete %s",
			  word);
	return fail_at(fail, launch->spec->file, disk->spec->line);
}

/* Anybody who runs counts. Of those that are off gpuvm's do: it knows that they are to be started again. */
static int check_users(const struct launch *launch, const struct disk *disk, const char *path,
		       bool writes, struct fail *fail)
{
	for (size_t i = 0; i < launch->usage->vm_count; i++) {
		const struct usage_vm *vm = &launch->usage->vms[i];
		enum disk_use use;

		if (vm == own_vm(launch) || (!vm->domain->is_active && !vm->guest->is_ours))
			continue;
		use = disk_users_look(vm->guest, launch->hv, path);
		if (use == DISK_WRITTEN || (use == DISK_READ && writes))
			return refuse_user(launch, disk, path, vm, use, fail);
	}
	return 0;
}

/* By other names the same file: what the spec's own words do not show. */
static int check_twice(const struct launch *launch, const struct disk *disk, struct fail *fail)
{
	for (const struct disk *other = launch->disks->disks; other < disk; other++) {
		const char *mine = disk->kind == DISK_OVERLAY ? disk->spec->image : disk->path;
		const char *others = other->kind == DISK_OVERLAY ? other->spec->image : other->path;

		if ((disk->kind == DISK_OVERLAY && other->kind == DISK_OVERLAY) ||
		    !disk_is_same(mine, others))
			continue;
		fail_add(fail, FAIL_SPEC, "%s image = %s: the image is a disk of this VM already",
			 disk->spec->label, mine);
		fail_cause(fail, "%s %s leads to the same file", other->spec->label, others);
		return fail_at(fail, launch->spec->file, disk->spec->line);
	}
	return 0;
}

static int refuse_pool(const struct launch *launch, const struct disk *disk,
		       const struct hv_pool *pool, struct fail *fail)
{
	CLEANUP(text) char *uri = text_shell(hv_uri(launch->hv));
	bool is_absent = pool->state == HV_POOL_ABSENT;

	fail_add(fail, FAIL_HOST, "%s pool = %s: %s", disk->spec->label, disk->spec->pool,
		 is_absent ? "libvirt has no storage pool of that name" : "not a pool of files");
	if (!is_absent)
		fail_cause(fail, "its type is %s; gpuvm makes disks in dir, fs and netfs",
			   pool->type);
	fail_hint(fail,
		  "see what there is: virsh -c %s pool-list --all --details   or leave pool "
		  "out",
		  uri);
	return fail_at(fail, launch->spec->file, disk->spec->pool_line);
}

static bool is_of_files(const struct hv_pool *pool)
{
	return pool->path != NULL &&
	       (text_equal(pool->type, "dir") || text_equal(pool->type, "fs") ||
		text_equal(pool->type, "netfs"));
}

/* Finds the pool, and with it where the volume is or will be. */
static int find_pool(const struct launch *launch, struct disk *disk, struct hv_pool **ret_pool,
		     struct fail *fail)
{
	CLEANUP(hv_pool) struct hv_pool *pool = NULL;

	if (hv_pool_read(launch->hv, disk->spec->pool, &pool, fail) < 0)
		return -1;
	if (pool->state == HV_POOL_ABSENT ? !text_equal(pool->name, HV_POOL_DEFAULT)
					  : !is_of_files(pool))
		return refuse_pool(launch, disk, pool, fail);
	disk->is_placed = true;
	if (pool->state != HV_POOL_ABSENT) {
		free(disk->pool);
		free(disk->path);
		disk->pool = mem_strdup(pool->name);
		disk->path = text_format("%s/%s", pool->path, disk->volume);
		disk->free_bytes = pool->available_bytes;
	}
	/* A plan's connection may not. */
	if (pool->state == HV_POOL_ACTIVE && launch->gate != NULL)
		hv_pool_refresh(launch->hv, pool);
	*ret_pool = STEAL(pool);
	return 0;
}

static int refuse_clash(const struct launch *launch, const struct disk *disk, bool is_known,
			struct fail *fail)
{
	CLEANUP(text) char *uri = text_shell(hv_uri(launch->hv));
	CLEANUP(text) char *pool = text_shell(disk->pool);

	fail_add(fail, FAIL_SPEC, "%s: the disk's place is taken", disk->spec->label);
	if (disk->kind == DISK_OVERLAY && disk_is_same(disk->spec->image, disk->path)) {
		fail_cause(fail, "%s would be made on itself", disk->path);
		fail_hint(fail,
			  "leave size out to use it as it is, or give the image another name");
		return at_size(launch, disk, fail);
	}
	fail_cause(fail, "%s is there, and was not made for this VM%s", disk->path,
		   own_vm(launch) == NULL ? ", or is left of one deleted" : "");
	if (is_known)
		fail_hint(fail,
			  "to go on with it, write image = %s without size   or, if nobody "
			  "needs it: virsh -c %s vol-delete --pool %s %s",
			  disk->path, uri, pool, disk->volume);
	else
		fail_hint(fail, "to go on with it, write image = %s without size, or move it away",
			  disk->path);
	return at_size(launch, disk, fail);
}

static int refuse_smaller(const struct launch *launch, const struct disk *disk, uint64_t least,
			  const char *of_what, struct fail *fail)
{
	CLEANUP(text) char *size = size_format(disk->spec->size_bytes);
	CLEANUP(text) char *is = size_format(least);
	CLEANUP(text) char *near = size_format((least + SIZE_MIB - 1) / SIZE_MIB * SIZE_MIB);

	fail_add(fail, FAIL_SPEC, "%s size = %s: smaller than %s", disk->spec->label, size,
		 of_what);
	fail_cause(fail, "that has %s, and what is at its end would be cut off", is);
	fail_hint(fail, "write size = %s or more", near);
	return at_size(launch, disk, fail);
}

static int refuse_changed(const struct launch *launch, const struct disk *disk,
			  const struct guest_volume *record, struct fail *fail)
{
	fail_add(fail, FAIL_SPEC, "%s: the VM has this disk already, and not as the spec has it",
		 disk->spec->label);
	fail_cause(fail, "%s was made in pool %s, %s, %s%s", record->name, record->pool,
		   record->format, record->backing == NULL ? "blank" : "on ",
		   record->backing == NULL ? "" : record->backing);
	fail_hint(fail,
		  "write that, or another label for another disk; all of the VM's disks "
		  "away: gpuvm delete %s --disks",
		  launch->spec->name);
	return at_size(launch, disk, fail);
}

static bool is_as_recorded(const struct disk *disk, const struct guest_volume *record)
{
	return text_equal(disk->pool, record->pool) &&
	       text_equal(disk_format(disk), record->format) &&
	       disk_users_is_same_base(disk->spec->image, record->backing);
}

/* Of a disk that was made elsewhere or otherwise, whether that is there still. */
static int check_change(const struct launch *launch, const struct disk *disk,
			const struct guest_volume *record, struct fail *fail)
{
	CLEANUP(hv_volume) struct hv_volume *volume = NULL;

	if (record == NULL || is_as_recorded(disk, record))
		return 0;
	if (hv_volume_read(launch->hv, record->pool, record->name, &volume, fail) < 0)
		return -1;
	return volume == NULL ? 0 : refuse_changed(launch, disk, record, fail);
}

int launch_disks_judge(const struct launch *launch, struct disk *disk,
		       const struct hv_volume *volume, struct fail *fail)
{
	const struct guest_volume *record = record_of(launch, disk);
	struct stat info;

	if (volume == NULL)
		return stat(disk->path, &info) == 0 && (record == NULL || disk->is_asked)
			       ? refuse_clash(launch, disk, false, fail)
			       : 0;
	if (record == NULL || !disk_users_is_as_made(volume, record))
		return refuse_clash(launch, disk, true, fail);
	if (disk->spec->size_bytes < volume->capacity_bytes)
		return refuse_smaller(launch, disk, volume->capacity_bytes, "the disk as it is",
				      fail);
	disk->is_there = true;
	disk->there_bytes = volume->capacity_bytes;
	return 0;
}

static int ask(const struct launch *launch, struct disk *disk, struct fail *fail)
{
	CLEANUP(hv_pool) struct hv_pool *pool = NULL;
	CLEANUP(hv_volume) struct hv_volume *volume = NULL;

	if (launch->hv == NULL)
		return 0;
	if (find_pool(launch, disk, &pool, fail) < 0 ||
	    hv_volume_read(launch->hv, disk->pool, disk->volume, &volume, fail) < 0)
		return -1;
	/* What is in a pool that is off is seen when it is on. */
	disk->is_asked = pool->state != HV_POOL_INACTIVE;
	if (check_change(launch, disk, record_of(launch, disk), fail) < 0)
		return -1;
	return launch_disks_judge(launch, disk, volume, fail);
}

/* Of a volume that is there nobody asks any more what its base was like: libvirt and QEMU do. */
static int check_base(const struct launch *launch, struct disk *disk, struct fail *fail)
{
	if (disk->kind != DISK_OVERLAY || disk->is_there)
		return 0;
	if (disk_base_read(disk, launch->spec, launch->hv, fail) < 0)
		return -1;
	return disk->spec->size_bytes < disk->base_bytes
		       ? refuse_smaller(launch, disk, disk->base_bytes, "the image", fail)
		       : 0;
}

static int check_disk(const struct launch *launch, struct disk *disk, struct fail *fail)
{
	if (disk->kind != DISK_BLANK && check_twice(launch, disk, fail) < 0)
		return -1;
	if (disk->kind != DISK_IMAGE && ask(launch, disk, fail) < 0)
		return -1;
	if (check_users(launch, disk, disk->path, true, fail) < 0)
		return -1;
	if (disk->kind == DISK_OVERLAY &&
	    check_users(launch, disk, disk->spec->image, false, fail) < 0)
		return -1;
	return check_base(launch, disk, fail);
}

static int check_images(const struct launch *launch, struct fail *fail)
{
	bool *is_block = mem_alloc(launch->disks->count, sizeof *is_block);
	int result = preflight_images(launch->spec, is_block, fail);

	for (size_t i = 0; i < launch->disks->count; i++)
		launch->disks->disks[i].is_block = is_block[i] &&
						   launch->disks->disks[i].kind == DISK_IMAGE;
	free(is_block);
	return result;
}

int launch_disks_check(struct launch *launch, struct fail *fail)
{
	int result;

	if (launch->disks == NULL)
		launch->disks = disks_new(launch->spec);
	result = check_images(launch, fail);
	for (size_t i = 0; result == 0 && i < launch->disks->count; i++)
		result = check_disk(launch, &launch->disks->disks[i], fail);
	disks_choose_io(launch->disks, launch->root);
	return result;
}

int launch_disks_foresee(struct launch *launch, struct fail *fail)
{
	struct fail refusal = { 0 };

	(void)fail;
	launch->disks = disks_new(launch->spec);
	if (launch->root->live)
		(void)launch_disks_check(launch, &refusal);
	else
		disks_choose_io(launch->disks, launch->root);
	launch_refusals_keep(launch, &refusal, "disks");
	return 0;
}
