// SPDX-License-Identifier: MIT
#include "vmm/aftermath.h"

#include <string.h>

#include "tests/unit/nodedev.h"
#include "tests/unit/records.h"

#define GPU    NODEDEV_GPU
#define DEVICE "sys/bus/pci/devices/" GPU
#define UUID   "11111111-2222-3333-4444-555555555555"
#define OTHER  "11111111-2222-3333-4444-666666666666"
#define BOOT   "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

#define START(boot) "<g:start boot='" boot "'/>"
#define WAS(driver)                                                                                \
	"<g:gpu address='" GPU "'><g:function address='" GPU "' driver='" driver "'/></g:gpu>"
#define HOSTDEV TESTHV_HOSTDEV("0x17", "0", "0")

static struct root *host_on(const char *driver)
{
	CLEANUP(text)
	char *lines = text_format("proc/sys/kernel/random/boot_id\t" BOOT "\n" DEVICE "/\n" DEVICE
				  "/driver -> ../../drivers/%s\n",
				  driver);
	struct root *root = hosts_write("host", lines);

	nodedev_set(root->dir, "nvidia");
	return root;
}

static struct aftermath *check_before(const char *redefined, struct hv *hv, const struct root *root,
				      bool may_write)
{
	CLEANUP(hv_domains) struct hv_domains *domains = NULL;
	const struct giveback_means means = { .hv = may_write ? hv : NULL,
					      .lease_directory = "/nonexistent" };
	struct fail fail = { 0 };

	assert_int_equal(hv_domains_read(hv, &domains, &fail), 0);
	return aftermath_check(domains, root, &means, redefined);
}

static struct aftermath *check(struct hv *hv, const struct root *root, bool may_write)
{
	return check_before(NULL, hv, root, may_write);
}

static void define(struct hv *hv, const char *record, const char *devices)
{
	CLEANUP(text) char *metadata = testhv_metadata(1000, record);
	CLEANUP(text) char *xml = testhv_xml("train", UUID, metadata, devices);

	testhv_define(hv, xml);
}

struct ended {
	const char *about, *record, *devices, *driver;
	bool runs;
	enum giveback_state state; /* GIVEBACK_SAME: nothing to tell */
};

static const struct ended cases[] = {
	{ "on its driver", START(BOOT) WAS("nvidia"), HOSTDEV, "nvidia", false, GIVEBACK_SAME },
	{ "on vfio-pci still", START(BOOT) WAS("nvidia"), HOSTDEV, "vfio-pci", false,
	  GIVEBACK_REPAIRED },
	{ "on another driver", START(BOOT) WAS("nvidia"), HOSTDEV, "nouveau", false,
	  GIVEBACK_ELSEWHERE },
	{ "it runs", START(BOOT) WAS("nvidia"), HOSTDEV, "vfio-pci", true, GIVEBACK_SAME },
	{ "of the boot before", START("b") WAS("nvidia"), HOSTDEV, "vfio-pci", false,
	  GIVEBACK_SAME },
	{ "of an unknown boot", WAS("nvidia"), HOSTDEV, "vfio-pci", false, GIVEBACK_SAME },
	{ "no record", START(BOOT), HOSTDEV, "vfio-pci", false, GIVEBACK_SAME },
	{ "edited away", START(BOOT) WAS("nvidia"), "", "vfio-pci", false, GIVEBACK_SAME },
};

static void each_vm_that_ended_is_looked_at(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases) * 2; i++) {
		const struct ended *ended = &cases[i / 2];
		bool may_write = i % 2 == 1;
		bool is_told = ended->state != GIVEBACK_SAME;
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		CLEANUP(root) struct root *root = host_on(ended->driver);
		CLEANUP(aftermath) struct aftermath *aftermath = NULL;

		print_message("  %s%s\n", ended->about, may_write ? ", for a writer" : "");
		define(hv, ended->record, ended->devices);
		if (ended->runs)
			testhv_start(hv, UUID);
		aftermath = check(hv, root, may_write);
		assert_int_equal(aftermath->count, is_told);
		assert_int_equal(nodedev.was_asked, may_write && ended->state == GIVEBACK_REPAIRED);
		assert_int_equal(aftermath->has_changed, nodedev.was_asked);
		if (!is_told)
			continue;
		assert_string_equal(aftermath->vms[0].guest->name, "train");
		assert_int_equal(aftermath->vms[0].giveback->functions[0].state,
				 may_write ? ended->state : GIVEBACK_ELSEWHERE);
		assert_int_equal(aftermath->vms[0].giveback->functions[0].remedy == NULL,
				 nodedev.was_asked);
	}
}

