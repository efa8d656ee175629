// SPDX-License-Identifier: MIT
/* The seed of whole starts: where it is made, by what it says, and when it goes. */
#include <dirent.h>
#include <grp.h>

#include "tests/unit/keys_public.h"
#include "tests/unit/leases.h"
#include "tests/unit/livehost.h"
#include "tests/unit/nodedev.h"
#include "tests/unit/teststorage.h"
#include "vmm/finish.h"

#define HAS_SEED(name) "<name>" name "-seed.iso</name>"

static const struct launch_options live = { .uri = TESTHV, .lease_directory = LIVEHOST_LEASES };
static const struct finish_options finishing = { .uri = TESTHV };

/* The path of a spec of the VM @name with @section in it. The caller frees. */
static char *spec_with(const char *name, const char *section)
{
	CLEANUP(text)
	char *text = text_format(LIVEHOST_SPEC_WITH("%s", "match = any", "/vm.qcow2", "none") "%s",
				 name, section);

	free(scratch_write("", "k.pub", KEY_ED25519 " alice\n"));
	return scratch_write("", "vm.ini", text);
}

#define SECTION "[cloud-init]\nuser = alice\nssh_key = k.pub\n"

static bool storage_has(const char *text)
{
	CLEANUP(text) char *everything = teststorage_everything();

	return strstr(everything, text) != NULL;
}

static void stop(struct hv *hv, const char *uuid)
{
	CLEANUP(fail) struct fail fail = { 0 };

	assert_works(hv_destroy(hv, uuid, &fail), &fail);
}

static void delete_vm(const char *name)
{
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(finish) struct finish *finish = NULL;

	assert_works(finish_delete(&finishing, name, &finish, &fail), &fail);
}

/* What was sent last has @text in it. */
static bool was_sent(const char *text)
{
	return memmem(teststorage_sent, teststorage_sent_bytes, text, strlen(text)) != NULL;
}

static void a_seed_is_made_anew_and_deleted(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *spec = spec_with("vm", SECTION);
	CLEANUP(launch) struct launch *first = livehost_start(spec);
	CLEANUP(launch) struct launch *second = NULL;
	CLEANUP(launch) struct launch *third = NULL;

	(void)state;
	assert_true(was_sent("cidata") || was_sent("CIDATA"));
	assert_true(was_sent(KEY_ED25519 " alice"));
	assert_true(was_sent(first->uuid));
	assert_true(storage_has(HAS_SEED("vm")));
	assert_non_null(strstr(first->xml, "<readonly/>"));
	assert_non_null(strstr(first->xml, "-seed.iso\"/>"));
	/* What it says is nowhere else. */
	assert_null(strstr(first->xml, "AAAAC3Nza"));
	stop(hv, first->uuid);
	free(spec_with("vm", SECTION "packages = git\n"));
	second = livehost_start(spec);
	assert_true(was_sent("\"git\""));
	assert_true(was_sent(first->uuid));
	assert_true(storage_has(HAS_SEED("vm")));
	stop(hv, first->uuid);
	/* By its name, from the spec that it was started with last. */
	third = livehost_start("vm");
	assert_true(was_sent("\"git\""));
	stop(hv, first->uuid);
	delete_vm("vm");
	assert_false(storage_has("-seed.iso"));
}

/* The section is taken out again: so is the volume, once the VM runs without. */
static void a_seed_goes_with_its_section(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *spec = spec_with("vm", SECTION);
	CLEANUP(launch) struct launch *first = livehost_start(spec);
	CLEANUP(launch) struct launch *second = NULL;

	(void)state;
	stop(hv, first->uuid);
	free(spec_with("vm", ""));
	second = livehost_start(spec);
	assert_false(storage_has("-seed.iso"));
	assert_null(strstr(second->xml, "<readonly/>"));
	stop(hv, first->uuid);
	delete_vm("vm");
}

/* A data set of the host's is mounted by the guest's first boot. */
static void the_seed_mounts_the_shares(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text)
	char *spec = spec_with("vm", SECTION "[share:data]\nsource = /srv/data\ntarget = set\n");
	CLEANUP(launch) struct launch *launch = NULL;

	(void)state;
	scratch_make_directories("/srv/data");
	scratch_make_directories("/usr/libexec");
	scratch_make_directories("/usr/share/qemu/vhost-user");
	free(scratch_write("/usr/libexec", "virtiofsd", ""));
	free(scratch_write("/usr/share/qemu/vhost-user", "50-virtiofsd.json",
			   "{\"type\": \"fs\", \"binary\": \"/usr/libexec/virtiofsd\"}"));
	launch = livehost_start(spec);
	assert_true(was_sent("\"set\"") && was_sent("\"/mnt/set\"") && was_sent("\"virtiofs\""));
	stop(hv, launch->uuid);
	delete_vm("vm");
}

static void expect_failure(const char *target, enum fail_kind kind, const char *word)
{
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(text) char *before = teststorage_everything();
	CLEANUP(text) char *after = NULL;

	assert_int_equal(launch_start(&live, target, &launch, &fail), -1);
	assert_fails(&fail, kind, word);
	assert_int_equal(fail.item_count, 1);
	assert_int_equal(livehost_claims(), 0);
	after = teststorage_everything();
	/* The pool is what the host should have anyway. */
	assert_int_equal(strstr(before, "-seed.iso") != NULL, strstr(after, "-seed.iso") != NULL);
}

