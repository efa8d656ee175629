// SPDX-License-Identifier: MIT
#include "vmm/base/text.h"
#include "vmm/disk_users.h"
#include "vmm/hv_storage.h"
#include "vmm/launch_internal.h"

static struct hv_volume_wish wish_for(const struct disk *disk)
{
	return (struct hv_volume_wish){
		.pool = disk->pool,
		.name = disk->volume,
		.format = disk_format(disk),
		.capacity_bytes = disk->spec->size_bytes,
		.backing = disk->spec->image,
		.backing_format = disk->spec->image == NULL ? NULL : disk_base_format(disk),
	};
}

static int make(const struct launch *launch, struct disk *disk, struct fail *fail)
{
	const struct hv_volume_wish wish = wish_for(disk);
	CLEANUP(text) char *says = text_format("making its disk %s", disk->volume);

	launch_say(launch, "make-disk", says);
	disk->made = DISK_MAYBE_MADE;
	if (hv_volume_create(launch->hv, &wish, fail) < 0)
		return -1;
	disk->made = DISK_MADE;
	return 0;
}

/* Looked at again, now that the pool is up: nothing that is in the way is ever taken for ours. */
static int make_or_enlarge(const struct launch *launch, struct disk *disk, struct fail *fail)
{
	CLEANUP(hv_pool) struct hv_pool *pool = NULL;
	CLEANUP(hv_volume) struct hv_volume *volume = NULL;

	if (hv_pool_read(launch->hv, disk->pool, &pool, fail) < 0 ||
	    hv_pool_ready(launch->hv, pool, fail) < 0 ||
	    hv_volume_read(launch->hv, disk->pool, disk->volume, &volume, fail) < 0)
		return -1;
	disk->is_asked = true;
	disk->is_there = false;
	if (launch_disks_judge(launch, disk, volume, fail) < 0)
		return -1;
	if (!disk->is_there)
		return make(launch, disk, fail);
	return disk->spec->size_bytes > disk->there_bytes
		       ? hv_volume_resize(launch->hv, disk->pool, disk->volume,
					  disk->spec->size_bytes, fail)
		       : 0;
}

int launch_disks_make(struct launch *launch, struct fail *fail)
{
	for (size_t i = 0; i < launch->disks->count; i++) {
		struct disk *disk = &launch->disks->disks[i];

		if (disk->kind != DISK_IMAGE && make_or_enlarge(launch, disk, fail) < 0)
			return -1;
	}
	return 0;
}

/* A volume of that name that is not as it was asked for is somebody else's, made a moment before. */
static bool is_as_wished(const struct hv_volume *volume, const struct disk *disk)
{
	return volume->capacity_bytes == disk->spec->size_bytes &&
	       text_equal(volume->format, disk_format(disk)) &&
	       disk_users_is_same_base(volume->backing, disk->spec->image);
}

static int unmake(struct launch *launch, struct disk *disk, struct fail *fail)
{
	CLEANUP(hv_volume) struct hv_volume *volume = NULL;

	if (disk->made == DISK_MAYBE_MADE) {
		if (hv_volume_read(launch->hv, disk->pool, disk->volume, &volume, fail) < 0)
			return -1;
		if (volume == NULL || !is_as_wished(volume, disk)) {
			disk->made = DISK_NOT_MADE;
			return 0;
		}
	}
	if (hv_volume_delete(launch->hv, disk->pool, disk->volume, fail) < 0)
		return -1;
	disk->made = DISK_NOT_MADE;
	return 0;
}

void launch_disks_undo(struct launch *launch, struct fail *fail)
{
	bool is_active = false;

	if (launch_undo_ask(launch, &is_active) < 0 || is_active)
		return;
	for (size_t i = 0; i < launch->disks->count; i++)
		if (launch->disks->disks[i].made != DISK_NOT_MADE)
			(void)unmake(launch, &launch->disks->disks[i], fail);
}
