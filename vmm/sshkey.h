/* SPDX-License-Identifier: MIT */
/*
 * Public keys of OpenSSH, as ~/.ssh/id_*.pub and authorized_keys have them: one to a line, type, base64, comment.
 * Sources: sshd(8), "AUTHORIZED_KEYS FILE FORMAT"; RFC 4253, 6.6, RFC 5656, 3.1, RFC 8709, 4 and OpenSSH's
 * PROTOCOL.u2f for what the base64 holds.
 */
#ifndef GPUVM_VMM_SSHKEY_H
#define GPUVM_VMM_SSHKEY_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"

#define SSHKEY_FILE_MOST_BYTES ((size_t)64 << 10)

struct sshkey {
	const char *type; /* "ssh-ed25519"; static */
	char *base64;
	char *comment; /* printable ASCII, without blanks at its ends; "" if there is none */
	char *file;    /* where it was found, printable */
};

struct sshkeys {
	struct sshkey *keys; /* no two the same */
	size_t count;
};

/*
 * Adds the keys of the @length bytes at @text to @keys, those that it has already left out. Blank lines and comments
 * are skipped. All or none: a line that is no public key, a private key, or no key at all refuses the whole file
 * @file: FAIL_SPEC with its first mistake's line, which never shows its content.
 */
int sshkey_read(const char *file, const char *text, size_t length, struct sshkeys *keys,
		struct fail *fail);
void sshkeys_done(struct sshkeys *keys);

static inline void sshkeys_cleanup(struct sshkeys *keys)
{
	sshkeys_done(keys);
}

/* @key as a line of authorized_keys. The caller frees. */
char *sshkey_line(const struct sshkey *key);

#endif
