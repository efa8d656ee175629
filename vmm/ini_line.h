/* SPDX-License-Identifier: MIT */
/* One line of an INI file: whether inih may see it. */
#ifndef GPUVM_VMM_INI_LINE_H
#define GPUVM_VMM_INI_LINE_H

#include <stddef.h>

#include "vmm/base/fail.h"

#define INI_LINE_BLANKS " \t"

/* Texts are borrowed. */
struct ini_line {
	const char *file;
	unsigned number;
	const char *text; /* without the line's end, NUL-terminated */
	size_t length;    /* of text in bytes; more than strlen if it has NUL bytes */
};

enum ini_line_kind {
	INI_LINE_EMPTY, /* or a comment */
	INI_LINE_HEADER,
	INI_LINE_PAIR,
};

/* Refuses (FAIL_SPEC) what is malformed, and what inih would misread; at most @most bytes. */
int ini_line_check(const struct ini_line *line, size_t most, enum ini_line_kind *ret_kind,
		   struct fail *fail);

/* Adds a FAIL_SPEC item: file:line: "text of the line": what is wrong. Returns -1. */
int ini_line_refuse(const struct ini_line *line, struct fail *fail, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
