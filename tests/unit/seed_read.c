// SPDX-License-Identifier: MIT
#include "vmm/seed_read.h"

#include "tests/unit/keys_public.h"
#include "tests/unit/scratch.h"
#include "vmm/spec_type_cloud_init.h"

#define VM "[vm]\nname = 0.a_b-\nvcpus = 1\nmemory = 1 GiB\n[gpu]\n[disk]\nimage = x.img\n"

/* A home with a key in it, and the spec's folder beside it. */
struct world {
	char *directory;
	struct spec *spec;
	struct seed *seed;
	struct fail fail;
	int result;
};

static void world_done(struct world *world)
{
	seed_free(world->seed);
	spec_free(world->spec);
	fail_done(&world->fail);
	scratch_free(world->directory);
}

static void world_cleanup(struct world *world)
{
	world_done(world);
}

static struct world new_world(void)
{
	struct world world = { .directory = scratch_new() };
	CLEANUP(text) char *ssh = text_format("%s/.ssh", world.directory);

	assert_int_equal(mkdir(ssh, 0700), 0);
	return world;
}

static void fill(const struct world *world, const char *name, const char *text)
{
	free(scratch_write(world->directory, name, text));
}

static void read_as(struct world *world, const char *section, const char *name)
{
	CLEANUP(text) char *text = text_format(VM "%s", section);
	struct seed_caller caller = { name, world->directory };

	assert_works(spec_parse("a.ini", world->directory, text, &world->spec, &world->fail),
		     &world->fail);
	world->result = seed_read(world->spec, name == NULL ? NULL : &caller, &world->seed,
				  &world->fail);
}

