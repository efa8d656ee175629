// SPDX-License-Identifier: MIT
/* The parts of launch beside its table: the gate's watchdog, what a plan foresees, what a failed start undoes. */
#include "vmm/launch.h"

#include <fcntl.h>

#include "tests/unit/failhv.h"

#define UUID    "11111111-2222-3333-4444-555555555555"
#define GPU     "0000:17:00.0"
#define DEVICE  "/sys/bus/pci/devices/" GPU
#define REGIONS "/sys/kernel/iommu_groups/20/reserved_regions"
#define RMRR    "0x00000000cd000000 0x00000000cdffffff direct\n"
#define NVRAM   "/var/lib/libvirt/qemu/nvram"

#define SPEC_WITH(network) LIVEHOST_SPEC_WITH("vm", "address = " GPU, "/vm.qcow2", network)

static void hang_at_host(void *data, const char *step, const char *says)
{
	(void)data;
	(void)says;
	if (text_equal(step, "host"))
		for (;;)
			pause();
}

static int start_that_hangs(const void *errors)
{
	struct launch_options options = livehost_options();
	CLEANUP(text) char *spec = livehost_spec("vm");
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	struct launch *launch = NULL;
	struct fail fail = { 0 };
	int file = open(errors, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	options.progress = hang_at_host;
	options.choose_timeout_s = 1;
	(void)dup2(file, STDERR_FILENO);
	return launch_start(&options, spec, &launch, &fail) < 0 ? 100 : 101;
}

static void a_start_that_hangs_opens_the_gate(void **state)
{
	CLEANUP(lease_gate) struct lease_gate *gate = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(file) FILE *errors = NULL;
	char text[500] = "";

	(void)state;
	assert_int_equal(scratch_as(0, start_that_hangs, "/errors"), 6);
	assert_int_equal(lease_open(LIVEHOST_LEASES, 0, &gate, &fail), 0);
	errors = fopen("/errors", "r");
	assert_true(fread(text, 1, sizeof text - 1, errors) > 0);
	assert_true(text_contains(text, "gpuvm: libvirt does not answer"));
	assert_true(text_contains(text, "hint: virsh -c qemu:///system list --all"));
}

static void replace(const char *path, const char *text)
{
	CLEANUP(file) FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
}

/* What is wrong on the host while a plan is made, and what the plan says that start will say. */
struct foreseen {
	const char *about;
	bool is_anothers, no_image, no_network, is_firmwares;
	size_t count;
	enum fail_kind kinds[4];
	const char *words[4];
};

static const struct foreseen foreseen[] = {
	{ "all is well", false, false, false, false, 0, { FAIL_NONE }, { NULL } },
	{ "another's VM", true, false, false, false, 1, { FAIL_REFUSED }, { "belongs to alice" } },
	{ "no image", false, true, false, false, 1, { FAIL_SPEC }, { "no such disk image" } },
	{ "no network", false, false, true, false, 1, { FAIL_HOST }, { "nosuch" } },
	{ "the firmware's memory", false, false, false, true, 1, { FAIL_HOST }, { "RMRR" } },
	{ "all of it",
	  true,
	  true,
	  true,
	  true,
	  4,
	  { FAIL_REFUSED, FAIL_SPEC, FAIL_HOST, FAIL_HOST },
	  { "belongs to alice", "no such disk image", "nosuch", "RMRR" } },
};

static void set_host(const struct foreseen *it, struct hv *hv)
{
	free(scratch_write("", "vm.ini", it->no_network ? SPEC_WITH("nosuch") : SPEC_WITH("none")));
	replace(REGIONS, it->is_firmwares ? RMRR : "");
	(void)unlink("/vm.qcow2");
	if (!it->no_image)
		replace("/vm.qcow2", "");
	if (it->is_anothers) {
		CLEANUP(text) char *metadata = testhv_metadata(testhv_uid() + 1, "");
		CLEANUP(text) char *xml = testhv_xml("vm", UUID, metadata, "");

		testhv_define(hv, xml);
	}
}

static void a_plan_foresees_what_start_refuses(void **state)
{
	const struct launch_options options = livehost_options();

	(void)state;
	for (size_t i = 0; i < COUNT(foreseen); i++) {
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		CLEANUP(launch) struct launch *launch = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", foreseen[i].about);
		set_host(&foreseen[i], hv);
		assert_works(launch_plan(&options, "/vm.ini", &launch, &fail), &fail);
		assert_int_equal(launch->refusal_count, foreseen[i].count);
		for (size_t j = 0; j < foreseen[i].count; j++)
			assert_fails(&launch->refusals[j], foreseen[i].kinds[j],
				     foreseen[i].words[j]);
	}
	replace(REGIONS, "");
	replace("/vm.qcow2", "");
}

/* A start of a new VM that libvirt refuses; its failure. Done by fail_done(). */
static struct fail start_broken(void (*progress)(void *data, const char *step, const char *says))
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	struct launch_options options = livehost_options();
	CLEANUP(launch) struct launch *launch = NULL;
	struct fail fail = { 0 };

	free(scratch_write("", "vm.ini", SPEC_WITH("none")));
	options.progress = progress;
	assert_int_equal(launch_start(&options, "/vm.ini", &launch, &fail), -1);
	failhv_disarm();
	assert_fails(&fail, FAIL_HV, "could not start");
	return fail;
}

