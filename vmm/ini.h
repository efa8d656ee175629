/* SPDX-License-Identifier: MIT */
/*
 * An INI file as entries with line numbers, read with inih (ini.h, ini_parse_stream). inih gives its
 * handler no line numbers and hides over-long lines, indented lines, NUL bytes and empty sections; the
 * reader under it sees every line first and refuses those, as well as control characters and bytes that are
 * no UTF-8. Lines may end in CR LF, and the file may start with a byte order mark: both are taken off.
 */
#ifndef GPUVM_VMM_INI_H
#define GPUVM_VMM_INI_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"

#define INI_LINE_MOST_BYTES 190 /* inih keeps 199 and would take the tail for a line of its own */
#define INI_FILE_MOST_BYTES (64 << 10) /* a spec lives in libvirt's metadata too */

#define INI_NO_SECTION ((size_t)-1)

/*
 * What a refused line seems to say is kept too, marked is_malformed: it was reported, its value is "",
 * and it is here only so that nobody reports the section or key as missing as well.
 */
struct ini_section {
	char *name; /* "gpu:second" */
	unsigned line;
	bool is_malformed;
};

struct ini_entry {
	size_t section;    /* position in ini.sections; INI_NO_SECTION before the first header */
	char *key, *value; /* blanks and comments taken off; value may be "" */
	unsigned line;
	bool is_malformed;
};

struct ini {
	char *file; /* as the user named it */
	char *text; /* the whole file */
	struct ini_section
		*sections; /* every header, empty sections included, in the file's order */
	size_t section_count;
	struct ini_entry *entries; /* in the file's order */
	size_t entry_count;
};

/*
 * Reads the file at @path. All malformed lines are reported in one run, as FAIL_SPEC items with file and
 * line; what could be read is returned all the same, so that the caller can add its own findings before
 * giving up: *@ret_ini is set unless the file cannot be read at all (absent, not a regular file, too
 * large, empty, UTF-16; an I/O error is FAIL_FAIL). Returns 0, or -1 if @fail got anything. Release with ini_free().
 */
int ini_read(const char *path, struct ini **ret_ini, struct fail *fail);

/* The same for @text of @length bytes, called @file in messages. */
int ini_parse_text(const char *file, const char *text, size_t length, struct ini **ret_ini,
		   struct fail *fail);
void ini_free(struct ini *ini);
CLEANUP_DEFINE(ini, struct ini, ini_free)

#endif
