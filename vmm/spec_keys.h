/* SPDX-License-Identifier: MIT */
/* Looking things up in the tables of spec.h, and hints for what is not in them. */
#ifndef GPUVM_VMM_SPEC_KEYS_H
#define GPUVM_VMM_SPEC_KEYS_H

#include "vmm/spec.h"

/* The row, or NULL. */
const struct spec_section_row *spec_keys_section(const char *name);
const struct spec_key_row *spec_keys_find(const char *section, const char *key);

/* The row that an unknown section or key is probably a misspelling of, or NULL. */
const struct spec_section_row *spec_keys_nearest_section(const char *name);
const struct spec_key_row *spec_keys_nearest(const char *section, const char *key);

/*
 * Completes @fail's newest item: which section is meant by the unknown @name, of which @label (":second"
 * or "") was cut off. Returns -1.
 */
int spec_keys_hint_section(const char *name, const char *label, struct fail *fail);

/* The same for an unknown @key in @section, which is known. */
int spec_keys_hint_key(const char *section, const char *key, struct fail *fail);

#endif
