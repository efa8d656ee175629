// SPDX-License-Identifier: MIT
#include "vmm/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory)
{
	if (memory == NULL) {
		fputs("gpuvm: out of memory\n", stderr);
		abort();
	}
	return memory;
}

void *mem_alloc(size_t count, size_t object_bytes)
{
	return checked(calloc(count == 0 ? 1 : count, object_bytes));
}

char *mem_strdup(const char *text)
{
	return text == NULL ? NULL : checked(strdup(text));
}

char *mem_strndup(const char *text, size_t length)
{
	return checked(strndup(text, length));
}

void *mem_grow(void *array, size_t count, size_t object_bytes)
{
	if ((count & (count - 1)) == 0) {
		size_t room = count == 0 ? 1 : count * 2;

		array = checked(reallocarray(array, room, object_bytes));
	}
	memset((char *)array + count * object_bytes, 0, object_bytes);
	return array;
}
