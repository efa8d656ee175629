// SPDX-License-Identifier: MIT
/* Starts that make disks, and deletes that take them away, on the test driver's pools. */
#include "vmm/launch.h"

#include <string.h>

#include "tests/unit/livehost.h"
#include "tests/unit/teststorage.h"
#include "vmm/base/size.h"
#include "vmm/finish.h"

#define UUID    "11111111-2222-3333-4444-555555555555"
#define BASE    "/base.img"
#define OVERLAY "/var/lib/libvirt/images/vm.qcow2"
#define BLANK   "/var/lib/libvirt/images/vm-data.qcow2"
#define ON_BASE "image = " BASE "\nsize = 2 GiB\n"
#define RECORD                                                                                     \
	"<g:volume pool='default' name='vm.qcow2' path='" OVERLAY                                  \
	"' format='qcow2' backing='" BASE "'/>"
#define RECORD_ELSEWHERE                                                                              \
	"<g:volume pool='default' name='vm.qcow2' path='/mnt/vm.qcow2' format='qcow2' backing='" BASE \
	"'/>"
#define TAKEN_BY "VM \"other\" of alice"

static const struct launch_options live = { .uri = TESTHV, .lease_directory = LIVEHOST_LEASES };

/* /vm.ini of the VM @name, whose disks are @disks, and the base. */
static void furnish(const char *name, const char *disks)
{
	CLEANUP(text)
	char *text = text_format("[vm]\nname = %s\nvcpus = 4\nmemory = 4 GiB\n[gpu]\n"
				 "[network]\nsource = none\n[disk]\n%s",
				 name, disks);

	free(scratch_write("", "vm.ini", text));
	free(scratch_write("", "base.img", "base"));
}

static struct hv_volume *volume_of(struct hv *hv, const char *pool, const char *name)
{
	struct hv_volume *volume = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	assert_works(hv_volume_read(hv, pool, name, &volume, &fail), &fail);
	return volume;
}

static void make_volume(struct hv *hv, const char *name, uint64_t bytes, const char *backing)
{
	CLEANUP(hv_pool) struct hv_pool *pool = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	const struct hv_volume_wish wish = { .pool = HV_POOL_DEFAULT,
					     .name = name,
					     .format = "qcow2",
					     .capacity_bytes = bytes,
					     .backing = backing,
					     .backing_format = "raw" };

	assert_works(hv_pool_read(hv, HV_POOL_DEFAULT, &pool, &fail), &fail);
	assert_works(hv_pool_ready(hv, pool, &fail), &fail);
	assert_works(hv_volume_create(hv, &wish, &fail), &fail);
}

static void define(struct hv *hv, const char *name, const char *uuid, const char *record,
		   const char *devices)
{
	CLEANUP(text) char *metadata = testhv_metadata(testhv_uid(), record);
	CLEANUP(text) char *xml = testhv_xml(name, uuid, metadata, devices);

	testhv_define(hv, xml);
}

static void power_off(struct hv *hv, const struct launch *launch)
{
	CLEANUP(fail) struct fail fail = { 0 };

	assert_works(hv_destroy(hv, launch->uuid, &fail), &fail);
}

static void disks_are_made_once_and_grow(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(launch) struct launch *first = NULL;
	CLEANUP(launch) struct launch *second = NULL;
	CLEANUP(launch) struct launch *third = NULL;
	CLEANUP(hv_volume) struct hv_volume *overlay = NULL;
	CLEANUP(hv_volume) struct hv_volume *blank = NULL;
	CLEANUP(hv_volume) struct hv_volume *larger = NULL;
	CLEANUP(hv_volume) struct hv_volume *kept = NULL;
	CLEANUP(guest) struct guest *guest = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	furnish("vm", ON_BASE "[disk:data]\nsize = 1 GiB\n");
	first = livehost_start("/vm.ini");
	assert_int_equal(first->disks->disks[0].made, DISK_MADE);
	overlay = volume_of(hv, HV_POOL_DEFAULT, "vm.qcow2");
	assert_string_equal(overlay->path, OVERLAY);
	assert_string_equal(overlay->backing, BASE);
	assert_string_equal(overlay->backing_format, "raw");
	assert_int_equal(overlay->capacity_bytes, 2 * SIZE_GIB);
	blank = volume_of(hv, HV_POOL_DEFAULT, "vm-data.qcow2");
	assert_null(blank->backing);
	assert_non_null(strstr(first->xml, "<source file=\"" OVERLAY "\"/>"));
	power_off(hv, first);

	furnish("vm", ON_BASE "[disk:data]\nsize = 3 GiB\n");
	second = livehost_start("/vm.ini");
	assert_true(second->disks->disks[0].is_there);
	assert_int_equal(second->disks->disks[0].made, DISK_NOT_MADE);
	larger = volume_of(hv, HV_POOL_DEFAULT, "vm-data.qcow2");
	assert_int_equal(larger->capacity_bytes, 3 * SIZE_GIB);
	power_off(hv, second);

	/* What the spec does not have any more is not forgotten. */
	furnish("vm", ON_BASE);
	third = livehost_start("/vm.ini");
	kept = volume_of(hv, HV_POOL_DEFAULT, "vm-data.qcow2");
	assert_non_null(kept);
	assert_works(guest_parse(third->xml, &guest, &fail), &fail);
	assert_int_equal(guest->volumes.count, 2);
	assert_int_equal(guest->disk_count, 1);
	assert_string_equal(guest->volumes.items[1].path, BLANK);
}

