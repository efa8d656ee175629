// SPDX-License-Identifier: MIT
/* What a start that libvirt refuses leaves behind. */
#include "vmm/launch.h"

#include "tests/unit/failhv.h"

#define UUID   "11111111-2222-3333-4444-555555555555"
#define GPU    "0000:17:00.0"
#define DEVICE "/sys/bus/pci/devices/" GPU
#define NVRAM  "/var/lib/libvirt/qemu/nvram"

/* A start of a new VM that libvirt refuses; its failure. Done by fail_done(). */
static struct fail start_broken(void (*progress)(void *data, const char *step, const char *says))
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	struct launch_options options = livehost_options();
	CLEANUP(launch) struct launch *launch = NULL;
	struct fail fail = { 0 };

	free(livehost_spec_with("vm", "address = " GPU));
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
			scratch_fill(NVRAM "/vm_VARS.fd", "");
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
		scratch_fill(DEVICE "/driver_override", "(null)\n");
}

static void what_does_not_come_back_is_named(void **state)
{
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(text) char *drivers = NULL;

	(void)state;
	scratch_fill(DEVICE "/driver_override", "nvidia\n");
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
		cmocka_unit_test(nvram_that_was_there_is_kept),
		cmocka_unit_test(what_does_not_come_back_is_named),
		cmocka_unit_test(what_another_vm_has_is_left_to_it),
	};

	return LIVEHOST_RUN_TESTS(tests, failhv_remember);
}
