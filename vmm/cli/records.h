/* SPDX-License-Identifier: MIT */
/* What is kept of GPUs that are held, drained or quarantined (record.h), as JSON and for people. */
#ifndef GPUVM_CLI_RECORDS_H
#define GPUVM_CLI_RECORDS_H

#include <jansson.h>

#include "vmm/held.h"
#include "vmm/record.h"

/*
 * An array of those about the GPU at @address (NULL: all), without stale ones: address, state ("held", "drained",
 * "quarantined"), vm, user, since ("2026-01-31T09:12:00Z"), reason, problem. Each but the first two can be null.
 * New reference.
 */
json_t *records_json(const struct record_list *records, const char *address);

/* One of them: `held for VM "train" of alice since 2026-01-31`. The caller frees. */
char *records_words(const json_t *record);

/* On standard error each GPU that no VM gets, and the command that ends it. */
void records_print_closed(const struct record_list *records);

/* What was taken over, on standard error. */
void records_print_lines(const struct held_lines *lines);

#endif
