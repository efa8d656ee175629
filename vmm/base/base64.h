/* SPDX-License-Identifier: MIT */
/* Base64 (RFC 4648, 4), whose alphabet no line-based format takes for its own. */
#ifndef GPUVM_BASE_BASE64_H
#define GPUVM_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* The @length bytes at @bytes, in lines of at most 76 characters that each end in \n (RFC 2045, 6.8). The caller frees. */
char *base64_encode(const void *bytes, size_t length);

/*
 * What the @length characters at @text stand for: whole groups with their padding, nothing else between them. False
 * on anything else. A NUL follows the bytes. The caller frees *@ret_bytes.
 */
bool base64_decode(const char *text, size_t length, unsigned char **ret_bytes, size_t *ret_length);

#endif
