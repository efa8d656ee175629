/* SPDX-License-Identifier: MIT */
/* Byte sizes as people write them: a number, a blank if wanted, and a unit. */
#ifndef GPUVM_BASE_SIZE_H
#define GPUVM_BASE_SIZE_H

#include <stdint.h>

#define SIZE_KIB (UINT64_C(1) << 10)
#define SIZE_MIB (UINT64_C(1) << 20)
#define SIZE_GIB (UINT64_C(1) << 30)
#define SIZE_TIB (UINT64_C(1) << 40)

/*
 * Reads "128 GiB" (units KiB, MiB, GiB, TiB: IEC 80000-13 binary prefixes; ASCII case ignored).
 * Returns NULL and sets *@ret_bytes, or returns a static text saying what is wrong and leaves it.
 * A bare number, a decimal unit (GB), a fraction and an overflow are wrong.
 */
const char *size_parse(const char *text, uint64_t *ret_bytes);

/* "128 GiB": the largest unit that divides @bytes, or "N bytes". The caller frees. */
char *size_format(uint64_t bytes);

/* "31.4 GiB": the largest unit not above @bytes, one decimal if needed, cut off (never rounded up). */
char *size_format_about(uint64_t bytes);

#endif
