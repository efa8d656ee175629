/* SPDX-License-Identifier: MIT */
/*
 * Scope-bound ownership. A variable declared with CLEANUP(type) is released by type_cleanup(&var)
 * when it goes out of scope; hand it over with STEAL(var), which leaves NULL behind.
 * Source: GCC manual, "Common Variable Attributes", cleanup.
 */
#ifndef GPUVM_BASE_CLEANUP_H
#define GPUVM_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(name) __attribute__((cleanup(name##_cleanup)))

#define STEAL(pointer)                                                                             \
	__extension__({                                                                            \
		__typeof__(pointer) stolen_ = (pointer);                                           \
		(pointer) = NULL;                                                                  \
		stolen_;                                                                           \
	})

/* Declares `name_cleanup` for a type whose release function takes the pointer and accepts NULL. */
#define CLEANUP_DEFINE(name, type, release)                                                        \
	static inline void name##_cleanup(type **owner)                                            \
	{                                                                                          \
		release(*owner);                                                                   \
	}

static inline void text_cleanup(char **owner)
{
	free(*owner);
}

static inline void file_cleanup(FILE **owner)
{
	if (*owner != NULL)
		fclose(*owner);
}

static inline void dir_cleanup(DIR **owner)
{
	if (*owner != NULL)
		closedir(*owner);
}

static inline void fd_cleanup(int *owner)
{
	if (*owner >= 0)
		close(*owner);
}

#endif
