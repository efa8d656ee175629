/* SPDX-License-Identifier: MIT */
/*
 * The host's file tree behind a root directory. Every read of /sys, /proc, /usr/share and /etc that
 * tells what the host is goes through here, so that --root DIR shows another machine.
 */
#ifndef GPUVM_BASE_ROOT_H
#define GPUVM_BASE_ROOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"

struct root {
	char *dir; /* without trailing slash; "" for the live host */
	bool live;
	bool is_temporary; /* an archive unpacked: root_free() removes it */
};

/*
 * The tree at @path, or the live host for NULL or "/". A file is a snapshot (bundle.h), and is unpacked to a
 * folder of the caller's own in TMPDIR. FAIL_USAGE if @path is neither a snapshot nor a directory that holds
 * sys/. Release with root_free().
 */
int root_open(const char *path, struct root **ret_root, struct fail *fail);
void root_free(struct root *root);
CLEANUP_DEFINE(root, struct root, root_free)

/* The path of @format below the root. The caller frees. */
char *root_path(const struct root *root, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The file's text without trailing blanks, at most 64 KiB of it; NULL if it cannot be read (errno). */
char *root_text(const struct root *root, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The file's bytes up to 16 MiB, NUL-terminated; length (if not NULL) without it; NULL on error (errno). */
char *root_bytes(const struct root *root, size_t *ret_length, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The number in a one-value file: decimal, or hexadecimal with 0x; @fallback if unreadable. */
int64_t root_number(const struct root *root, int64_t fallback, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The last component of a symbolic link's target ("driver" -> "vfio-pci"), or NULL. */
char *root_link_name(const struct root *root, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* All of a symbolic link's target, or NULL. The caller frees. */
char *root_link(const struct root *root, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The number of the character device that a path leads to, links followed. False if it leads to none, and
 * below any root but the live one, where a link leads out of the tree.
 */
bool root_character_device(const struct root *root, dev_t *ret_number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

bool root_exists(const struct root *root, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The names in a directory, sorted as by strverscmp, NULL-terminated, without "." and ".."; empty if it
 * cannot be read (errno; 0 if it was). Free with root_names_free(). */
char **root_names(const struct root *root, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void root_names_free(char **names);
CLEANUP_DEFINE(root_names, char *, root_names_free)

#endif
