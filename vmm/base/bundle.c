// SPDX-License-Identifier: MIT
#include "vmm/base/bundle.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define BLOCK_BYTES ((size_t)64 << 10)

CLEANUP_DEFINE(reader, struct archive, archive_read_free)
CLEANUP_DEFINE(writer, struct archive, archive_write_free)

/* One unpacking: where to, and how much so far. */
struct unpacking {
	const char *path; /* of the archive, for messages */
	const char *dir;
	struct archive *from, *to;
	size_t entries, bytes;
};

static int refuse(const struct unpacking *unpacking, const char *name, const char *why,
		  struct fail *fail)
{
	CLEANUP(text) char *shown = text_printable(name, 200);

	fail_add(fail, FAIL_USAGE, "--root %s: not a snapshot that can be trusted",
		 unpacking->path);
	fail_cause(fail, "its entry \"%s\" %s", shown, why);
	return fail_hint(fail, "take one with: gpuvm snapshot FILE");
}

static int no_archive(const char *path, const char *cause, struct fail *fail)
{
	CLEANUP(text) char *shown = text_printable(cause == NULL ? "unknown" : cause, 200);

	fail_add(fail, FAIL_USAGE, "--root %s: not a host's file tree, nor a snapshot of one",
		 path);
	fail_cause(fail, "libarchive: %s", shown);
	return fail_hint(fail, "take one with: gpuvm snapshot FILE");
}

/*
 * The number of components of @path, -1 if it is absolute or has an empty, "." or ".." one. A leading "./"
 * and a trailing "/" are as tar writes them.
 */
static int depth_of(const char *path)
{
	int depth = 0;

	while (text_starts(path, "./"))
		path += 2;
	while (*path != '\0') {
		size_t length = strcspn(path, "/");

		if (length == 0 ||
		    (path[0] == '.' && (length == 1 || (length == 2 && path[1] == '.'))))
			return -1;
		depth++;
		path += length;
		path += *path == '/';
	}
	return depth;
}

/*
 * Links may go up only at their beginning, and not above the top: then each leads to a place inside, whatever
 * links it passes, since those do too. "a/../.." would depend on where a link "a" leads.
 */
static bool stays_inside(const char *path, const char *target)
{
	int depth = depth_of(path) - 1;

	while (text_starts(target, "../")) {
		target += 3;
		depth--;
	}
	return depth >= 0 && depth_of(target) > 0 && !text_starts(target, "./");
}

static const char *wrong_with(struct archive_entry *entry, const char *name)
{
	const char *target = archive_entry_symlink(entry);

	if (name == NULL || strlen(name) > BUNDLE_MOST_PATH)
		return "has no name, or too long a one";
	if (depth_of(name) < 0)
		return "leads out of it";
	if (archive_entry_hardlink(entry) != NULL)
		return "is a hard link";
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
	case AE_IFDIR:
		return NULL;
	case AE_IFLNK:
		return target != NULL && stays_inside(name, target)
			       ? NULL
			       : "is a link that leads out of it";
	default:
		return "is neither a file nor a folder nor a link";
	}
}

static int copy_content(struct unpacking *unpacking, const char *name, struct fail *fail)
{
	const void *block;
	la_int64_t offset;
	size_t length;
	int got;

	while ((got = archive_read_data_block(unpacking->from, &block, &length, &offset)) ==
	       ARCHIVE_OK) {
		/* A sparse file's offset counts too: a reader sees that many zeros. */
		if (offset < 0 || (size_t)offset > BUNDLE_MOST_BYTES ||
		    length > BUNDLE_MOST_BYTES - unpacking->bytes)
			return refuse(unpacking, name, "makes it too large", fail);
		unpacking->bytes += length;
		if (archive_write_data_block(unpacking->to, block, length, offset) != ARCHIVE_OK)
			return refuse(unpacking, name, archive_error_string(unpacking->to), fail);
	}
	return got == ARCHIVE_EOF
		       ? 0
		       : no_archive(unpacking->path, archive_error_string(unpacking->from), fail);
}

static int unpack_entry(struct unpacking *unpacking, struct archive_entry *entry, struct fail *fail)
{
	CLEANUP(text) char *name = mem_strdup(archive_entry_pathname(entry));
	bool is_folder = archive_entry_filetype(entry) == AE_IFDIR;
	const char *wrong = wrong_with(entry, name);
	CLEANUP(text) char *to = NULL;

	if (wrong == NULL && ++unpacking->entries > BUNDLE_MOST_ENTRIES)
		wrong = "is one too many";
	if (wrong == NULL && archive_entry_size(entry) > (la_int64_t)BUNDLE_MOST_BYTES)
		wrong = "makes it too large";
	if (wrong != NULL)
		return refuse(unpacking, name == NULL ? "" : name, wrong, fail);
	if (depth_of(name) == 0)
		return 0;
	to = text_format("%s/%s", unpacking->dir, name);
	archive_entry_set_pathname(entry, to);
	archive_entry_set_perm(entry, is_folder ? 0700 : 0600);
	if (archive_write_header(unpacking->to, entry) != ARCHIVE_OK)
		return refuse(unpacking, name, archive_error_string(unpacking->to), fail);
	if (copy_content(unpacking, name, fail) < 0)
		return -1;
	if (archive_write_finish_entry(unpacking->to) != ARCHIVE_OK)
		return refuse(unpacking, name, archive_error_string(unpacking->to), fail);
	return 0;
}

