// SPDX-License-Identifier: MIT
#include "vmm/disk_base.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

/* Of the header, in bytes; numbers are big-endian. */
enum {
	VERSION_AT = 4,
	BACKING_AT = 8,
	SIZE_AT = 24,
	FEATURES_AT = 72, /* incompatible ones; from version 3 on */
	HEADER_BYTES = 80,
};

#define MAGIC              "QFI\xfb"
#define EXTERNAL_DATA_FILE 4 /* a feature's bit */

static uint64_t big_endian(const unsigned char *at, size_t bytes)
{
	uint64_t number = 0;

	for (size_t i = 0; i < bytes; i++)
		number = number << 8 | at[i];
	return number;
}

static int refuse(const struct disk *disk, const struct spec *spec, enum fail_kind kind,
		  const char *what, struct fail *fail)
{
	fail_add(fail, kind, "%s image = %s: %s", disk->spec->label, disk->spec->image, what);
	return fail_at(fail, spec->file, disk->spec->line);
}

static int refuse_chain(const struct disk *disk, const struct spec *spec, struct fail *fail)
{
	CLEANUP(text) char *image = text_shell(disk->spec->image);

	refuse(disk, spec, FAIL_SPEC, "not an image that stands for itself", fail);
	fail_cause(fail, "it names another file as a part of it, which the guest would read");
	return fail_hint(fail,
			 "if you trust it, make one of both: qemu-img convert -O qcow2 %s "
			 "whole.qcow2   and name that",
			 image);
}

static int check_header(const struct disk *disk, const struct spec *spec,
			const unsigned char *header, size_t length, struct fail *fail)
{
	bool is_qcow2 = length == HEADER_BYTES && memcmp(header, MAGIC, strlen(MAGIC)) == 0;

	if (is_qcow2 && !disk->base_is_qcow2 && disk->spec->format == SPEC_DISK_AUTO) {
		refuse(disk, spec, FAIL_SPEC, "a qcow2 image by another name", fail);
		return fail_hint(fail, "add format = qcow2   (or format = raw, if its content "
				       "means something else)");
	}
	if (!disk->base_is_qcow2)
		return 0;
	if (!is_qcow2) {
		refuse(disk, spec, FAIL_SPEC, "not a qcow2 image", fail);
		fail_cause(fail, "its first bytes are not those of one");
		return fail_hint(fail, "download it again, or say what it is: format = raw");
	}
	if (big_endian(header + BACKING_AT, 8) != 0 ||
	    (big_endian(header + VERSION_AT, 4) >= 3 &&
	     (big_endian(header + FEATURES_AT, 8) & EXTERNAL_DATA_FILE) != 0))
		return refuse_chain(disk, spec, fail);
	return 0;
}

static int read_image(struct disk *disk, const struct spec *spec, int fd, struct fail *fail)
{
	unsigned char header[HEADER_BYTES] = { 0 };
	ssize_t length = pread(fd, header, sizeof header, 0);
	off_t end = lseek(fd, 0, SEEK_END);

	if (length < 0 || end < 0) {
		refuse(disk, spec, FAIL_HOST, "it cannot be read", fail);
		return fail_cause(fail, "%s", strerror(errno));
	}
	if (check_header(disk, spec, header, (size_t)length, fail) < 0)
		return -1;
	disk->base_bytes = disk->base_is_qcow2 ? big_endian(header + SIZE_AT, 8) : (uint64_t)end;
	return 0;
}

static int ask_libvirt(struct disk *disk, const struct spec *spec, struct hv *hv, int error,
		       struct fail *fail)
{
	CLEANUP(hv_volume) struct hv_volume *volume = NULL;
	CLEANUP(text) char *image = text_shell(disk->spec->image);

	if (hv != NULL && hv_volume_at(hv, disk->spec->image, &volume, fail) < 0)
		return -1;
	if (volume != NULL && volume->backing != NULL)
		return refuse_chain(disk, spec, fail);
	if (volume != NULL && text_equal(volume->format, disk_base_format(disk))) {
		disk->base_bytes = volume->capacity_bytes;
		return 0;
	}
	refuse(disk, spec, FAIL_HOST, "nobody tells how large it is", fail);
	fail_cause(fail,
		   "you may not read it (%s), and libvirt has no %s image there in an active "
		   "pool",
		   strerror(error), disk_base_format(disk));
	return fail_hint(fail, "sudo chmod a+r %s", image);
}

int disk_base_read(struct disk *disk, const struct spec *spec, struct hv *hv, struct fail *fail)
{
	CLEANUP(fd) int fd = open(disk->spec->image, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return ask_libvirt(disk, spec, hv, errno, fail);
	return read_image(disk, spec, fd, fail);
}
