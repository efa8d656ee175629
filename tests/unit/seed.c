// SPDX-License-Identifier: MIT
#include "vmm/seed.h"

#include <archive.h>
#include <archive_entry.h>
#include <jansson.h>

#include "tests/unit/keys_public.h"
#include "tests/unit/scratch.h"
#include "vmm/base/base64.h"

#define UUID "6d5a9a51-6ee6-4a3c-8a8e-4b7a1f0d2c11"

static char *some_packages[] = { "git", "g++" };

/* As seed_read() leaves it; nothing in it is owned but the keys. */
struct world {
	struct spec spec;
	struct seed seed;
};

static void world_init(struct world *world)
{
	CLEANUP(fail) struct fail fail = { 0 };
	static const char keys[] = KEY_ED25519 " a \"b\": {c} ]]> \\n\n" KEY_ECDSA "\n";

	memset(world, 0, sizeof *world);
	world->spec.cloud_init.is_written = true;
	world->seed.spec = &world->spec;
	world->seed.user = (char *)"alice";
	world->seed.hostname = (char *)"train";
	assert_works(sshkey_read("k.pub", keys, strlen(keys), &world->seed.keys, &fail), &fail);
}

static void world_done(struct world *world)
{
	sshkeys_done(&world->seed.keys);
}

static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (value == NULL)
		fail_msg("%s, line %d of:\n%s", error.text, error.line, text);
	return value;
}

/* The cloud-config as JSON, which is YAML too. */
static json_t *config_of(const char *user_data)
{
	assert_true(text_starts(user_data, "#cloud-config\n"));
	return parse(user_data + strlen("#cloud-config\n"));
}

static const char *text_at(const json_t *array, size_t at)
{
	return json_string_value(json_array_get(array, at));
}

static void everything_is_written(void **state)
{
	static const struct seed_mount mounts[] = { { "data", "/data", true },
						    { "home", "/mnt/home", false } };
	struct world world;
	CLEANUP(text) char *text = NULL;
	json_t *config;
	const json_t *account, *mount;

	(void)state;
	world_init(&world);
	world.spec.cloud_init.packages = some_packages;
	world.spec.cloud_init.package_count = COUNT(some_packages);
	world.seed.brings_agent = true;
	text = seed_user_data(&world.seed, mounts, COUNT(mounts));
	config = config_of(text);
	assert_int_equal(json_object_size(config), 4);
	assert_int_equal(json_array_size(json_object_get(config, "users")), 1);
	account = json_array_get(json_object_get(config, "users"), 0);
	assert_string_equal(json_string_value(json_object_get(account, "name")), "alice");
	assert_true(json_is_true(json_object_get(account, "lock_passwd")));
	assert_string_equal(json_string_value(json_object_get(account, "sudo")),
			    "ALL=(ALL) NOPASSWD:ALL");
	assert_string_equal(text_at(json_object_get(account, "groups"), 1), "sudo");
	assert_string_equal(text_at(json_object_get(account, "ssh_authorized_keys"), 0),
			    KEY_ED25519 " a \"b\": {c} ]]> \\n");
	assert_string_equal(text_at(json_object_get(account, "ssh_authorized_keys"), 1), KEY_ECDSA);
	assert_string_equal(text_at(json_object_get(config, "packages"), 1), "g++");
	mount = json_array_get(json_object_get(config, "mounts"), 0);
	assert_string_equal(text_at(mount, 0), "data");
	assert_string_equal(text_at(mount, 1), "/data");
	assert_string_equal(text_at(mount, 2), "virtiofs");
	assert_string_equal(text_at(mount, 3), "defaults,nofail,ro");
	assert_string_equal(text_at(mount, 5), "0");
	mount = json_array_get(json_object_get(config, "mounts"), 1);
	assert_string_equal(text_at(mount, 3), "defaults,nofail");
	assert_non_null(strstr(text_at(json_array_get(json_object_get(config, "runcmd"), 0), 2),
			       "qemu-guest-agent"));
	json_decref(config);
	world_done(&world);
}

/* No password, no list that is empty, no account that nobody could enter. */
static void nothing_is_nothing(void **state)
{
	struct world world;
	CLEANUP(text) char *text = NULL;
	json_t *config;

	(void)state;
	world_init(&world);
	world.seed.user = NULL;
	text = seed_user_data(&world.seed, NULL, 0);
	config = config_of(text);
	assert_int_equal(json_object_size(config), 0);
	json_decref(config);
	world_done(&world);
}

static void root_is_let_in(void **state)
{
	struct world world;
	CLEANUP(text) char *text = NULL;
	json_t *config;
	const json_t *account;

	(void)state;
	world_init(&world);
	world.seed.user = (char *)"root";
	text = seed_user_data(&world.seed, NULL, 0);
	config = config_of(text);
	account = json_array_get(json_object_get(config, "users"), 0);
	assert_true(json_is_false(json_object_get(config, "disable_root")));
	assert_null(json_object_get(account, "sudo"));
	assert_null(json_object_get(account, "groups"));
	assert_true(json_is_true(json_object_get(account, "lock_passwd")));
	json_decref(config);
	world_done(&world);
}