static void at_start(const char *step, enum failhv_mode mode)
{
	if (text_equal(step, "start"))
		failhv_arm(mode, 1);
}

static void refuse_start(void *data, const char *step, const char *says)
{
	(void)data;
	(void)says;
	at_start(step, FAILHV_REFUSED);
}

/* The UEFI variables that were there before a start are not its to delete; nor what cannot be looked at. */
static void nvram_that_was_there_is_kept(void **state)
{
	(void)state;
	scratch_make_directories(NVRAM);
	for (int i = 0; i < 3; i++) {
		CLEANUP(fail) struct fail fail = { 0 };
		bool kept;

		if (i == 1)
			replace(NVRAM "/vm_VARS.fd", "");
		if (i == 2) {
			assert_int_equal(unlink(NVRAM "/vm_VARS.fd"), 0);
			assert_int_equal(symlink("vm_VARS.fd", NVRAM "/vm_VARS.fd"), 0);
		}
		testhv_undefined_with = 0;
		fail = start_broken(refuse_start);
		kept = (testhv_undefined_with & VIR_DOMAIN_UNDEFINE_KEEP_NVRAM) != 0;
		assert_int_not_equal(testhv_undefined_with, 0);
		assert_int_equal(kept, i > 0);
	}
}

/* Libvirt erases a driver override when it gives back, half way through a start too. */
static void lose_override(void *data, const char *step, const char *says)
{
	(void)data;
	(void)says;
	at_start(step, FAILHV_HALFWAY);
	if (text_equal(step, "start"))
		replace(DEVICE "/driver_override", "(null)\n");
}

static void what_does_not_come_back_is_named(void **state)
{
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(text) char *drivers = NULL;

	(void)state;
	replace(DEVICE "/driver_override", "nvidia\n");
	fail = start_broken(lose_override);
	drivers = failhv_drivers();
	assert_string_equal(drivers, failhv_home);
	assert_int_equal(fail.item_count, 2);
	assert_true(text_contains(fail.items[1].what, GPU " is not back"));
	assert_string_equal(fail.items[1].cause,
			    "it was on nvidia by driver override nvidia and is on nvidia");
	assert_string_equal(fail.items[1].hint, "sudo driverctl set-override " GPU " nvidia");
}

/* Somebody else's domain got the GPU in between, which is why libvirt refused. */
static void give_to_another(void *data, const char *step, const char *says)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text) char *xml = NULL;

	(void)data;
	(void)says;
	if (!text_equal(step, "start"))
		return;
	xml = testhv_xml("theirs", UUID, "", TESTHV_HOSTDEV("0x17", "0", "0"));
	testhv_define(hv, xml);
	testhv_start(hv, UUID);
	at_start(step, FAILHV_REFUSED);
}

static void what_another_vm_has_is_left_to_it(void **state)
{
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(text) char *drivers = NULL;

	(void)state;
	fail = start_broken(give_to_another);
	drivers = failhv_drivers();
	assert_true(text_contains(drivers, GPU " vfio-pci"));
	assert_int_equal(fail.item_count, 1);
	failhv_restore();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_that_hangs_opens_the_gate),
		cmocka_unit_test(a_plan_foresees_what_start_refuses),
		cmocka_unit_test(nvram_that_was_there_is_kept),
		cmocka_unit_test(what_does_not_come_back_is_named),
		cmocka_unit_test(what_another_vm_has_is_left_to_it),
	};

	return LIVEHOST_RUN_TESTS(tests, failhv_remember);
}
