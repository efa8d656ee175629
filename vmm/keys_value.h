/* SPDX-License-Identifier: MIT */
/* One value of an INI file: storing it as its row says, and refusing it in the user's words. */
#ifndef GPUVM_VMM_KEYS_VALUE_H
#define GPUVM_VMM_KEYS_VALUE_H

#include "vmm/keys.h"

/* Texts are borrowed. */
struct keys_value {
	const struct keys_row *row;
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
int keys_value_store(const struct keys_value *value, void *target, struct fail *fail);

/* The field of @target that @value fills. */
void *keys_value_field(const struct keys_value *value, void *target);

/* Adds a FAIL_SPEC item: file:line: [section] key = value: what is wrong. Returns -1. */
int keys_value_refuse(const struct keys_value *value, struct fail *fail, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