/* The text of the part number @at of @message, by its boundary; of one that is in base64 what it stands for. */
static char *part_of(const char *message, unsigned at)
{
	CLEANUP(text) char *boundary = NULL;
	CLEANUP(text) char *body = NULL;
	const char *from = strstr(message, "boundary=\"");
	unsigned char *bytes = NULL;
	size_t length = 0;
	char *to, *result;

	assert_non_null(from);
	from += strlen("boundary=\"");
	boundary = text_format("\n--%.*s", (int)strcspn(from, "\""), from);
	for (unsigned i = 0; i <= at; i++) {
		from = strstr(from, boundary);
		assert_non_null(from);
		from += strlen(boundary) + 1;
	}
	assert_non_null(strstr(from, boundary));
	body = mem_strndup(from, (size_t)(strstr(from, boundary) - from));
	if (strstr(body, "Content-Transfer-Encoding: base64\n") == NULL)
		return STEAL(body);
	from = strstr(body, "\n\n") + 2;
	for (to = body; (*to = *from) != '\0'; from++)
		to += *from == '\n' ? 0 : 1;
	assert_true(base64_decode(body, strlen(body), &bytes, &length));
	result = mem_strndup((const char *)bytes, length);
	free(bytes);
	return result;
}

/* Whatever the file has in it arrives as it is, also what looks like the message around it. */
static void own_files_come_first(void **state)
{
	static const char *const files[] = {
		"#!/bin/sh\necho \"\xc3\xa9 \xf0\x9f\x98\x80\" ]]> ' \\\n--gpuvm-0--\n--gpuvm-1\n",
		"#cloud-config\npackages: [git]\nx: \"\t\"\n",
		"#!/bin/sh",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		struct world world;
		CLEANUP(text) char *text = NULL;
		CLEANUP(text) char *first = NULL;
		CLEANUP(text) char *second = NULL;
		json_t *config;

		world_init(&world);
		world.seed.user_data = (char *)files[i];
		world.seed.user_data_length = strlen(files[i]);
		world.seed.user_data_kind = "script";
		text = seed_user_data(&world.seed, NULL, 0);
		first = part_of(text, 0);
		second = part_of(text, 1);
		assert_string_equal(first, files[i]);
		config = config_of(second);
		assert_string_equal(json_string_value(json_object_get(config, "merge_how")),
				    "list(prepend)+dict(no_replace,recurse_list)+str()");
		assert_string_equal(text_at(json_object_get(config, "users"), 1), "default");
		json_decref(config);
		world_done(&world);
	}
}

static void own_messages_are_kept_whole(void **state)
{
	static const char message[] = "Content-Type: multipart/mixed; boundary=\"gpuvm-0\"\n"
				      "MIME-Version: 1.0\n\n--gpuvm-0\nContent-Type: "
				      "text/x-shellscript\n\n#!/bin/sh\n--gpuvm-0--\n";
	struct world world;
	CLEANUP(text) char *text = NULL;
	CLEANUP(text) char *first = NULL;

	(void)state;
	world_init(&world);
	world.seed.user_data = (char *)message;
	world.seed.user_data_length = strlen(message);
	world.seed.user_data_kind = "MIME";
	text = seed_user_data(&world.seed, NULL, 0);
	first = part_of(text, 0);
	assert_string_equal(first, message);
	/* Its headers are the part's. */
	assert_non_null(strstr(text, message));
	world_done(&world);
}

static void mounts_fit_into_fstab(void **state)
{
	static const struct {
		struct seed_mount mount;
		bool valid;
	} cases[] = {
		{ { "data", "/data", true }, true },
		{ { "123456789012345678901234567890123456", "/", true }, true },
		{ { "1234567890123456789012345678901234567", "/", true }, false },
		{ { "", "/data", true }, false },
		{ { "da ta", "/data", true }, false },
		{ { "data", "data", true }, false },
		{ { "data", "", true }, false },
		{ { "data", "/da ta", true }, false },
		{ { "data", "/da\tta", true }, false },
		{ { "data", "/da\\040ta", true }, false },
		{ { "#data", "/data", true }, false },
		{ { "data", "/d\xc3\xa9", true }, false },
		{ { "data", "/d\n", true }, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (seed_mount_is_valid(&cases[i].mount) != cases[i].valid)
			fail_msg("%s %s", cases[i].mount.tag, cases[i].mount.path);
}

/* The volume's two files, and nothing else. */
static void volumes_are_read_back(void **state)
{
	struct world world;
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(text) char *expected = NULL;
	unsigned char *bytes = NULL;
	size_t length = 0;
	struct archive *from = archive_read_new();
	struct archive_entry *entry;
	unsigned found = 0;

	(void)state;
	world_init(&world);
	expected = seed_user_data(&world.seed, NULL, 0);
	assert_works(seed_image(&world.seed, UUID, NULL, 0, &bytes, &length, &fail), &fail);
	assert_int_equal(archive_read_support_format_iso9660(from), ARCHIVE_OK);
	assert_int_equal(archive_read_open_memory(from, bytes, length), ARCHIVE_OK);
	while (archive_read_next_header(from, &entry) == ARCHIVE_OK) {
		CLEANUP(text) char *content = mem_alloc(65536, 1);
		const char *name = archive_entry_pathname(entry);

		assert_true(archive_read_data(from, content, 65535) >= 0);
		if (strcmp(name, "meta-data") == 0) {
			json_t *data = parse(content);

			assert_int_equal(json_object_size(data), 2);
			assert_string_equal(json_string_value(json_object_get(data, "instance-id")),
					    UUID);
			assert_string_equal(
				json_string_value(json_object_get(data, "local-hostname")),
				"train");
			json_decref(data);
			found |= 1;
		} else if (strcmp(name, "user-data") == 0) {
			assert_string_equal(content, expected);
			found |= 2;
		} else if (strcmp(name, ".") != 0) {
			fail_msg("%s", name);
		}
	}
	assert_int_equal(found, 3);
	archive_read_free(from);
	free(bytes);
	world_done(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_written),
		cmocka_unit_test(nothing_is_nothing),
		cmocka_unit_test(root_is_let_in),
		cmocka_unit_test(own_files_come_first),
		cmocka_unit_test(own_messages_are_kept_whole),
		cmocka_unit_test(mounts_fit_into_fstab),
		cmocka_unit_test(volumes_are_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
