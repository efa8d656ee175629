// SPDX-License-Identifier: MIT
#include "vmm/seed.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/base64.h"
#include "vmm/base/iso9660.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define TAG_MOST_BYTES 36
#define HEADER         "#cloud-config\n"

/* No apt where the agent is there already: it may have no network. Without its port there is nothing to wait for. */
static const char start_agent[] =
	"command -v qemu-ga >/dev/null || "
	"if command -v apt-get >/dev/null; then export DEBIAN_FRONTEND=noninteractive; "
	"timeout 300 apt-get -q update; "
	"timeout 300 apt-get -qy -o DPkg::Lock::Timeout=120 install --no-install-recommends "
	"qemu-guest-agent; "
	"elif command -v dnf >/dev/null; then timeout 600 dnf -qy install qemu-guest-agent; "
	"elif command -v zypper >/dev/null; then timeout 600 zypper -nq install qemu-guest-agent; "
	"fi; systemctl --no-block start qemu-guest-agent";

/* The text may hold nothing that ends a field of fstab, or is an escape in it. */
static bool is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~' || strchr("\"'\\#", *text) != NULL)
			return false;
	return true;
}

bool seed_mount_is_valid(const struct seed_mount *mount)
{
	size_t length = strlen(mount->tag);

	return length > 0 && length <= TAG_MOST_BYTES && is_plain(mount->tag) &&
	       mount->path[0] == '/' && is_plain(mount->path);
}

char *seed_volume_name(const char *name)
{
	return text_format("%s-seed.iso", name);
}

/* Every text has been checked to be UTF-8 by now. */
static json_t *string(const char *text)
{
	json_t *value = json_string(text);

	if (value == NULL)
		abort();
	return value;
}

static void set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		abort();
}

static void append(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) < 0)
		abort();
}

static json_t *strings(const char *const *texts, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		append(array, string(texts[i]));
	return array;
}

static char *dump(json_t *value)
{
	char *text = json_dumps(value, JSON_INDENT(2));

	if (text == NULL)
		abort();
	json_decref(value);
	return text;
}

/* Members of these groups may use the GPU's device files; cloud-init makes those that are missing. */
static json_t *make_account(const struct seed *seed)
{
	static const char *const groups[] = { "adm", "sudo", "video", "render" };
	json_t *account = json_object();
	json_t *keys = json_array();

	for (size_t i = 0; i < seed->keys.count; i++) {
		CLEANUP(text) char *line = sshkey_line(&seed->keys.keys[i]);

		append(keys, string(line));
	}
	set(account, "name", string(seed->user));
	set(account, "lock_passwd", json_true());
	set(account, "ssh_authorized_keys", keys);
	if (text_equal(seed->user, "root"))
		return account;
	set(account, "groups", strings(groups, sizeof groups / sizeof *groups));
	set(account, "shell", string("/bin/bash"));
	set(account, "sudo", string("ALL=(ALL) NOPASSWD:ALL"));
	return account;
}

/* The image's own account is made too where a file of the user's may count on it. */
static json_t *make_users(const struct seed *seed)
{
	json_t *users = json_array();

	append(users, make_account(seed));
	if (seed->user_data != NULL)
		append(users, string("default"));
	return users;
}

/* Numbers would do by cloud-init's documentation, and break its cc_mounts.py for a device that is no block device. */
static json_t *make_mounts(const struct seed_mount *mounts, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++) {
		const char *const fields[] = {
			mounts[i].tag,
			mounts[i].path,
			"virtiofs",
			mounts[i].read_only ? "defaults,nofail,ro" : "defaults,nofail",
			"0",
			"0",
		};

		append(array, strings(fields, sizeof fields / sizeof *fields));
	}
	return array;
}

static json_t *make_runcmd(void)
{
	static const char *const words[] = { "sh", "-c", start_agent };
	json_t *commands = json_array();

	append(commands, strings(words, sizeof words / sizeof *words));
	return commands;
}