int bundle_unpack(const char *path, const char *dir, struct fail *fail)
{
	CLEANUP(reader) struct archive *from = archive_read_new();
	CLEANUP(writer) struct archive *to = archive_write_disk_new();
	/* The flags check every component on the way, which includes @dir's own. */
	CLEANUP(text) char *real = realpath(dir, NULL);
	struct unpacking unpacking = { .path = path, .dir = real, .from = from, .to = to };
	struct archive_entry *entry;
	int got;

	if (from == NULL || to == NULL)
		abort();
	/* gzip and tar alone: what nobody writes need not be parsed. */
	archive_read_support_filter_gzip(from);
	archive_read_support_format_tar(from);
	archive_write_disk_set_options(to, ARCHIVE_EXTRACT_SECURE_SYMLINKS |
						   ARCHIVE_EXTRACT_SECURE_NODOTDOT |
						   ARCHIVE_EXTRACT_NO_OVERWRITE);
	if (real == NULL || archive_read_open_filename(from, path, BLOCK_BYTES) != ARCHIVE_OK)
		return no_archive(path, real == NULL ? strerror(errno) : archive_error_string(from),
				  fail);
	while ((got = archive_read_next_header(from, &entry)) == ARCHIVE_OK)
		if (unpack_entry(&unpacking, entry, fail) < 0)
			return -1;
	if (got != ARCHIVE_EOF || unpacking.entries == 0)
		return no_archive(path, archive_error_string(from), fail);
	return 0;
}

struct bundle {
	struct archive *to;
	char *path;
	char *error; /* the first; NULL: none */
	int fd;
};

static void note_error(struct bundle *bundle, int result)
{
	if (result != ARCHIVE_OK && bundle->error == NULL)
		bundle->error = text_printable(archive_error_string(bundle->to), 200);
}

int bundle_create(const char *path, struct bundle **ret_bundle, struct fail *fail)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct bundle *bundle;

	if (fd < 0) {
		fail_add(fail, FAIL_USAGE, "the snapshot cannot be written to %s", path);
		return fail_cause(fail, "%s: %s", path, strerror(errno));
	}
	bundle = mem_alloc(1, sizeof *bundle);
	bundle->path = mem_strdup(path);
	bundle->fd = fd;
	bundle->to = archive_write_new();
	if (bundle->to == NULL)
		abort();
	note_error(bundle, archive_write_add_filter_gzip(bundle->to));
	note_error(bundle, archive_write_set_format_pax_restricted(bundle->to));
	note_error(bundle, archive_write_set_options(bundle->to, "gzip:!timestamp"));
	note_error(bundle, archive_write_open_fd(bundle->to, fd));
	*ret_bundle = bundle;
	return 0;
}

static void add(struct bundle *bundle, const char *path, unsigned type, const char *target,
		const char *bytes, size_t length)
{
	struct archive_entry *entry = archive_entry_new();

	if (entry == NULL)
		abort();
	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, type);
	archive_entry_set_perm(entry, type == AE_IFDIR ? 0755 : 0644);
	archive_entry_set_size(entry, (la_int64_t)length);
	if (target != NULL)
		archive_entry_set_symlink(entry, target);
	note_error(bundle, archive_write_header(bundle->to, entry));
	if (length > 0 && archive_write_data(bundle->to, bytes, length) != (la_ssize_t)length)
		note_error(bundle, ARCHIVE_FATAL);
	archive_entry_free(entry);
}

void bundle_add_file(struct bundle *bundle, const char *path, const char *bytes, size_t length)
{
	add(bundle, path, AE_IFREG, NULL, bytes, length);
}

void bundle_add_link(struct bundle *bundle, const char *path, const char *target)
{
	add(bundle, path, AE_IFLNK, target, NULL, 0);
}

void bundle_add_folder(struct bundle *bundle, const char *path)
{
	add(bundle, path, AE_IFDIR, NULL, NULL, 0);
}

int bundle_finish(struct bundle *bundle, struct fail *fail)
{
	note_error(bundle, archive_write_close(bundle->to));
	if (bundle->error == NULL && fsync(bundle->fd) != 0 && errno != EINVAL)
		bundle->error = mem_strdup(strerror(errno));
	if (bundle->error == NULL) {
		free(STEAL(bundle->path));
		return 0;
	}
	fail_add(fail, FAIL_FAIL, "the snapshot could not be written");
	return fail_cause(fail, "%s: %s", bundle->path, bundle->error);
}

void bundle_free(struct bundle *bundle)
{
	if (bundle == NULL)
		return;
	archive_write_free(bundle->to);
	if (bundle->path != NULL)
		unlink(bundle->path);
	close(bundle->fd);
	free(bundle->path);
	free(bundle->error);
	free(bundle);
}