static void own_keys_are_found(void **state)
{
	CLEANUP(world) struct world world = new_world();
	CLEANUP(text) char *link = text_format("%s/.ssh/id_zero.pub", world.directory);
	CLEANUP(text) char *fifo = text_format("%s/.ssh/id_fifo.pub", world.directory);
	CLEANUP(text) char *folder = text_format("%s/.ssh/id_dir.pub", world.directory);

	(void)state;
	fill(&world, ".ssh/id_rsa.pub", KEY_RSA " r\n");
	fill(&world, ".ssh/id_ed25519.pub", KEY_ED25519 " e\n");
	fill(&world, ".ssh/id_ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
	fill(&world, ".ssh/id_ed25519-cert.pub", KEY_ECDSA "\n");
	fill(&world, ".ssh/other.pub", KEY_ECDSA "\n");
	fill(&world, ".ssh/id_bad.pub", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
	assert_int_equal(symlink("/dev/zero", link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(mkdir(folder, 0700), 0);
	read_as(&world, "[cloud-init]\n", "alice");
	assert_works(world.result, &world.fail);
	assert_string_equal(world.seed->user, "alice");
	assert_string_equal(world.seed->hostname, "0-a-b");
	assert_int_equal(world.seed->keys.count, 2);
	assert_string_equal(world.seed->keys.keys[0].comment, "e");
	assert_string_equal(world.seed->keys.keys[1].comment, "r");
	assert_true(world.seed->brings_agent);
	assert_null(world.seed->user_data);
}

static void files_of_keys_are_read(void **state)
{
	CLEANUP(world) struct world world = new_world();

	(void)state;
	fill(&world, ".ssh/id_rsa.pub", KEY_RSA " r\n");
	fill(&world, "team.pub", KEY_ED25519 " e\n" KEY_ECDSA "\n");
	read_as(&world,
		"[network]\nsource = none\n[cloud-init]\nssh_key = team.pub\nuser = bob\n"
		"hostname = a.example.org\n",
		"Alice@EXAMPLE");
	assert_works(world.result, &world.fail);
	assert_string_equal(world.seed->user, "bob");
	assert_int_equal(world.seed->keys.count, 2);
	assert_string_equal(world.seed->hostname, "a.example.org");
	assert_false(world.seed->brings_agent);
}

/* What no file or caller is asked for. */
static void other_hosts_have_other_callers(void **state)
{
	CLEANUP(world) struct world world = new_world();

	(void)state;
	read_as(&world, "[cloud-init]\nssh_key = nowhere.pub\nuser_data = nowhere.sh\n", NULL);
	assert_works(world.result, &world.fail);
	assert_null(world.seed->user);
	assert_null(world.seed->user_data);
	assert_int_equal(world.seed->keys.count, 0);
}

/* Nobody is made where nobody could log in, if that was not asked for. */
static void keys_may_be_missing(void **state)
{
	static const char *const sections[] = {
		"[cloud-init]\nssh_key = none\n",
		"[cloud-init]\nuser_data = run.sh\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(sections); i++) {
		CLEANUP(world) struct world world = new_world();

		fill(&world, "run.sh", "#!/bin/sh\n");
		fill(&world, ".ssh/other.pub", KEY_ED25519 "\n");
		read_as(&world, sections[i], "alice");
		assert_works(world.result, &world.fail);
		assert_null(world.seed->user);
		assert_int_equal(world.seed->keys.count, 0);
	}
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *section, *name, *word;
		unsigned line;
	} cases[] = {
		{ "[cloud-init]\n", "alice", "no SSH key: nobody could log in", 8 },
		{ "[cloud-init]\n\nssh_key = auto\nuser_data = run.sh\n", "alice", "no SSH key",
		  10 },
		{ "[cloud-init]\nuser_data = run.sh\nuser = bob\n", "alice", "ssh-keygen", 8 },
		{ "[cloud-init]\nssh_key = nowhere.pub\n", "alice", "No such file", 9 },
		{ "[cloud-init]\nssh_key = .ssh\n", "alice", "a folder", 9 },
		{ "[cloud-init]\nssh_key = /dev/zero\n", "alice", "not a regular file", 9 },
		{ "[cloud-init]\nssh_key = fifo\n", "alice", "not a regular file", 9 },
		{ "[cloud-init]\nssh_key = private\n", "alice", "a private key", 0 },
		{ "[cloud-init]\nssh_key = good.pub\n", "Alice@EXAMPLE", "write user = NAME", 8 },
		{ "[cloud-init]\nssh_key = good.pub\n", "default", "your own name will not do", 8 },
		{ "[cloud-init]\nssh_key = none\nuser_data = nowhere\n", "alice", "No such file",
		  10 },
		{ "[cloud-init]\nssh_key = none\nuser_data = fifo\n", "alice", "not a regular file",
		  10 },
		{ "[cloud-init]\nssh_key = none\nuser_data = zero\n", "alice", "not a regular file",
		  10 },
		{ "[cloud-init]\nssh_key = none\nuser_data = empty\n", "alice", "first line", 10 },
		{ "[cloud-init]\nssh_key = none\nuser_data = yaml\n", "alice", "#cloud-config",
		  10 },
		{ "[cloud-init]\nssh_key = none\nuser_data = dos.sh\n", "alice", "Windows", 10 },
		{ "[cloud-init]\nssh_key = none\nuser_data = latin.sh\n", "alice", "UTF-8", 10 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(world) struct world world = new_world();
		CLEANUP(text) char *fifo = text_format("%s/fifo", world.directory);
		CLEANUP(text) char *zero = text_format("%s/zero", world.directory);

		assert_int_equal(mkfifo(fifo, 0600), 0);
		assert_int_equal(symlink("/dev/zero", zero), 0);
		fill(&world, "good.pub", KEY_ED25519 "\n");
		fill(&world, "private", "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n");
		fill(&world, "run.sh", "#!/bin/sh\n");
		fill(&world, "empty", "");
		fill(&world, "yaml", "packages: [secret]\n");
		fill(&world, "dos.sh", "#!/bin/sh\r\necho secret\r\n");
		fill(&world, "latin.sh", "#!/bin/sh\necho secret \xe9\n");
		read_as(&world, cases[i].section, cases[i].name);
		assert_int_equal(world.result, -1);
		assert_null(world.seed);
		assert_fails(&world.fail, FAIL_SPEC, cases[i].word);
		assert_int_equal(world.fail.items[0].line, cases[i].line);
		assert_null(strstr(world.fail.items[0].what, "secret"));
	}
}

/* As cloud-init tells them apart. */
static void kinds_are_told(void **state)
{
	static const struct {
		const char *text, *kind;
	} cases[] = {
		{ "#!/bin/sh\n", "script" },
		{ "#cloud-config\r\nx: 1\r\n", "cloud-config" },
		{ "\xef\xbb\xbf#cloud-config\n", "cloud-config" },
		{ "\n  #Cloud-Config\n", "cloud-config" },
		{ "#cloud-config-archive\n[]\n", "cloud-config archive" },
		{ "#include-once\nhttps://example.org/\n", "list of URLs" },
		{ "## template: jinja\n#cloud-config\n", "Jinja template" },
		{ "#cloud-boothook\n", "boot hook" },
		{ "Content-Type: multipart/mixed; boundary=\"x\"\nMIME-version: 1.0\n\n--x--\n",
		  "MIME" },
		{ "#!/bin/sh\n# mime-version: 1\n", "MIME" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(world) struct world world = new_world();

		fill(&world, "own", cases[i].text);
		read_as(&world, "[cloud-init]\nssh_key = none\nuser_data = own\n", "alice");
		assert_works(world.result, &world.fail);
		assert_string_equal(world.seed->user_data_kind, cases[i].kind);
		assert_int_equal(world.seed->user_data_length, strlen(world.seed->user_data));
		assert_int_not_equal(world.seed->user_data[0], '\xef');
	}
}

static void large_files_have_a_limit(void **state)
{
	CLEANUP(text) char *text = mem_alloc(SEED_USER_DATA_MOST_BYTES + 2, 1);
	CLEANUP(world) struct world most = new_world();
	CLEANUP(world) struct world more = new_world();

	(void)state;
	memset(text, 'x', SEED_USER_DATA_MOST_BYTES);
	memcpy(text, "#!/bin/sh\n", 10);
	fill(&most, "own", text);
	read_as(&most, "[cloud-init]\nssh_key = none\nuser_data = own\n", "alice");
	assert_works(most.result, &most.fail);
	assert_int_equal(most.seed->user_data_length, SEED_USER_DATA_MOST_BYTES);
	strcat(text, "x");
	fill(&more, "own", text);
	read_as(&more, "[cloud-init]\nssh_key = none\nuser_data = own\n", "alice");
	assert_fails(&more.fail, FAIL_SPEC, "1 MiB");
}

static void nul_bytes_are_refused(void **state)
{
	CLEANUP(world) struct world world = new_world();
	CLEANUP(text) char *path = text_format("%s/own", world.directory);
	FILE *file = fopen(path, "w");

	(void)state;
	assert_non_null(file);
	assert_int_equal(fwrite("#!/bin/sh\n\0x", 1, 12, file), 12);
	fclose(file);
	read_as(&world, "[cloud-init]\nssh_key = none\nuser_data = own\n", "alice");
	assert_fails(&world.fail, FAIL_SPEC, "not plain UTF-8 text");
}

static void hostnames_are_made(void **state)
{
	static const struct {
		const char *name, *hostname;
	} cases[] = { { "train", "train" }, { "a.b", "a-b" }, { "a__b", "a-b" },
		      { "0", "0" },         { "a-._", "a" },  { "a-b", "a-b" } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *hostname = seed_hostname(cases[i].name);

		assert_string_equal(hostname, cases[i].hostname);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_keys_are_found),
		cmocka_unit_test(files_of_keys_are_read),
		cmocka_unit_test(other_hosts_have_other_callers),
		cmocka_unit_test(keys_may_be_missing),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(kinds_are_told),
		cmocka_unit_test(large_files_have_a_limit),
		cmocka_unit_test(nul_bytes_are_refused),
		cmocka_unit_test(hostnames_are_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
