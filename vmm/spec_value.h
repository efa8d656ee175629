/* SPDX-License-Identifier: MIT */
/* One written value of a spec: reading it by its type, and refusing it in the user's words. */
#ifndef GPUVM_VMM_SPEC_VALUE_H
#define GPUVM_VMM_SPEC_VALUE_H

#include "vmm/spec.h"

/* Texts are borrowed. */
struct spec_value {
	const struct spec_key_row *row;
	const char *file, *directory;
	const char *label; /* "[gpu:second]" */
	const char *text;
	unsigned line; /* 0: not written, @text is the row's default */
	bool is_guess; /* an unknown key, refused already, that is probably this one misspelt */
};

/*
 * Reads @value by its type into @target, the struct that its section fills; what was stored there
 * before is released. FAIL_SPEC, with @target unchanged.
 */
int spec_value_store(const struct spec_value *value, void *target, struct fail *fail);

/* Adds a FAIL_SPEC item: file:line: [section] key = value: what is wrong. Returns -1. */
int spec_value_refuse(const struct spec_value *value, struct fail *fail, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
