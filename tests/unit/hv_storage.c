// SPDX-License-Identifier: MIT
/* vmm/hv_storage.c on the test driver's pools, which are checked as those of a real daemon are. */
#include "vmm/hv_storage.h"

#include "tests/unit/teststorage.h"
#include "vmm/storage_xml.h"

#define GIB (UINT64_C(1) << 30)

static struct hv_volume *read_volume(struct hv *hv, const char *pool, const char *name)
{
	struct hv_volume *volume = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	assert_works(hv_volume_read(hv, pool, name, &volume, &fail), &fail);
	return volume;
}

static struct hv_pool *read_pool(struct hv *hv, const char *name)
{
	struct hv_pool *pool = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	assert_works(hv_pool_read(hv, name, &pool, &fail), &fail);
	return pool;
}

static void the_default_pool_is_made_once(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(hv_pool) struct hv_pool *pool = read_pool(hv, HV_POOL_DEFAULT);
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	assert_int_equal(pool->state, HV_POOL_ABSENT);
	assert_null(pool->path);
	for (int i = 0; i < 2; i++) {
		CLEANUP(hv_pool) struct hv_pool *again = NULL;

		assert_works(hv_pool_ready(hv, pool, &fail), &fail);
		assert_int_equal(pool->state, HV_POOL_ACTIVE);
		assert_string_equal(pool->type, "dir");
		assert_string_equal(pool->path, HV_POOL_DEFAULT_PATH);
		assert_true(pool->available_bytes > 0);
		again = read_pool(hv, HV_POOL_DEFAULT);
		assert_int_equal(again->state, HV_POOL_ACTIVE);
	}
}

static virStoragePoolPtr define_pool(virConnectPtr connection, const char *name, const char *path)
{
	CLEANUP(text) char *xml = storage_xml_pool(name, path);
	virStoragePoolPtr pool = virStoragePoolDefineXML(connection, xml, 0);

	assert_non_null(pool);
	return pool;
}

static void a_pool_of_another_name_on_its_folder_will_do(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(hv_pool) struct hv_pool *pool = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	virConnectPtr connection = virConnectOpen(TESTHV);

	(void)state;
	virStoragePoolFree(define_pool(connection, "im&ges", HV_POOL_DEFAULT_PATH));
	pool = read_pool(hv, HV_POOL_DEFAULT);
	assert_string_equal(pool->name, "im&ges");
	assert_int_equal(pool->state, HV_POOL_INACTIVE);
	assert_works(hv_pool_ready(hv, pool, &fail), &fail);
	assert_int_equal(pool->state, HV_POOL_ACTIVE);
	assert_string_equal(pool->name, "im&ges");
	virConnectClose(connection);
}

static void no_other_pool_is_made(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(hv_pool) struct hv_pool *pool = read_pool(hv, "fast");
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	assert_int_equal(pool->state, HV_POOL_ABSENT);
	assert_int_equal(hv_pool_ready(hv, pool, &fail), -1);
	assert_fails(&fail, FAIL_HOST, "pool-list --all");
	assert_string_equal(fail.items[0].what, "libvirt has no storage pool \"fast\"");
}

static void a_volume_lives(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(hv_volume) struct hv_volume *made = NULL;
	CLEANUP(hv_volume) struct hv_volume *same = NULL;
	CLEANUP(hv_volume) struct hv_volume *larger = NULL;
	CLEANUP(hv_volume) struct hv_volume *gone = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	const struct hv_volume_wish wish = { .pool = TESTSTORAGE_POOL,
					     .name = "a<b>&\".qcow2",
					     .format = "qcow2",
					     .capacity_bytes = 3 * GIB,
					     .backing = "/srv/<base>.qcow2",
					     .backing_format = "raw" };

	(void)state;
	assert_works(hv_volume_create(hv, &wish, &fail), &fail);
	made = read_volume(hv, wish.pool, wish.name);
	assert_string_equal(made->pool, wish.pool);
	assert_string_equal(made->name, wish.name);
	assert_string_equal(made->path, "/default-pool/a<b>&\".qcow2");
	assert_string_equal(made->format, "qcow2");
	assert_int_equal(made->capacity_bytes, 3 * GIB);
	assert_int_equal(made->allocation_bytes, 0);
	assert_string_equal(made->backing, wish.backing);
	assert_string_equal(made->backing_format, "raw");

	assert_works(hv_volume_at(hv, made->path, &same, &fail), &fail);
	assert_string_equal(same->pool, wish.pool);
	assert_string_equal(same->name, wish.name);

	assert_int_equal(hv_volume_create(hv, &wish, &fail), -1);
	assert_int_equal(fail.kind, FAIL_HV);
	fail_done(&fail);
	assert_works(hv_volume_resize(hv, wish.pool, wish.name, 5 * GIB, &fail), &fail);
	larger = read_volume(hv, wish.pool, wish.name);
	assert_int_equal(larger->capacity_bytes, 5 * GIB);
	assert_string_equal(larger->backing, wish.backing);
	assert_int_equal(hv_volume_resize(hv, wish.pool, wish.name, GIB, &fail), -1);
	assert_int_equal(fail.kind, FAIL_HV);
	fail_done(&fail);

	for (int i = 0; i < 2; i++)
		assert_works(hv_volume_delete(hv, wish.pool, wish.name, &fail), &fail);
	gone = read_volume(hv, wish.pool, wish.name);
	assert_null(gone);
}

