// SPDX-License-Identifier: MIT
#include "vmm/base/iso9660.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define SECTOR_BYTES   ((size_t)2048)
#define OVERHEAD_BYTES ((size_t)1 << 20) /* of tables and folders: a tenth of it in truth */

/* ECMA-119: 8.4 has the descriptor's fields, 9.1 the record's. */
enum {
	FIRST_DESCRIPTOR = 16, /* its sector */
	PRIMARY = 1,
	SUPPLEMENTARY = 2,
	TERMINATOR = 255,
	ROOT_RECORD = 156,
	CREATION_DATE = 813,
	MODIFICATION_DATE = 830,
	EFFECTIVE_DATE = 864,
	RECORD_EXTENT = 2,
	RECORD_LENGTH = 10,
	RECORD_DATE = 18,
	RECORD_NAME_LENGTH = 32,
	RECORD_NAME = 33,
};

/* 1980-01-01 00:00:00 UTC, as a descriptor has it and as a record has it. */
static const char long_date[17] = "1980010100000000";
static const unsigned char short_date[7] = { 80, 1, 1, 0, 0, 0, 0 };

CLEANUP_DEFINE(writer, struct archive, archive_write_free)

struct image {
	unsigned char *bytes;
	size_t length;
};

static uint32_t little_endian(const unsigned char *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Rock Ridge keeps dates of its own behind the name: entries of "TF" (RRIP 1.12, 4.1.6). */
static void settle_rock_ridge(unsigned char *at, const unsigned char *end)
{
	for (; end - at >= 5 && at[2] >= 4 && at[2] <= end - at; at += at[2])
		if (at[0] == 'T' && at[1] == 'F')
			for (unsigned char *date = at + 5; at + at[2] - date >= 7; date += 7)
				memcpy(date, short_date, sizeof short_date);
}

static void settle_record(unsigned char *record, size_t length)
{
	size_t name = record[RECORD_NAME_LENGTH];
	size_t rest = RECORD_NAME + name + (name % 2 == 0 ? 1 : 0);

	memcpy(record + RECORD_DATE, short_date, sizeof short_date);
	if (rest < length)
		settle_rock_ridge(record + rest, record + length);
}

/* The one folder. A record does not cross sectors; a length of 0 ends those of a sector. */
static void settle_folder(const struct image *image, size_t start, size_t length)
{
	size_t at = start;

	if (start > image->length || length > image->length - start)
		return;
	while (at < start + length) {
		size_t record = image->bytes[at];

		if (record > RECORD_NAME && record <= start + length - at) {
			settle_record(image->bytes + at, record);
			at += record;
		} else {
			at = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
		}
	}
}

/* Nobody but people reads it: libarchive's version, options and time, behind the last descriptor. */
static void drop_information(const struct image *image, size_t at)
{
	if (at + SECTOR_BYTES <= image->length && memcmp(image->bytes + at, "INFO ", 5) == 0)
		memset(image->bytes + at, 0, SECTOR_BYTES);
}

/* libarchive writes the time of its own run into descriptors and the top folder, whatever it is told. */
static void settle_dates(const struct image *image)
{
	for (size_t at = FIRST_DESCRIPTOR * SECTOR_BYTES; at + SECTOR_BYTES <= image->length;
	     at += SECTOR_BYTES) {
		unsigned char *descriptor = image->bytes + at;
		unsigned char *root = descriptor + ROOT_RECORD;

		if (descriptor[0] == TERMINATOR) {
			drop_information(image, at + SECTOR_BYTES);
			return;
		}
		if (descriptor[0] != PRIMARY && descriptor[0] != SUPPLEMENTARY)
			continue;
		memcpy(descriptor + CREATION_DATE, long_date, sizeof long_date);
		memcpy(descriptor + MODIFICATION_DATE, long_date, sizeof long_date);
		memcpy(descriptor + EFFECTIVE_DATE, long_date, sizeof long_date);
		memcpy(root + RECORD_DATE, short_date, sizeof short_date);
		settle_folder(image, little_endian(root + RECORD_EXTENT) * SECTOR_BYTES,
			      little_endian(root + RECORD_LENGTH));
	}
}

static bool add_file(struct archive *to, const struct iso9660_file *file)
{
	struct archive_entry *entry = archive_entry_new();
	bool done;

	if (entry == NULL)
		abort();
	archive_entry_set_pathname(entry, file->name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0444);
	archive_entry_set_size(entry, (la_int64_t)file->length);
	done = archive_write_header(to, entry) == ARCHIVE_OK &&
	       (file->length == 0 ||
		archive_write_data(to, file->bytes, file->length) == (la_ssize_t)file->length);
	archive_entry_free(entry);
	return done;
}

static bool write_all(struct archive *to, const char *label, const struct iso9660_file *files,
		      size_t count, struct image *image, size_t room)
{
	CLEANUP(text)
	char *options = text_format("iso9660:volume-id=%s,iso9660:!pad,"
				    "iso9660:rockridge=strict,iso9660:joliet",
				    label);
	bool done = archive_write_set_format_iso9660(to) == ARCHIVE_OK &&
		    archive_write_set_options(to, options) == ARCHIVE_OK &&
		    archive_write_set_bytes_in_last_block(to, 1) == ARCHIVE_OK &&
		    archive_write_open_memory(to, image->bytes, room, &image->length) == ARCHIVE_OK;

	for (size_t i = 0; done && i < count; i++)
		done = add_file(to, &files[i]);
	return done && archive_write_close(to) == ARCHIVE_OK;
}

int iso9660_build(const char *label, const struct iso9660_file *files, size_t count,
		  unsigned char **ret_bytes, size_t *ret_length, struct fail *fail)
{
	CLEANUP(writer) struct archive *to = archive_write_new();
	struct image image = { 0 };
	size_t room = OVERHEAD_BYTES;

	if (to == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		room += files[i].length + SECTOR_BYTES;
	image.bytes = mem_alloc(room, 1);
	if (!write_all(to, label, files, count, &image, room)) {
		CLEANUP(text)
		char *error = text_printable(
			archive_error_string(to) == NULL ? "unknown" : archive_error_string(to),
			200);

		archive_write_fail(to); /* or freeing it would write on */
		free(image.bytes);
		fail_add(fail, FAIL_FAIL, "the disk image \"%s\" could not be written", label);
		fail_cause(fail, "libarchive: %s", error);
		return fail_hint(fail, "it needs some room in /tmp, or where TMPDIR points to");
	}
	settle_dates(&image);
	*ret_bytes = image.bytes;
	*ret_length = image.length;
	return 0;
}
