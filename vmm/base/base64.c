// SPDX-License-Identifier: MIT
#include "vmm/base/base64.h"

#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"

#define LINE_LETTERS 76

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *bytes, size_t length)
{
	const unsigned char *from = bytes;
	size_t groups = (length + 2) / 3;
	char *text = mem_alloc(groups * 4 + groups * 4 / LINE_LETTERS + 2, 1);
	char *to = text;

	for (size_t i = 0; i < groups; i++) {
		size_t left = length - i * 3;
		unsigned group = (unsigned)from[i * 3] << 16;

		group |= left > 1 ? (unsigned)from[i * 3 + 1] << 8 : 0;
		group |= left > 2 ? from[i * 3 + 2] : 0;
		*to++ = letters[group >> 18];
		*to++ = letters[group >> 12 & 63];
		*to++ = left > 1 ? letters[group >> 6 & 63] : '=';
		*to++ = left > 2 ? letters[group & 63] : '=';
		if (i + 1 == groups || (i + 1) * 4 % LINE_LETTERS == 0)
			*to++ = '\n';
	}
	return text;
}

static size_t padding_of(const char *text, size_t length)
{
	size_t padding = 0;

	while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
		padding++;
	return padding;
}

bool base64_decode(const char *text, size_t length, unsigned char **ret_bytes, size_t *ret_length)
{
	size_t padding = padding_of(text, length);
	unsigned char *bytes;
	unsigned group = 0;
	size_t count = 0;

	if (length % 4 != 0)
		return false;
	bytes = mem_alloc(length / 4 * 3 + 1, 1);
	for (size_t i = 0; i < length; i++) {
		const char *at = text[i] == '\0' ? NULL : strchr(letters, text[i]);

		if (at == NULL && i < length - padding) {
			free(bytes);
			return false;
		}
		group = group << 6 | (at == NULL ? 0 : (unsigned)(at - letters));
		if (i % 4 != 3)
			continue;
		bytes[count++] = (unsigned char)(group >> 16);
		bytes[count++] = (unsigned char)(group >> 8);
		bytes[count++] = (unsigned char)group;
		group = 0;
	}
	*ret_bytes = bytes;
	*ret_length = count - padding;
	return true;
}