static void what_is_not_there_is_no_failure(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(hv_volume) struct hv_volume *volume = read_volume(hv, TESTSTORAGE_POOL, "none");
	CLEANUP(hv_volume) struct hv_volume *other = read_volume(hv, "no-pool", "none");
	CLEANUP(hv_volume) struct hv_volume *at = NULL;
	virConnectPtr connection = virConnectOpen(TESTHV);
	CLEANUP(hv_volume) struct hv_volume *inactive = NULL;

	(void)state;
	assert_null(volume);
	assert_null(other);
	assert_works(hv_volume_at(hv, "/nowhere", &at, &fail), &fail);
	assert_null(at);
	virStoragePoolFree(define_pool(connection, "still", "/still"));
	inactive = read_volume(hv, "still", "none");
	assert_null(inactive);
	assert_int_equal(hv_volume_resize(hv, TESTSTORAGE_POOL, "none", GIB, &fail), -1);
	assert_fails(&fail, FAIL_HV, "");
	virConnectClose(connection);
}

static void a_filled_volume_has_its_bytes(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(hv_volume) struct hv_volume *volume = NULL;
	CLEANUP(hv_volume) struct hv_volume *broken = NULL;
	static char bytes[300000];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 7);
	assert_works(hv_volume_create_filled(hv, TESTSTORAGE_POOL, "seed.iso", bytes, sizeof bytes,
					     &fail),
		     &fail);
	volume = read_volume(hv, TESTSTORAGE_POOL, "seed.iso");
	assert_string_equal(volume->format, "raw");
	assert_int_equal(volume->capacity_bytes, sizeof bytes);
	assert_int_equal(teststorage_sent_bytes, sizeof bytes);
	assert_memory_equal(teststorage_sent, bytes, sizeof bytes);

	teststorage_breaks = true;
	assert_int_equal(
		hv_volume_create_filled(hv, TESTSTORAGE_POOL, "torn.iso", bytes, 10, &fail), -1);
	teststorage_breaks = false;
	assert_fails(&fail, FAIL_HV, "");
	broken = read_volume(hv, TESTSTORAGE_POOL, "torn.iso");
	assert_null(broken);
}

static void hostile_xml_is_refused(void **state)
{
	static const struct {
		const char *xml, *cause;
	} cases[] = {
		{ "", "not well-formed" },
		{ "<volume><name>a</name></volume>", "without name or path" },
		{ "<volume><capacity unit='bytes'>12x</capacity></volume>", "malformed size" },
		{ "<volume><capacity unit='KiB'>12</capacity></volume>", "malformed size" },
		{ "<volume><allocation>99999999999999999999</allocation></volume>",
		  "malformed size" },
		{ "<!DOCTYPE volume [<!ENTITY a 'b'>]><volume/>", "document type" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(hv_volume) struct hv_volume *volume = mem_alloc(1, sizeof *volume);
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", cases[i].xml);
		assert_int_equal(storage_xml_read_volume(cases[i].xml, volume, &fail), -1);
		assert_int_equal(fail.kind, FAIL_HV);
		assert_true(text_contains(fail.items[0].cause, cases[i].cause));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_pool_is_made_once),
		cmocka_unit_test(a_pool_of_another_name_on_its_folder_will_do),
		cmocka_unit_test(no_other_pool_is_made),
		cmocka_unit_test(a_volume_lives),
		cmocka_unit_test(what_is_not_there_is_no_failure),
		cmocka_unit_test(a_filled_volume_has_its_bytes),
		cmocka_unit_test(hostile_xml_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
