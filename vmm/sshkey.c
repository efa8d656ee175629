// SPDX-License-Identifier: MIT
#include "vmm/sshkey.h"

#include <stdint.h>
#include <string.h>

#include "vmm/base/base64.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define BLANKS " \t"

/* What a key of each type consists of: so many length-prefixed strings, the first of them the type again. */
static const struct type {
	const char *name;
	unsigned fields;
} types[] = {
	{ "ssh-ed25519", 2 },
	{ "ssh-rsa", 3 },
	{ "ecdsa-sha2-nistp256", 3 },
	{ "ecdsa-sha2-nistp384", 3 },
	{ "ecdsa-sha2-nistp521", 3 },
	{ "sk-ssh-ed25519@openssh.com", 3 },
	{ "sk-ecdsa-sha2-nistp256@openssh.com", 4 },
};

static const struct type *type_of(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strlen(types[i].name) == length && memcmp(types[i].name, name, length) == 0)
			return &types[i];
	return NULL;
}

/* The next string of @blob behind *@at, which moves behind it; NULL if there is none. */
static const unsigned char *next_field(const unsigned char *blob, size_t length, size_t *at,
				       size_t *ret_length)
{
	const unsigned char *prefix = blob + *at;

	if (length - *at < 4)
		return NULL;
	*ret_length = (size_t)prefix[0] << 24 | (size_t)prefix[1] << 16 | (size_t)prefix[2] << 8 |
		      prefix[3];
	if (*ret_length == 0 || *ret_length > length - *at - 4)
		return NULL;
	*at += 4 + *ret_length;
	return prefix + 4;
}

static bool is_whole(const struct type *type, const char *base64, size_t length)
{
	unsigned char *blob = NULL;
	size_t blob_length = 0;
	size_t at = 0;
	bool is_whole = base64_decode(base64, length, &blob, &blob_length);

	for (unsigned i = 0; is_whole && i < type->fields; i++) {
		size_t field_length = 0;
		const unsigned char *field = next_field(blob, blob_length, &at, &field_length);

		is_whole = field != NULL &&
			   (i > 0 || (field_length == strlen(type->name) &&
				      memcmp(field, type->name, field_length) == 0));
	}
	is_whole = is_whole && at == blob_length;
	free(blob);
	return is_whole;
}

/* A comment has no function: what a YAML reader or a terminal could take for its own is not worth keeping. */
static char *comment_of(const char *text)
{
	char *comment = mem_strdup(text + strspn(text, BLANKS));

	for (char *at = comment; *at != '\0'; at++)
		if ((unsigned char)*at < ' ' || (unsigned char)*at > '~')
			*at = '?';
	return comment;
}

static bool has_key(const struct sshkeys *keys, const char *base64, size_t length)
{
	for (size_t i = 0; i < keys->count; i++)
		if (strlen(keys->keys[i].base64) == length &&
		    memcmp(keys->keys[i].base64, base64, length) == 0)
			return true;
	return false;
}

static int refuse(const char *file, unsigned line, const char *what, const char *hint,
		  struct fail *fail)
{
	fail_add(fail, FAIL_SPEC, "%s", what);
	if (hint != NULL)
		fail_hint(fail, "%s", hint);
	return fail_at(fail, file, line);
}

static int refuse_type(const char *file, unsigned line, const char *text, struct fail *fail)
{
	if (text_starts(text, "ssh-dss"))
		return refuse(file, line, "a DSA key, which OpenSSH takes no more",
			      "make another: ssh-keygen -t ed25519", fail);
	if (strstr(text, "-cert-v01@openssh.com ") != NULL)
		return refuse(file, line, "a certificate, not a public key",
			      "name the .pub file of the key that it certifies", fail);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		const char *at = strstr(text, types[i].name);

		if (at != NULL && at > text && strchr(BLANKS, at[-1]) != NULL)
			return refuse(file, line, "options before a key are not taken",
				      "leave them out: a line starts with the key's type", fail);
	}
	return refuse(file, line, "not a public key of OpenSSH",
		      "a line is as in ~/.ssh/id_ed25519.pub: type, base64, comment", fail);
}

static int read_line(const char *file, unsigned line, const char *text, struct sshkeys *keys,
		     struct fail *fail)
{
	size_t type_length = strcspn(text, BLANKS);
	const struct type *type = type_of(text, type_length);
	const char *base64 = text + type_length + strspn(text + type_length, BLANKS);
	size_t length = strcspn(base64, BLANKS);
	struct sshkey *key;

	if (type == NULL)
		return refuse_type(file, line, text, fail);
	if (!is_whole(type, base64, length))
		return refuse(file, line, "a public key that is damaged or cut off",
			      "copy its whole line; ssh-keygen -l -f FILE checks it", fail);
	if (has_key(keys, base64, length))
		return 0;
	key = MEM_APPEND(keys->keys, keys->count);
	key->type = type->name;
	key->base64 = mem_strndup(base64, length);
	key->comment = comment_of(base64 + length);
	key->file = text_printable(file, 0);
	return 0;
}

static int check_file(const char *file, const char *text, size_t length, struct fail *fail)
{
	if (length > SSHKEY_FILE_MOST_BYTES)
		return refuse(file, 0, "too large for a file of public keys (64 KiB)", NULL, fail);
	if (memmem(text, length, "PRIVATE KEY-----", 16) != NULL ||
	    memmem(text, length, "PuTTY-User-Key-File", 19) != NULL)
		return refuse(file, 0, "a private key, which must not leave you",
			      "name its public half, which ends in .pub", fail);
	if (memmem(text, length, "BEGIN SSH2 PUBLIC KEY", 21) != NULL)
		return refuse(file, 0, "a public key in the format of RFC 4716",
			      "convert it: ssh-keygen -i -f FILE", fail);
	if (memchr(text, '\0', length) != NULL)
		return refuse(file, 0, "not a file of public keys: it has NUL bytes", NULL, fail);
	return 0;
}

int sshkey_read(const char *file, const char *text, size_t length, struct sshkeys *keys,
		struct fail *fail)
{
	CLEANUP(text) char *copy = NULL;
	size_t before = keys->count;
	bool is_read = true;
	bool has_any = false;
	unsigned line = 0;
	char *rest;

	if (check_file(file, text, length, fail) < 0)
		return -1;
	rest = copy = mem_strndup(text, length);
	while (is_read && rest != NULL) {
		char *at = strsep(&rest, "\n");
		size_t end = strlen(at);

		line++;
		if (end > 0 && at[end - 1] == '\r')
			at[end - 1] = '\0';
		at = text_trim(at);
		if (*at == '\0' || *at == '#')
			continue;
		has_any = true;
		is_read = read_line(file, line, at, keys, fail) == 0;
	}
	if (is_read && has_any)
		return 0;
	if (!has_any)
		refuse(file, 0, "no public key in it", "make one: ssh-keygen -t ed25519", fail);
	while (keys->count > before) {
		struct sshkey *key = &keys->keys[--keys->count];

		free(key->base64);
		free(key->comment);
		free(key->file);
	}
	return -1;
}

void sshkeys_done(struct sshkeys *keys)
{
	for (size_t i = 0; i < keys->count; i++) {
		free(keys->keys[i].base64);
		free(keys->keys[i].comment);
		free(keys->keys[i].file);
	}
	free(keys->keys);
	*keys = (struct sshkeys){ 0 };
}

char *sshkey_line(const struct sshkey *key)
{
	return text_format("%s %s%s%s", key->type, key->base64, *key->comment == '\0' ? "" : " ",
			   key->comment);
}