/* What is in the way of a start, and what it says. */
struct refusal {
	const char *about, *disks;
	const char *record;          /* of the VM's own definition; NULL: it is new */
	uint64_t there_bytes;        /* of a volume vm.qcow2; 0: none */
	const char *backing;         /* its base */
	const char *record_of_other; /* of VM "other", off; NULL: there is none */
	const char *devices_of_other;
	enum fail_kind kind;
	const char *word;
};

#define OTHERS_DISK(path) "<disk type='file'><source file='" path "'/><target dev='vda'/></disk>"

static const struct refusal refusals[] = {
	{ "a base that is too large", "image = /large.img\nsize = 1 MiB\n", NULL, 0, NULL, NULL, "",
	  FAIL_SPEC, "write size = 2 MiB or more" },
	{ "no base", "image = /nonexistent\nsize = 1 GiB\n", NULL, 0, NULL, NULL, "", FAIL_SPEC,
	  "no such disk image" },
	{ "a pool that is not there", ON_BASE "pool = fast\n", NULL, 0, NULL, NULL, "", FAIL_HOST,
	  "no storage pool of that name" },
	{ "somebody's volume", ON_BASE, NULL, 2 * SIZE_GIB, BASE, NULL, "", FAIL_SPEC,
	  "vol-delete --pool default vm.qcow2" },
	{ "somebody's volume, of a known VM", ON_BASE, "", 2 * SIZE_GIB, BASE, NULL, "", FAIL_SPEC,
	  "was not made for this VM" },
	{ "another volume in its place", ON_BASE, RECORD, 2 * SIZE_GIB, "/etc/shadow", NULL, "",
	  FAIL_SPEC, "was not made for this VM" },
	{ "a file that libvirt does not know", ON_BASE "pool = tmp\n", NULL, 0, NULL, NULL, "",
	  FAIL_SPEC, "/vm.qcow2 is there, and was not made" },
	{ "made on itself", "image = /vm.qcow2\nformat = raw\nsize = 1 GiB\npool = tmp\n", NULL, 0,
	  NULL, NULL, "", FAIL_SPEC, "would be made on itself" },
	{ "smaller by now", "image = " BASE "\nsize = 1 GiB\n", RECORD, 2 * SIZE_GIB, BASE, NULL,
	  "", FAIL_SPEC, "write size = 2 GiB or more" },
	{ "another base by now", "image = /large.img\nsize = 2 GiB\n", RECORD, 2 * SIZE_GIB, BASE,
	  NULL, "", FAIL_SPEC, "in pool default, qcow2, on " BASE },
	{ "another pool by now", ON_BASE "pool = default-pool\n", RECORD, 2 * SIZE_GIB, BASE, NULL,
	  "", FAIL_SPEC, "was made in pool default" },
	{ "another VM's disk as the image", "image = " BASE "\n", NULL, 0, NULL, "",
	  OTHERS_DISK(BASE), FAIL_BUSY, TAKEN_BY " writes to it" },
	{ "another VM's disk as the base", ON_BASE, NULL, 0, NULL, "", OTHERS_DISK(BASE), FAIL_BUSY,
	  TAKEN_BY " writes to it when it runs; it is off" },
	{ "another VM's base as the image", "image = " BASE "\n", NULL, 0, NULL,
	  "<g:volume pool='p' name='other.qcow2' path='/x/other.qcow2' format='qcow2' backing='" BASE
	  "'/>",
	  "", FAIL_BUSY, TAKEN_BY " reads, and maybe builds on" },
	{ "one file by two names", "image = " BASE "\n[disk:b]\nimage = /link.img\n", NULL, 0, NULL,
	  NULL, "", FAIL_SPEC, "leads to the same file" },
};

