// SPDX-License-Identifier: MIT
#include "vmm/cli/result_disks.h"

#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/cli/out.h"

static json_t *size_json(uint64_t bytes)
{
	return bytes == 0 ? json_null() : json_integer((json_int_t)bytes);
}

/* "make", "grow", "use"; NULL: libvirt was not asked, or the image is the disk. */
static const char *disk_action(const struct disk *disk)
{
	if (disk->kind == DISK_IMAGE || !disk->is_asked)
		return NULL;
	if (!disk->is_there)
		return "make";
	return disk->there_bytes < disk->spec->size_bytes ? "grow" : "use";
}

static const char *disk_kind_name(enum disk_kind kind)
{
	switch (kind) {
	case DISK_IMAGE:
		return "image";
	case DISK_OVERLAY:
		return "overlay";
	case DISK_BLANK:
		return "blank";
	}
	return NULL;
}

json_t *result_disks_json(const struct launch *launch)
{
	json_t *disks = json_array();

	for (size_t i = 0; i < launch->domain->disk_count; i++) {
		const struct disk *disk = launch->domain->disks[i].disk;
		bool is_made = disk->kind != DISK_IMAGE;

		json_array_append_new(
			disks,
			json_pack(
				"{s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, "
				"s:s, s:s}",
				"target", launch->domain->disks[i].target, "kind",
				disk_kind_name(disk->kind), "path",
				out_text_or_null(disk->is_placed ? disk->path : NULL), "volume",
				out_text_or_null(disk->volume), "format", disk_format(disk), "base",
				out_text_or_null(is_made ? disk->spec->image : NULL), "base_bytes",
				size_json(disk->base_bytes), "pool", out_text_or_null(disk->pool),
				"size_bytes", size_json(disk->spec->size_bytes), "there_bytes",
				size_json(disk->there_bytes), "free_bytes",
				size_json(disk->free_bytes), "action",
				out_text_or_null(disk_action(disk)), "cache", disk->io.cache, "io",
				disk->io.io, "io_why", disk->io.why));
	}
	return disks;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "-" : text;
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* What becomes of a disk that is gpuvm's to make. */
static const char *action_words(const json_t *disk)
{
	const char *action = json_string_value(json_object_get(disk, "action"));

	if (action == NULL)
		return "not known whether it is there already";
	if (text_equal(action, "make"))
		return "to be made";
	return text_equal(action, "grow") ? "there already, to be enlarged" : "there already";
}

static void print_disk(const json_t *disk, bool is_first)
{
	const char *base = json_string_value(json_object_get(disk, "base"));
	bool is_image = text_equal(text_of(disk, "kind"), "image");
	CLEANUP(text) char *size = size_format((uint64_t)number_of(disk, "size_bytes"));
	const char *path = json_string_value(json_object_get(disk, "path"));
	CLEANUP(text)
	char *place = path != NULL ? mem_strdup(path)
				   : text_format("%s in pool \"%s\"", text_of(disk, "volume"),
						 text_of(disk, "pool"));
	long long left = number_of(disk, "free_bytes");

	out_line("%-8s %s  %s, %s%s%s%s%s", is_first ? "Disk" : "", text_of(disk, "target"), place,
		 text_of(disk, "format"), is_image ? "" : ", ", is_image ? "" : size,
		 base == NULL ? "" : " on ", base == NULL ? "" : base);
	if (!is_image)
		out_line("%-8s      %s", "", action_words(disk));
	if (left > 0 && left < number_of(disk, "size_bytes")) {
		CLEANUP(text) char *space = size_format_about((uint64_t)left);

		out_line("%-8s      its pool \"%s\" has %s left, less than it may come to take", "",
			 text_of(disk, "pool"), space);
	}
	out_line("%-8s      cache %s, I/O %s: %s", "", text_of(disk, "cache"), text_of(disk, "io"),
		 text_of(disk, "io_why"));
}

void result_disks_print(const json_t *plan)
{
	size_t i;
	const json_t *disk;

	json_array_foreach(json_object_get(plan, "disks"), i, disk)
	{
		print_disk(disk, i == 0);
	}
}
