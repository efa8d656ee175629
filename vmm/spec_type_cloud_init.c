// SPDX-License-Identifier: MIT
#include "vmm/spec_type_cloud_init.h"

#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/keys_value.h"
#include "vmm/spec.h"
#include "vmm/spec_type.h"

#define LOWER               "abcdefghijklmnopqrstuvwxyz"
#define UPPER               "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS              "0123456789"
#define LOGIN_MOST_BYTES    32 /* utmp(5) */
#define HOSTNAME_MOST_BYTES 253
#define LABEL_MOST_BYTES    63

static void replace(char **owner, char *text)
{
	free(*owner);
	*owner = text;
}

/* "default" is cloud-init's word for the image's own account. */
bool spec_login_is_valid(const char *name)
{
	size_t length = strspn(name, LOWER DIGITS "_-");

	return length > 0 && name[length] == '\0' && length <= LOGIN_MOST_BYTES &&
	       strchr(LOWER "_", name[0]) != NULL && strcmp(name, "default") != 0;
}

static int store_login(const struct keys_value *value, void *target, struct fail *fail)
{
	if (spec_login_is_valid(value->text)) {
		replace(keys_value_field(value, target), mem_strdup(value->text));
		return 0;
	}
	if (strcmp(value->text, "default") == 0)
		return keys_value_refuse(value, fail,
					 "cloud-init takes it for the image's own account");
	return keys_value_refuse(
		value, fail,
		"an account's name has a-z 0-9 _ - only, up to %d, and starts with a letter or _",
		LOGIN_MOST_BYTES);
}

static int store_ssh_key(const struct keys_value *value, void *target, struct fail *fail)
{
	struct spec_cloud_init *wish = &((struct spec *)target)->cloud_init;
	bool is_auto = strcmp(value->text, "auto") == 0;
	bool is_none = strcmp(value->text, "none") == 0;
	char *path = NULL;

	if (!is_auto && !is_none) {
		path = spec_type_absolute(value, value->text, fail);
		if (path == NULL)
			return -1;
	}
	replace(&wish->ssh_key_file, path);
	wish->ssh_key = is_auto   ? SPEC_SSH_KEY_AUTO
			: is_none ? SPEC_SSH_KEY_NONE
				  : SPEC_SSH_KEY_FILE;
	return 0;
}

/* What is wrong with the host's name @name, or NULL. */
static const char *wrong_with_hostname(const char *name)
{
	const char *last = strrchr(name, '.');

	if (strlen(name) > HOSTNAME_MOST_BYTES)
		return "longer than 253 bytes";
	for (const char *at = name;; at++) {
		size_t length = strspn(at, LOWER UPPER DIGITS "-");

		if (length > LABEL_MOST_BYTES)
			return "a part of it is longer than 63 bytes";
		if (length == 0 || at[0] == '-' || at[length - 1] == '-' ||
		    (at[length] != '\0' && at[length] != '.'))
			return "a host's name has a-z A-Z 0-9 and - inside, in parts between dots";
		at += length;
		if (*at == '\0')
			break;
	}
	if (last != NULL && last[1 + strspn(last + 1, DIGITS)] == '\0')
		return "an address, not a name";
	return NULL;
}

static int store_hostname(const struct keys_value *value, void *target, struct fail *fail)
{
	const char *wrong = wrong_with_hostname(value->text);

	if (wrong != NULL)
		return keys_value_refuse(value, fail, "%s", wrong);
	replace(keys_value_field(value, target), mem_strdup(value->text));
	return 0;
}

static bool is_package(const char *name)
{
	size_t length = strspn(name, LOWER DIGITS "+-.");

	return length >= 2 && name[length] == '\0' && strchr(LOWER DIGITS, name[0]) != NULL;
}

static void free_texts(char **texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
}

static int store_packages(const struct keys_value *value, void *target, struct fail *fail)
{
	struct spec_cloud_init *wish = &((struct spec *)target)->cloud_init;
	CLEANUP(text) char *copy = mem_strdup(value->text);
	char *rest = copy;
	char **packages = NULL;
	size_t count = 0;

	while (rest != NULL) {
		const char *name = text_trim(strsep(&rest, ","));

		if (!is_package(name)) {
			CLEANUP(text) char *shown = text_printable(name, 0);

			free_texts(packages, count);
			keys_value_refuse(value, fail, "\"%s\" is not a package's name", shown);
			return fail_hint(fail, "for example: packages = %s", value->row->example);
		}
		*MEM_APPEND(packages, count) = mem_strdup(name);
	}
	free_texts(wish->packages, wish->package_count);
	wish->packages = packages;
	wish->package_count = count;
	return 0;
}

const struct keys_type spec_type_login = { "account's name", store_login };
const struct keys_type spec_type_ssh_key = { "auto | none | FILE", store_ssh_key };
const struct keys_type spec_type_hostname = { "host's name", store_hostname };
const struct keys_type spec_type_packages = { "package names, comma separated", store_packages };