static json_t *make_config(const struct seed *seed, const struct seed_mount *mounts, size_t count)
{
	const struct spec_cloud_init *wish = &seed->spec->cloud_init;
	json_t *config = json_object();

	if (seed->user_data != NULL)
		set(config, "merge_how",
		    string("list(prepend)+dict(no_replace,recurse_list)+str()"));
	if (seed->user != NULL)
		set(config, "users", make_users(seed));
	if (text_equal(seed->user, "root"))
		set(config, "disable_root", json_false());
	if (wish->package_count > 0)
		set(config, "packages",
		    strings((const char *const *)wish->packages, wish->package_count));
	if (count > 0)
		set(config, "mounts", make_mounts(mounts, count));
	if (seed->brings_agent)
		set(config, "runcmd", make_runcmd());
	return config;
}

/* A line that is not in @text. */
static char *make_boundary(const char *text, size_t length)
{
	for (unsigned i = 0;; i++) {
		CLEANUP(text) char *boundary = text_format("gpuvm-%u", i);

		if (memmem(text, length, boundary, strlen(boundary)) == NULL)
			return STEAL(boundary);
	}
}

/* In base64, as cloud-init garbles UTF-8 that stands there as it is (Python's email.message, get_payload). */
static void add_part(char **message, const char *boundary, const char *type, const char *name,
		     const char *text, size_t length)
{
	CLEANUP(text) char *encoded = base64_encode(text, length);

	text_add(message,
		 "--%s\nContent-Type: %s\nContent-Transfer-Encoding: base64\n"
		 "Content-Disposition: attachment; filename=\"%s\"\n\n%s",
		 boundary, type, name, encoded);
}

/* A message of the user's is a part as it stands, headers and all; of anything else cloud-init finds out what it is. */
static char *join_user_data(const struct seed *seed, const char *config)
{
	CLEANUP(text)
	char *boundary = make_boundary(seed->user_data, seed->user_data_length);
	char *message = text_format("Content-Type: multipart/mixed; boundary=\"%s\"\n"
				    "MIME-Version: 1.0\n\n",
				    boundary);

	if (text_equal(seed->user_data_kind, "MIME"))
		text_add(&message, "--%s\n%s\n", boundary, seed->user_data);
	else
		add_part(&message, boundary, "text/plain", "user-data", seed->user_data,
			 seed->user_data_length);
	add_part(&message, boundary, "text/cloud-config", "gpuvm", config, strlen(config));
	text_add(&message, "--%s--\n", boundary);
	return message;
}

char *seed_user_data(const struct seed *seed, const struct seed_mount *mounts, size_t count)
{
	CLEANUP(text) char *body = dump(make_config(seed, mounts, count));
	CLEANUP(text) char *config = text_format(HEADER "%s\n", body);

	if (seed->user_data == NULL)
		return STEAL(config);
	return join_user_data(seed, config);
}

char *seed_meta_data(const struct seed *seed, const char *uuid)
{
	json_t *data = json_object();
	CLEANUP(text) char *body = NULL;

	set(data, "instance-id", string(uuid));
	set(data, "local-hostname", string(seed->hostname));
	body = dump(data);
	return text_format("%s\n", body);
}

int seed_image(const struct seed *seed, const char *uuid, const struct seed_mount *mounts,
	       size_t count, unsigned char **ret_bytes, size_t *ret_length, struct fail *fail)
{
	CLEANUP(text) char *user_data = seed_user_data(seed, mounts, count);
	CLEANUP(text) char *meta_data = seed_meta_data(seed, uuid);
	const struct iso9660_file files[] = {
		{ "meta-data", meta_data, strlen(meta_data) },
		{ "user-data", user_data, strlen(user_data) },
	};

	return iso9660_build(SEED_LABEL, files, sizeof files / sizeof *files, ret_bytes, ret_length,
			     fail);
}

void seed_free(struct seed *seed)
{
	if (seed == NULL)
		return;
	free(seed->user);
	sshkeys_done(&seed->keys);
	free(seed->hostname);
	free(seed->user_data);
	free(seed);
}
