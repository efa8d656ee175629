/* SPDX-License-Identifier: MIT */
/* The types of values that any INI file can have. */
#ifndef GPUVM_VMM_KEYS_TYPE_H
#define GPUVM_VMM_KEYS_TYPE_H

#include "vmm/keys.h"

extern const struct keys_type keys_type_count;        /* unsigned */
extern const struct keys_type keys_type_size;         /* uint64_t: bytes, unit required */
extern const struct keys_type keys_type_share;        /* unsigned: per cent, sign required */
extern const struct keys_type keys_type_boolean;      /* bool: yes | no */
extern const struct keys_type keys_type_choice;       /* an enum: the position in choices */
extern const struct keys_type keys_type_cpus;         /* hwloc_bitmap_t, never empty: "0-3,8" */
extern const struct keys_type keys_type_cpus_or_auto; /* the same; NULL for auto */

#endif