static void set_refusal(struct hv *hv, const struct refusal *it)
{
	furnish("vm", it->disks);
	free(scratch_write("", "large.img", ""));
	assert_int_equal(truncate("/large.img", SIZE_MIB + 1), 0);
	(void)symlink("base.img", "/link.img");
	if (it->there_bytes != 0)
		make_volume(hv, "vm.qcow2", it->there_bytes, it->backing);
	if (it->record != NULL)
		define(hv, "vm", UUID, it->record, "");
	if (it->record_of_other != NULL)
		define(hv, "other", "11111111-2222-3333-4444-666666666666", it->record_of_other,
		       it->devices_of_other);
}

static void what_cannot_be_changes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		virConnectPtr connection = virConnectOpen(TESTHV);
		virStoragePoolPtr pool = virStoragePoolCreateXML(
			connection,
			"<pool type='dir'><name>tmp</name><target><path>/</path></target></pool>",
			0);
		CLEANUP(launch) struct launch *launch = NULL;
		CLEANUP(launch) struct launch *plan = NULL;
		CLEANUP(fail) struct fail fail = { 0 };
		CLEANUP(fail) struct fail planned = { 0 };
		CLEANUP(text) char *before = NULL;
		CLEANUP(text) char *volumes = NULL;
		CLEANUP(text) char *after = NULL;
		CLEANUP(text) char *volumes_after = NULL;

		print_message("  %s\n", refusals[i].about);
		set_refusal(hv, &refusals[i]);
		before = testhv_everything(hv);
		volumes = teststorage_everything();
		assert_int_equal(launch_start(&live, "/vm.ini", &launch, &fail), -1);
		assert_fails(&fail, refusals[i].kind, refusals[i].word);
		assert_works(launch_plan(&live, "/vm.ini", &plan, &planned), &planned);
		assert_int_equal(plan->refusal_count, 1);
		assert_fails(&plan->refusals[0], refusals[i].kind, refusals[i].word);
		after = testhv_everything(hv);
		volumes_after = teststorage_everything();
		assert_string_equal(after, before);
		assert_string_equal(volumes_after, volumes);
		virStoragePoolFree(pool);
		virConnectClose(connection);
	}
}

static void a_base_can_have_many_overlays(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(launch) struct launch *launch = NULL;

	(void)state;
	furnish("vm", ON_BASE "[disk:b]\n" ON_BASE);
	define(hv, "other", UUID,
	       "<g:volume pool='p' name='other.qcow2' path='/x/other.qcow2' format='qcow2' backing='" BASE
	       "'/>",
	       "");
	launch = livehost_start("/vm.ini");
	assert_int_equal(launch->disks->disks[1].made, DISK_MADE);
}

/* Who copies a definition by hand has the records of the disks too. */
struct deletion {
	const char *about;
	bool disks;
	const char *backing; /* of the volume; NULL: there is none */
	bool is_copied;      /* another domain has it */
	enum fail_kind kind;
	const char *word;
	enum finish_disk_fate fate;
	const char *record; /* NULL: RECORD */
};

static const struct deletion deletions[] = {
	{ "without its disks", false, BASE, false, FAIL_NONE, NULL, FINISH_DISK_KEPT, NULL },
	{ "with its disks", true, BASE, false, FAIL_NONE, NULL, FINISH_DISK_DELETED, NULL },
	{ "gone already", true, NULL, false, FAIL_NONE, NULL, FINISH_DISK_GONE, NULL },
	{ "another in its place", true, "/other", false, FAIL_REFUSED, "is not what gpuvm made",
	  FINISH_DISK_KEPT, NULL },
	{ "its pool is elsewhere by now", true, BASE, false, FAIL_REFUSED, "is not what gpuvm made",
	  FINISH_DISK_KEPT, RECORD_ELSEWHERE },
	{ "a copy's too", true, BASE, true, FAIL_BUSY, "VM \"copy\" (not gpuvm's) has it",
	  FINISH_DISK_KEPT, NULL },
};