static void a_start_that_fails_leaves_no_seed(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *before = testhv_everything(hv);
	CLEANUP(text) char *after = NULL;

	(void)state;
	free(spec_with("broken", SECTION));
	expect_failure("/vm.ini", FAIL_HV, "could not start");
	teststorage_breaks = true;
	free(spec_with("vm", SECTION));
	expect_failure("/vm.ini", FAIL_HV, "cannot fill volume");
	teststorage_breaks = false;
	free(spec_with("vm", "[cloud-init]\nssh_key = none.pub\n"));
	expect_failure("/vm.ini", FAIL_SPEC, "cannot be read");
	after = testhv_everything(hv);
	assert_string_equal(before, after);
}

/* A start of a VM that had one keeps it: the definition before may be started by others. */
static void a_known_seed_outlasts_a_failed_start(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *spec = spec_with("vm", SECTION);
	CLEANUP(launch) struct launch *first = livehost_start(spec);

	(void)state;
	stop(hv, first->uuid);
	free(spec_with("vm", "[cloud-init]\nssh_key = none.pub\n"));
	expect_failure("/vm.ini", FAIL_SPEC, "cannot be read");
	assert_true(storage_has(HAS_SEED("vm")));
	delete_vm("vm");
	assert_false(storage_has("-seed.iso"));
}

static void somebody_elses_volume_is_left_alone(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(hv_pool) struct hv_pool *pool = NULL;
	CLEANUP(text) char *spec = spec_with("vm", SECTION);
	CLEANUP(launch) struct launch *plan = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	assert_works(hv_pool_read(hv, HV_POOL_DEFAULT, &pool, &fail), &fail);
	assert_works(hv_pool_ready(hv, pool, &fail), &fail);
	assert_works(hv_volume_create_filled(hv, pool->name, "vm-seed.iso", "mine", 4, &fail),
		     &fail);
	expect_failure(spec, FAIL_SPEC, "vol-delete");
	assert_memory_equal(teststorage_sent, "mine", 4);
	assert_works(launch_plan(&live, spec, &plan, &fail), &fail);
	assert_int_equal(plan->refusal_count, 1);
	assert_fails(&plan->refusals[0], FAIL_SPEC, "did not make for this VM");
	assert_string_equal(plan->refusals[0].items[0].finding, "first-boot");
	assert_works(hv_volume_delete(hv, pool->name, "vm-seed.iso", &fail), &fail);
}

/* A plan reads what a start would, and goes on without. */
static void a_plan_says_what_is_missing(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *spec = spec_with("vm", SECTION);
	CLEANUP(launch) struct launch *good = NULL;
	CLEANUP(launch) struct launch *bad = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	assert_non_null(hv);
	assert_works(launch_plan(&live, spec, &good, &fail), &fail);
	assert_int_equal(good->refusal_count, 0);
	assert_int_equal(good->seed->keys.count, 1);
	assert_non_null(strstr(good->xml, "vm-seed.iso"));
	assert_false(storage_has("-seed.iso"));
	assert_int_equal(unlink("/k.pub"), 0);
	assert_works(launch_plan(&live, spec, &bad, &fail), &fail);
	assert_int_equal(bad->refusal_count, 1);
	assert_fails(&bad->refusals[0], FAIL_SPEC, "No such file");
	assert_string_equal(bad->refusals[0].items[0].finding, "first-boot");
	assert_non_null(strstr(bad->xml, "vm-seed.iso"));
}

/* root starts it at boot; alice, who is nobody here, has keys in her own folder. */
static void a_start_at_boot_is_the_owners(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *spec = spec_with("vm", "[cloud-init]\n");
	CLEANUP(text)
	char *inside = text_format(LIVEHOST_METADATA("%s"),
				   LIVEHOST_SPEC("vm", "/vm.qcow2") "[cloud-init]\n");
	CLEANUP(text) char *metadata = testhv_metadata(SCRATCH_NOBODY, inside);
	CLEANUP(text)
	char *xml = testhv_xml("vm", "11111111-2222-3333-4444-555555555555", metadata, "");
	struct launch_options options = live;
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	scratch_make_directories("/etc");
	scratch_make_directories("/home/alice/.ssh");
	free(scratch_write(
		"/etc", "passwd",
		"root:x:0:0::/root:/bin/sh\nalice:x:65534:65534::/home/alice:/bin/sh\n"));
	free(scratch_write("/home/alice/.ssh", "id_ed25519.pub", KEY_ED25519 " a\n"));
	testhv_define(hv, xml);
	options.keep_owner = true;
	assert_works(launch_start(&options, "vm", &launch, &fail), &fail);
	assert_string_equal(launch->seed->user, "alice");
	assert_string_equal(launch->seed->keys.keys[0].file, "/home/alice/.ssh/id_ed25519.pub");
	stop(hv, launch->uuid);
}

/* libarchive passes a file there. */
static int make_tmp(void **state)
{
	(void)state;
	return mkdir("/tmp", 01777);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seed_is_made_anew_and_deleted),
		cmocka_unit_test(a_seed_goes_with_its_section),
		cmocka_unit_test(the_seed_mounts_the_shares),
		cmocka_unit_test(a_start_that_fails_leaves_no_seed),
		cmocka_unit_test(a_known_seed_outlasts_a_failed_start),
		cmocka_unit_test(somebody_elses_volume_is_left_alone),
		cmocka_unit_test(a_plan_says_what_is_missing),
		cmocka_unit_test(a_start_at_boot_is_the_owners),
	};

	return LIVEHOST_RUN_TESTS(tests, make_tmp);
}
