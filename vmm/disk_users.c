// SPDX-License-Identifier: MIT
#include "vmm/disk_users.h"

#include "vmm/base/text.h"
#include "vmm/disk.h"
#include "vmm/hv_storage.h"

static bool is_at(const struct guest_disk *disk, struct hv *hv, const char *path)
{
	CLEANUP(hv_volume) struct hv_volume *volume = NULL;
	CLEANUP(fail) struct fail ignored = { 0 };

	if (disk->path != NULL)
		return disk_is_same(disk->path, path);
	return hv != NULL && hv_volume_read(hv, disk->pool, disk->volume, &volume, &ignored) == 0 &&
	       volume != NULL && disk_is_same(volume->path, path);
}

enum disk_use disk_users_look(const struct guest *guest, struct hv *hv, const char *path)
{
	enum disk_use use = DISK_UNUSED;

	for (size_t i = 0; i < guest->disk_count; i++) {
		if (!is_at(&guest->disks[i], hv, path))
			continue;
		if (guest->disks[i].is_written)
			return DISK_WRITTEN;
		use = DISK_READ;
	}
	for (size_t i = 0; i < guest->volumes.count; i++) {
		const struct guest_volume *volume = &guest->volumes.items[i];

		if (disk_is_same(volume->path, path))
			return DISK_WRITTEN;
		if (volume->backing != NULL && disk_is_same(volume->backing, path))
			use = DISK_READ;
	}
	return use;
}

bool disk_users_is_same_base(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : disk_is_same(a, b);
}

bool disk_users_is_as_made(const struct hv_volume *volume, const struct guest_volume *record)
{
	return text_equal(volume->format, record->format) &&
	       disk_users_is_same_base(volume->backing, record->backing);
}
