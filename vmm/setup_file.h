/* SPDX-License-Identifier: MIT */
/*
 * Files of the host that are edited: read and replaced whole, below the root, through no symbolic link. Paths are
 * absolute, as seen from inside the root.
 */
#ifndef GPUVM_VMM_SETUP_FILE_H
#define GPUVM_VMM_SETUP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "vmm/base/root.h"

#define SETUP_FILE_MOST_BYTES ((size_t)1 << 20)

struct setup_file {
	bool exists;
	char *text; /* without NUL inside; "" if it does not exist */
	size_t length;
	mode_t mode; /* permission bits */
	uid_t uid;
	gid_t gid;
};

/*
 * The file at @path. That there is none, or no folder for it, is no failure. FAIL_HOST if it, or a folder on the way, is
 * a symbolic link or anything else; if it has a second name, NUL inside or more than SETUP_FILE_MOST_BYTES; if it cannot
 * be read. Release with setup_file_done().
 */
int setup_file_read(const struct root *root, const char *path, struct setup_file *ret_file,
		    struct fail *fail);
void setup_file_done(struct setup_file *file);
static inline void setup_file_cleanup(struct setup_file *file)
{
	setup_file_done(file);
}

/* Whether both exist with the same bytes, or neither exists. */
bool setup_file_same(const struct setup_file *a, const struct setup_file *b);

/*
 * Makes @file be at @path: all of it or what was there, whenever it is interrupted (rename(2), fsync(2)); or, if
 * @file does not exist, removes what is there. Owner and group are set if the caller is root. An extended attribute of
 * the old file is lost.
 */
int setup_file_put(const struct root *root, const char *path, const struct setup_file *file,
		   struct fail *fail);

/* Whether an interrupted setup_file_put() left something beside @path. */
bool setup_file_is_unfinished(const struct root *root, const char *path);

/* Removes what an interrupted setup_file_put() left beside @path. */
void setup_file_sweep(const struct root *root, const char *path);

/* Makes the folder, whose parent exists; that it is there already is no failure. */
int setup_file_make_folder(const struct root *root, const char *path, mode_t mode,
			   struct fail *fail);

/* Removes the folder if it is empty. */
void setup_file_remove_folder(const struct root *root, const char *path);

/* The folders on the way to @path that are missing, the outermost first: NULL-terminated, to be freed with
 * root_names_free(). */
char **setup_file_missing_folders(const struct root *root, const char *path);

#endif
