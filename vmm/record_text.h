/* SPDX-License-Identifier: MIT */
/* A record (record.h) as the text of its file, and in words. */
#ifndef GPUVM_VMM_RECORD_TEXT_H
#define GPUVM_VMM_RECORD_TEXT_H

#include <stddef.h>

#include "vmm/record.h"

#define RECORD_TEXT_MOST_BYTES  16384
#define RECORD_TEXT_MOST_REASON 400 /* bytes, of a drain's reason */

/* The JSON text of @record. The caller frees. */
char *record_text_format(const struct record *record);

/*
 * Fills in @record, whose kind and address are set, from a file's text. If it is not what record_text_format()
 * writes about that GPU, problem says why, is_damaged is set, and nothing else is.
 */
void record_text_parse(const char *text, size_t length, struct record *record);

/*
 * What is the case, behind the GPU's address: `is held for VM "train" of alice`, `is drained by bob: fan`,
 * `is quarantined: ...`. One line. The caller frees.
 */
char *record_text_words(const struct record *record);

/* The command that ends it, "gpuvm release 0000:17:00.0". The caller frees. */
char *record_text_remedy(const struct record *record);

#endif
