/* SPDX-License-Identifier: MIT */
/* What the values of a spec must be to each other. */
#ifndef GPUVM_VMM_SPEC_CHECK_H
#define GPUVM_VMM_SPEC_CHECK_H

#include "vmm/spec_value.h"

/* A section that the spec has, or a part of it that is all defaults. Texts are borrowed. */
struct spec_part {
	const struct spec_section_row *row;
	char *label;     /* "[gpu:second]", owned */
	unsigned line;   /* 0: not written */
	size_t position; /* in spec.gpus or spec.disks */
	bool is_guess; /* an unknown section, refused already, that is probably this one misspelt */
	bool is_repeated;          /* written before: refused already */
	struct spec_value *values; /* the written ones, and guesses */
	size_t value_count;
};

struct spec_parts {
	struct spec_part *items;
	size_t count;
};

/* The value written for @key in @part, or NULL. Guesses do not count. */
const struct spec_value *spec_check_value(const struct spec_part *part, const char *key);

/*
 * Checks what takes more than one value, and fills in counts that are left to addresses. A field of
 * @spec whose value was refused is still zero, and is not looked at.
 */
int spec_check(struct spec *spec, const struct spec_parts *parts, struct fail *fail);

#endif
