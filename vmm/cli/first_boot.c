// SPDX-License-Identifier: MIT
#include "vmm/cli/first_boot.h"

#include "vmm/base/cleanup.h"
#include "vmm/base/text.h"
#include "vmm/cli/out.h"

/* null: not looked at. */
static json_t *keys_json(const struct seed *seed)
{
	const struct sshkeys *keys = &seed->keys;
	json_t *array = json_array();

	if (!seed->is_read && seed->spec->cloud_init.ssh_key != SPEC_SSH_KEY_NONE) {
		json_decref(array);
		return json_null();
	}
	for (size_t i = 0; i < keys->count; i++)
		json_array_append_new(
			array, json_pack("{s:s, s:s, s:s}", "type", keys->keys[i].type, "comment",
					 keys->keys[i].comment, "file", keys->keys[i].file));
	return array;
}

static json_t *packages_json(const struct spec_cloud_init *wish)
{
	json_t *array = json_array();

	for (size_t i = 0; i < wish->package_count; i++)
		json_array_append_new(array, json_string(wish->packages[i]));
	return array;
}

json_t *first_boot_json(const struct launch *launch)
{
	const struct seed *seed = launch->seed;
	const struct spec_cloud_init *wish = &launch->spec->cloud_init;

	if (seed == NULL)
		return json_null();
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:s, s:s}", "hostname",
			 seed->hostname, "user",
			 out_text_or_null(seed->user == NULL ? wish->user : seed->user), "ssh_keys",
			 keys_json(seed), "packages", packages_json(wish), "user_data",
			 out_text_or_null(wish->user_data), "user_data_kind",
			 out_text_or_null(seed->user_data_kind), "guest_agent", seed->brings_agent,
			 "pool", launch->seed_pool, "volume", launch->seed_volume);
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void print_account(const json_t *first_boot)
{
	const char *user = text_of(first_boot, "user");
	const json_t *keys = json_object_get(first_boot, "ssh_keys");
	size_t count = json_array_size(keys);
	size_t i;
	const json_t *key;

	if (json_is_null(keys))
		out_line("%-8s   account %s, by SSH keys that are not looked at here", "",
			 user == NULL ? "of whoever starts it" : user);
	if (count == 0)
		return;
	out_line("%-8s   account %s, who may use sudo, by %zu SSH key%s:", "", user, count,
		 count == 1 ? "" : "s");
	json_array_foreach(keys, i, key)
	{
		const char *comment = text_of(key, "comment");

		out_line("%-8s     %s%s%s from %s", "", text_of(key, "type"),
			 *comment == '\0' ? "" : " ", comment, text_of(key, "file"));
	}
}

static void print_packages(const json_t *first_boot)
{
	CLEANUP(text) char *names = NULL;
	size_t i;
	const json_t *package;

	json_array_foreach(json_object_get(first_boot, "packages"), i, package)
		text_join(&names, ", ", json_string_value(package));
	if (names != NULL)
		out_line("%-8s   installs %s", "", names);
}

void first_boot_print(const json_t *first_boot)
{
	const char *file = text_of(first_boot, "user_data");
	const char *kind = text_of(first_boot, "user_data_kind");

	if (!json_is_object(first_boot))
		return;
	out_line("%-8s named %s at its first boot, by cloud-init", "Guest",
		 text_of(first_boot, "hostname"));
	print_account(first_boot);
	print_packages(first_boot);
	if (json_is_true(json_object_get(first_boot, "guest_agent")))
		out_line("%-8s   installs QEMU's guest agent if it is missing", "");
	if (file != NULL)
		out_line("%-8s   does what %s says%s%s%s", "", file, kind == NULL ? "" : " (",
			 kind == NULL ? "" : kind, kind == NULL ? "" : ")");
}