static void deletes_take_what_gpuvm_made(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(deletions); i++) {
		const struct deletion *it = &deletions[i];
		const struct finish_options options = { .uri = TESTHV, .disks = it->disks };
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		CLEANUP(finish) struct finish *finish = NULL;
		CLEANUP(hv_volume) struct hv_volume *volume = NULL;
		CLEANUP(hv_volume) struct hv_volume *other = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", it->about);
		make_volume(hv, "vm-other.qcow2", SIZE_GIB, NULL);
		if (it->backing != NULL)
			make_volume(hv, "vm.qcow2", 2 * SIZE_GIB, it->backing);
		define(hv, "vm", UUID, it->record == NULL ? RECORD : it->record,
		       OTHERS_DISK(OVERLAY));
		if (it->is_copied) {
			CLEANUP(text)
			char *copy = testhv_xml("copy", "11111111-2222-3333-4444-666666666666", "",
						OTHERS_DISK(OVERLAY));

			testhv_define(hv, copy);
		}
		assert_result(finish_delete(&options, "vm", &finish, &fail), &fail, it->kind,
			      it->word);
		assert_int_equal(hv_may_have(hv, "vm"), it->kind != FAIL_NONE);
		volume = volume_of(hv, HV_POOL_DEFAULT, "vm.qcow2");
		assert_int_equal(volume != NULL,
				 it->backing != NULL && it->fate == FINISH_DISK_KEPT);
		other = volume_of(hv, HV_POOL_DEFAULT, "vm-other.qcow2");
		assert_non_null(other);
		if (it->kind != FAIL_NONE)
			continue;
		assert_int_equal(finish->disk_count, 1);
		assert_string_equal(finish->disks[0].path, OVERLAY);
		assert_int_equal(finish->disks[0].fate, it->fate);
		if (it->fate == FINISH_DISK_KEPT)
			assert_string_equal(finish->disks[0].remedy,
					    "virsh -c " TESTHV
					    " vol-delete --pool default -- vm.qcow2");
	}
}

static struct hv *watched;

/* Before each step of a start: whoever kills it there leaves no volume that is in nobody's definition. */
static void every_volume_is_known(void *data, const char *step, const char *says)
{
	static const char *const names[] = { "vm.qcow2", "vm-data.qcow2" };
	CLEANUP(text) char *domains = testhv_everything(watched);

	(void)says;
	for (size_t i = 0; i < COUNT(names); i++) {
		CLEANUP(hv_volume)
		struct hv_volume *volume = volume_of(watched, HV_POOL_DEFAULT, names[i]);

		if (volume == NULL)
			continue;
		(*(unsigned *)data)++;
		print_message("  %s: %s\n", step, names[i]);
		assert_non_null(strstr(domains, volume->path));
	}
}

static void no_death_leaves_an_unknown_volume(void **state)
{
	CLEANUP(hv) struct hv *hv = watched = testhv_open(TESTHV);
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	struct launch_options options = live;
	unsigned seen = 0;

	(void)state;
	furnish("vm", ON_BASE "[disk:data]\nsize = 1 GiB\n");
	options.progress = every_volume_is_known;
	options.progress_data = &seen;
	assert_works(launch_start(&options, "/vm.ini", &launch, &fail), &fail);
	assert_true(seen > 3);
}

static void a_failed_start_takes_its_disks_away(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(hv_volume) struct hv_volume *made = NULL;

	(void)state;
	furnish("broken", ON_BASE);
	assert_int_equal(launch_start(&live, "/vm.ini", &launch, &fail), -1);
	assert_fails(&fail, FAIL_HV, "could not start");
	made = volume_of(hv, HV_POOL_DEFAULT, "broken.qcow2");
	assert_null(made);
	assert_false(hv_may_have(hv, "broken"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disks_are_made_once_and_grow),
		cmocka_unit_test(what_cannot_be_changes_nothing),
		cmocka_unit_test(a_base_can_have_many_overlays),
		cmocka_unit_test(deletes_take_what_gpuvm_made),
		cmocka_unit_test(no_death_leaves_an_unknown_volume),
		cmocka_unit_test(a_failed_start_takes_its_disks_away),
	};

	return LIVEHOST_RUN_TESTS(tests, NULL);
}
