// SPDX-License-Identifier: MIT
/* Fuzzes files of public keys, which can be any file that a spec names. */
#include "tests/fuzz/must.h"
#include "vmm/base/base64.h"
#include "vmm/base/text.h"
#include "vmm/sshkey.h"

/* A line that an authorized_keys can hold, and that is read as the same key again. */
static void check_key(const struct sshkey *key)
{
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(text) char *line = sshkey_line(key);
	struct sshkeys again = { 0 };

	for (const char *at = line; *at != '\0'; at++)
		must(*at >= ' ' && *at <= '~', "a line that cannot be shown");
	must(sshkey_read("k", line, strlen(line), &again, &fail) == 0 && again.count == 1,
	     "a key that gpuvm would not read again");
	must(text_equal(again.keys[0].base64, key->base64), "a key that changes when it is read");
	sshkeys_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(text) char *encoded = base64_encode(data, length);
	struct sshkeys keys = { 0 };
	int result = sshkey_read("k", (const char *)data, length, &keys, &fail);

	must((result == 0) == (keys.count > 0), "keys of a file that was refused");
	must((result == 0) == (fail.item_count == 0), "no word on a refusal, or one on none");
	for (size_t i = 0; i < keys.count; i++)
		check_key(&keys.keys[i]);
	sshkeys_done(&keys);
	must(length == 0 || *encoded != '\0', "bytes that stand for nothing");
	return 0;
}
