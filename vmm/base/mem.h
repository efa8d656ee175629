/* SPDX-License-Identifier: MIT */
/*
 * Memory that is there: every function returns usable memory or ends the process by abort() with one
 * line on standard error. Nothing that gpuvm reserves outlives its process unreleased, so an abort
 * loses nothing (see lease.h).
 */
#ifndef GPUVM_BASE_MEM_H
#define GPUVM_BASE_MEM_H

#include <stddef.h>

/* @count zeroed objects of @object_bytes. The caller frees. @count 0 gives a valid pointer. */
void *mem_alloc(size_t count, size_t object_bytes);

/* A copy of @text, or NULL for NULL. The caller frees. */
char *mem_strdup(const char *text);

/* The first @length bytes of @text, NUL-terminated. The caller frees. */
char *mem_strndup(const char *text, size_t length);

/*
 * Room for one more object behind the @count that @array holds: returns the array, moved if it must
 * be, with the new object zeroed. Grows in powers of two, so @count is all that a caller stores.
 */
void *mem_grow(void *array, size_t count, size_t object_bytes);

/* Appends a zeroed object to (array, count) and evaluates to its address. */
#define MEM_APPEND(array, count)                                                                   \
	((array) = mem_grow((array), (count), sizeof *(array)), &(array)[(count)++])

#endif