/* Once seen fulfilled, what the admin binds it to is his choice; until the next start writes a record anew. */
static void a_fulfilled_record_is_not_held_against_the_host(void **state)
{
	static const char *const drivers[] = { "nvidia", "vfio-pci" }; /* fulfilled; repaired */

	(void)state;
	for (size_t i = 0; i < COUNT(drivers); i++) {
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		CLEANUP(root) struct root *root = host_on(drivers[i]);
		CLEANUP(aftermath) struct aftermath *first = NULL;
		CLEANUP(aftermath) struct aftermath *second = NULL;
		CLEANUP(aftermath) struct aftermath *third = NULL;

		define(hv, START(BOOT) WAS("nvidia"), HOSTDEV);
		first = check(hv, root, true);
		assert_int_equal(first->count, i);
		hosts_bind(root->dir, GPU, "vfio-pci");
		nodedev.was_asked = false;
		second = check(hv, root, true);
		assert_int_equal(second->count, 0);
		assert_false(nodedev.was_asked);
		define(hv, START(BOOT) WAS("nvidia"), HOSTDEV);
		third = check(hv, root, true);
		assert_int_equal(third->count, 1);
	}
}

static void who_only_reads_leaves_no_note(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(root) struct root *root = host_on("nvidia");
	CLEANUP(aftermath) struct aftermath *aftermath = NULL;
	CLEANUP(text) char *before = NULL;
	CLEANUP(text) char *after = NULL;

	(void)state;
	define(hv, START(BOOT) WAS("nvidia"), HOSTDEV);
	before = testhv_everything(hv);
	aftermath = check(hv, root, false);
	after = testhv_everything(hv);
	assert_string_equal(before, after);
}

/* A start writes the whole record anew. */
static void what_is_redefined_gets_no_note(void **state)
{
	static const char *const names[] = { "train", "other" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		CLEANUP(root) struct root *root = host_on("nvidia");
		CLEANUP(aftermath) struct aftermath *aftermath = NULL;
		CLEANUP(text) char *before = NULL;
		CLEANUP(text) char *after = NULL;

		define(hv, START(BOOT) WAS("nvidia"), HOSTDEV);
		before = testhv_everything(hv);
		aftermath = check_before(names[i], hv, root, true);
		after = testhv_everything(hv);
		assert_int_equal(text_equal(before, after), text_equal(names[i], "train"));
	}
}

/* Also without gpuvm at its end; and once, so that the admin's word on it is the last. */
static void what_does_not_answer_is_quarantined_once(void **state)
{
	static const bool may_write[] = { false, true, true };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		CLEANUP(root) struct root *root = host_on("nvidia");
		CLEANUP(text) char *config = text_format("%s/" DEVICE, root->dir);

		records_make(root->dir);
		free(scratch_write(config, "config", i == 0 ? "\xff\xff" : "\xde\x10"));
		define(hv, START(BOOT) WAS("nvidia"), HOSTDEV);
		for (size_t j = 0; j < COUNT(may_write); j++) {
			CLEANUP(aftermath)
			struct aftermath *aftermath = check(hv, root, may_write[j]);
			bool is_told = i == 0 && j < 2;

			assert_int_equal(aftermath->count, is_told);
			assert_int_equal(aftermath->has_changed, is_told && may_write[j]);
			if (!is_told)
				continue;
			assert_int_equal(aftermath->vms[0].quarantine->count, 1);
			assert_string_equal(aftermath->vms[0].quarantine->gpus[0].address, GPU);
			assert_int_equal(aftermath->vms[0].quarantine->gpus[0].is_recorded,
					 may_write[j]);
		}
	}
}

/* It was powered off with the function on vfio-pci, and another VM has it by now: for readers and writers. */
static void what_another_vm_has_is_not_told(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(root) struct root *root = host_on("vfio-pci");
	CLEANUP(text) char *xml = testhv_xml("other", OTHER, "", HOSTDEV);
	struct fail fail = { 0 };

	(void)state;
	define(hv, START(BOOT) WAS("nvidia"), HOSTDEV);
	testhv_define(hv, xml);
	testhv_start(hv, OTHER);
	for (int may_write = 0; may_write <= 1; may_write++) {
		CLEANUP(aftermath) struct aftermath *aftermath = check(hv, root, may_write);

		assert_int_equal(aftermath->count, 0);
		assert_false(nodedev.was_asked);
	}
	/* The record was not fulfilled by that. */
	assert_int_equal(hv_destroy(hv, OTHER, &fail), 0);
	for (int may_write = 0; may_write <= 1; may_write++) {
		CLEANUP(aftermath) struct aftermath *aftermath = check(hv, root, may_write);

		assert_int_equal(aftermath->count, 1);
		assert_int_equal(nodedev.was_asked, may_write);
	}
}

static void without_libvirt_nothing_is_known(void **state)
{
	CLEANUP(root) struct root *root = host_on("vfio-pci");
	const struct giveback_means means = { 0 };
	CLEANUP(aftermath) struct aftermath *aftermath = aftermath_check(NULL, root, &means, NULL);

	(void)state;
	assert_int_equal(aftermath->count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_vm_that_ended_is_looked_at),
		cmocka_unit_test(a_fulfilled_record_is_not_held_against_the_host),
		cmocka_unit_test(who_only_reads_leaves_no_note),
		cmocka_unit_test(what_is_redefined_gets_no_note),
		cmocka_unit_test(what_does_not_answer_is_quarantined_once),
		cmocka_unit_test(what_another_vm_has_is_not_told),
		cmocka_unit_test(without_libvirt_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
