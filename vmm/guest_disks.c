// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/disk.h"
#include "vmm/guest_internal.h"

/* What the guest has as its disks, what they are built on, and what is copied from them just now. */
#define DISKS    "/domain/devices/disk/source"
#define BASES    "/domain/devices/disk/descendant::backingStore/source"
#define MIRRORS  "/domain/devices/disk/mirror/source"
#define READONLY "/domain/devices/disk[readonly]/source"
#define VOLUMES  "/domain/metadata/g:vm[1]/g:volume"

static void add(struct guest *guest, xmlNode *source, bool is_written)
{
	CLEANUP(text) char *file = guest_attribute(source, "file");
	CLEANUP(text) char *device = guest_attribute(source, "dev");
	CLEANUP(text) char *pool = guest_attribute(source, "pool");
	CLEANUP(text) char *volume = guest_attribute(source, "volume");
	struct guest_disk *disk;

	if (guest->disk_count == GUEST_MOST_DEVICES ||
	    (file == NULL && device == NULL && (pool == NULL || volume == NULL)))
		return;
	disk = MEM_APPEND(guest->disks, guest->disk_count);
	disk->is_written = is_written;
	disk->path = file != NULL ? STEAL(file) : STEAL(device);
	if (disk->path == NULL) {
		disk->pool = STEAL(pool);
		disk->volume = STEAL(volume);
	}
}

static bool is_among(const xmlXPathObject *found, const xmlNode *node)
{
	for (size_t i = 0; i < guest_found_count(found); i++)
		if (found->nodesetval->nodeTab[i] == node)
			return true;
	return false;
}

static void add_all(struct guest *guest, xmlXPathContext *context, const char *path,
		    bool is_written)
{
	CLEANUP(found) xmlXPathObject *found = guest_find(context, path);
	CLEANUP(found) xmlXPathObject *readonly = guest_find(context, READONLY);

	for (size_t i = 0; i < guest_found_count(found) && i < GUEST_MOST_DEVICES; i++) {
		xmlNode *source = found->nodesetval->nodeTab[i];

		add(guest, source, is_written && !is_among(readonly, source));
	}
}

void guest_read_disks(struct guest *guest, xmlXPathContext *context)
{
	add_all(guest, context, DISKS, true);
	add_all(guest, context, MIRRORS, true);
	add_all(guest, context, BASES, false);
}

/* gpuvm acts on these: a name that is not the VM's own could be anybody's volume. */
static bool is_sound(const struct guest *guest, const struct guest_volume *volume)
{
	return volume->pool != NULL && *volume->pool != '\0' && volume->name != NULL &&
	       disk_volume_is_of(volume->name, guest->name) && volume->path != NULL &&
	       *volume->path == '/' &&
	       (text_equal(volume->format, "qcow2") || text_equal(volume->format, "raw")) &&
	       (volume->backing == NULL || *volume->backing == '/');
}

static void free_volume(struct guest_volume *volume)
{
	free(volume->pool);
	free(volume->name);
	free(volume->path);
	free(volume->format);
	free(volume->backing);
}

void guest_read_volumes(struct guest *guest, xmlXPathContext *context)
{
	CLEANUP(found) xmlXPathObject *found = guest_find(context, VOLUMES);

	for (size_t i = 0; i < guest_found_count(found); i++) {
		xmlNode *node = found->nodesetval->nodeTab[i];
		struct guest_volume volume = { .pool = guest_attribute(node, "pool"),
					       .name = guest_attribute(node, "name"),
					       .path = guest_attribute(node, "path"),
					       .format = guest_attribute(node, "format"),
					       .backing = guest_attribute(node, "backing") };

		if (i == GUEST_MOST_DEVICES || !is_sound(guest, &volume)) {
			free_volume(&volume);
			guest_add_problem(guest,
					  mem_strdup("gpuvm's record of a disk is malformed"));
			return;
		}
		*MEM_APPEND(guest->volumes.items, guest->volumes.count) = volume;
	}
}

void guest_free_disks(struct guest *guest)
{
	for (size_t i = 0; i < guest->disk_count; i++) {
		free(guest->disks[i].path);
		free(guest->disks[i].pool);
		free(guest->disks[i].volume);
	}
	for (size_t i = 0; i < guest->volumes.count; i++)
		free_volume(&guest->volumes.items[i]);
	free(guest->disks);
	free(guest->volumes.items);
}
