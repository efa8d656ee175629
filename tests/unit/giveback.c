// SPDX-License-Identifier: MIT
#include "vmm/giveback.h"

#include <time.h>

#include "tests/unit/nodedev.h"

#define GPU    NODEDEV_GPU
#define DEVICE "sys/bus/pci/devices/" GPU

struct function {
	const char *about;
	const char *before, *before_override; /* NULL: none */
	const char *lines;                    /* of the host now, behind the device's */
	const char *when_asked; /* the driver after libvirt was asked; NULL: it fails */
	enum giveback_state state;
	bool complete, is_asked;
	const char *driver_now, *remedy;
};

#define NOW(driver)    DEVICE "/driver -> ../../drivers/" driver "\n"
#define KEPT(driver)   "etc/driverctl.d/" GPU "\t" driver "\n"
#define OVERRIDE(text) DEVICE "/driver_override\t" text "\n"

static const struct function functions[] = {
	{ "same", "nvidia", NULL, NOW("nvidia"), NULL, GIVEBACK_SAME, true, false, "nvidia", NULL },
	{ "none before, none now", NULL, NULL, "", NULL, GIVEBACK_SAME, true, false, NULL, NULL },
	{ "same with its override", "vfio-pci", "vfio-pci", NOW("vfio-pci") OVERRIDE("vfio-pci"),
	  NULL, GIVEBACK_SAME, true, false, "vfio-pci", NULL },
	{ "repaired", "nvidia", NULL, NOW("vfio-pci"), "nvidia", GIVEBACK_REPAIRED, true, true,
	  "nvidia", NULL },
	{ "repaired from none", "nvidia", NULL, "", "nvidia", GIVEBACK_REPAIRED, true, true,
	  "nvidia", NULL },
	{ "override erased, driver right", "vfio-pci", "vfio-pci", NOW("vfio-pci"), NULL,
	  GIVEBACK_OVERRIDE_LOST, false, false, "vfio-pci",
	  "sudo driverctl set-override " GPU " vfio-pci" },
	{ "override printed as (null)", "vfio-pci", "vfio-pci", NOW("vfio-pci") OVERRIDE("(null)"),
	  NULL, GIVEBACK_OVERRIDE_LOST, false, false, "vfio-pci",
	  "sudo driverctl set-override " GPU " vfio-pci" },
	{ "override erased, probed by another", "vfio-pci", "vfio-pci", NOW("nouveau"), NULL,
	  GIVEBACK_OVERRIDE_LOST, false, false, "nouveau",
	  "sudo driverctl set-override " GPU " vfio-pci" },
	{ "libvirt fails", "nvidia", NULL, NOW("vfio-pci"), NULL, GIVEBACK_ELSEWHERE, false, true,
	  "vfio-pci",
	  "echo " GPU " | sudo tee /sys/bus/pci/drivers/vfio-pci/unbind; echo " GPU
	  " | sudo tee /sys/bus/pci/drivers/nvidia/bind" },
	{ "another driver came", "nvidia", NULL, NOW("vfio-pci"), "nouveau", GIVEBACK_ELSEWHERE,
	  false, true, "nouveau",
	  "echo " GPU " | sudo tee /sys/bus/pci/drivers/nouveau/unbind; echo " GPU
	  " | sudo tee /sys/bus/pci/drivers/nvidia/bind" },
	{ "none came", "nvidia", NULL, "", "", GIVEBACK_ELSEWHERE, false, true, NULL,
	  "echo " GPU " | sudo tee /sys/bus/pci/drivers/nvidia/bind" },
	{ "one came where none was: it may be in use", NULL, NULL, NOW("nouveau"), "",
	  GIVEBACK_ELSEWHERE, false, false, "nouveau",
	  "echo " GPU " | sudo tee /sys/bus/pci/drivers/nouveau/unbind" },
	{ "on a stub", "nvidia", NULL, NOW("pci-stub"), "nvidia", GIVEBACK_REPAIRED, true, true,
	  "nvidia", NULL },
	{ "on a variant of vfio-pci", "nvidia", NULL, NOW("vfio_x"), "nvidia", GIVEBACK_REPAIRED,
	  true, true, "nvidia", NULL },
	{ "libvirt's own override is left", "nvidia", NULL, NOW("vfio-pci") OVERRIDE("vfio-pci"),
	  "nvidia", GIVEBACK_REPAIRED, true, true, "nvidia", NULL },
	{ "driverctl was told since", "nvidia", NULL,
	  NOW("vfio-pci") OVERRIDE("vfio-pci") KEPT("vfio-pci"), "nvidia", GIVEBACK_SAME, true,
	  false, "vfio-pci", NULL },
	{ "driverctl was told otherwise since", "nouveau", "nouveau",
	  NOW("vfio-pci") OVERRIDE("vfio-pci") KEPT("vfio-pci"), "nouveau", GIVEBACK_SAME, true,
	  false, "vfio-pci", NULL },
	{ "driverctl was told something else", "nvidia", NULL,
	  NOW("vfio-pci") OVERRIDE("vfio-pci") KEPT("nouveau"), "nvidia", GIVEBACK_REPAIRED, true,
	  true, "nvidia", NULL },
};

static struct root *host_of(const struct function *function)
{
	CLEANUP(text) char *lines = text_format(DEVICE "/\n%s", function->lines);
	struct root *root = hosts_write("host", lines);

	nodedev_set(root->dir, function->when_asked);
	return root;
}

/* Its record is another VM's business by now. */
static void what_was_edited_away_is_left_alone(void **state)
{
	struct guest_function before = { .address = GPU, .driver = (char *)"nvidia" };
	const struct guest guest = { .functions = &before, .function_count = 1 };
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(root) struct root *root = host_of(&functions[3]);
	CLEANUP(giveback)
	struct giveback *giveback = giveback_check(
		&guest, root, &(struct giveback_means){ .hv = hv, .timeout_ms = 60000 });

	(void)state;
	assert_false(nodedev.was_asked);
	assert_int_equal(giveback->count, 0);
	assert_true(giveback->complete);
}

static void each_function_is_judged(void **state)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);

	(void)state;
	for (size_t i = 0; i < COUNT(functions); i++) {
		const struct function *function = &functions[i];
		struct guest_function before = {
			.address = GPU,
			.driver = (char *)function->before,
			.driver_override = (char *)function->before_override
		};
		char named[1][DEVICE_ADDRESS_BYTES] = { GPU };
		const struct guest guest = { .functions = &before,
					     .function_count = 1,
					     .hostdevs = named,
					     .hostdev_count = 1 };
		CLEANUP(root) struct root *root = host_of(function);
		CLEANUP(giveback)
		struct giveback *giveback = giveback_check(
			&guest, root,
			&(struct giveback_means){
				.hv = hv, .lease_directory = "/nonexistent", .timeout_ms = 1 });

		print_message("  %s\n", function->about);
		assert_int_equal(giveback->count, 1);
		assert_ptr_equal(giveback->functions[0].before, &before);
		assert_int_equal(giveback->functions[0].state, function->state);
		assert_int_equal(giveback->complete, function->complete);
		assert_int_equal(giveback->fulfilled, function->complete);
		assert_int_equal(nodedev.was_asked, function->is_asked);
		assert_true(text_equal(giveback->functions[0].driver_now, function->driver_now));
		assert_true(text_equal(giveback->functions[0].remedy, function->remedy));
	}
}

static void without_libvirt_it_only_compares(void **state)
{
	struct guest_function before = { .address = GPU, .driver = (char *)"nvidia" };
	char named[1][DEVICE_ADDRESS_BYTES] = { GPU };
	const struct guest guest = {
		.functions = &before, .function_count = 1, .hostdevs = named, .hostdev_count = 1
	};
	CLEANUP(root) struct root *root = host_of(&functions[3]);
	const struct giveback_means means = { .uri = "test:///a b",
					      .lease_directory = "/nonexistent",
					      .timeout_ms = 1 };
	CLEANUP(giveback) struct giveback *giveback = giveback_check(&guest, root, &means);

	(void)state;
	assert_false(nodedev.was_asked);
	assert_int_equal(giveback->functions[0].state, GIVEBACK_ELSEWHERE);
	assert_string_equal(giveback->functions[0].remedy,
			    "virsh -c 'test:///a b' nodedev-reattach pci_0000_17_00_0   or, if "
			    "that does not help: echo " GPU
			    " | sudo tee /sys/bus/pci/drivers/vfio-pci/unbind; echo " GPU
			    " | sudo tee /sys/bus/pci/drivers/nvidia/bind");
	assert_false(giveback->complete);
}

/* Between the guest's end and this look another VM may have started. */
static void what_somebody_else_has_is_left_alone(void **state)
{
	static const char uuid[] = "11111111-2222-3333-4444-666666666666";
	struct guest_function before = { .address = GPU, .driver = (char *)"nvidia" };
	char named[1][DEVICE_ADDRESS_BYTES] = { GPU };
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text)
	char *xml = testhv_xml("other", uuid, "", TESTHV_HOSTDEV("0x17", "0", "0"));

	(void)state;
	testhv_define(hv, xml);
	testhv_start(hv, uuid);
	/* Its own UUID: it does not count as somebody else. */
	for (int own = 0; own <= 1; own++) {
		const struct guest guest = { .uuid = own ? (char *)uuid : NULL,
					     .functions = &before,
					     .function_count = 1,
					     .hostdevs = named,
					     .hostdev_count = 1 };
		CLEANUP(root) struct root *root = host_of(&functions[3]);
		const struct giveback_means means = { .hv = hv,
						      .lease_directory = "/nonexistent",
						      .timeout_ms = 1 };
		CLEANUP(giveback)
		struct giveback *giveback = giveback_check(&guest, root, &means);

		assert_int_equal(giveback->functions[0].state,
				 own ? GIVEBACK_REPAIRED : GIVEBACK_TAKEN);
		assert_int_equal(nodedev.was_asked, own);
		assert_null(giveback->functions[0].remedy);
		assert_true(giveback->complete);
		assert_int_equal(giveback->fulfilled, own);
	}
}

/* The host's other drivers say nothing of what was never given away. */
static void a_vm_without_record_has_nothing_to_give(void **state)
{
	const struct guest guest = { .function_count = 0 };
	CLEANUP(root) struct root *root = host_of(&functions[3]);
	CLEANUP(giveback)
	struct giveback *giveback = giveback_check(&guest, root,
						   &(struct giveback_means){ .timeout_ms = 60000 });

	(void)state;
	assert_int_equal(giveback->count, 0);
	assert_true(giveback->complete);
}

static int bind_soon(const void *directory)
{
	const struct timespec soon = { .tv_nsec = 400000000 };
	pid_t child = fork();

	if (child == 0) {
		nanosleep(&soon, NULL);
		hosts_bind(directory, GPU, "nvidia");
		_exit(0);
	}
	return child < 0;
}

/* The kernel probes while gpuvm waits: that needs no repair. */
static void a_slow_driver_is_waited_for(void **state)
{
	struct guest_function before = { .address = GPU, .driver = (char *)"nvidia" };
	char named[1][DEVICE_ADDRESS_BYTES] = { GPU };
	const struct guest guest = {
		.functions = &before, .function_count = 1, .hostdevs = named, .hostdev_count = 1
	};
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(root) struct root *root = host_of(&functions[4]);
	CLEANUP(scratch_process)
	struct scratch_process *kernel = scratch_spawn(bind_soon, root->dir);
	CLEANUP(giveback)
	struct giveback *giveback = giveback_check(
		&guest, root, &(struct giveback_means){ .hv = hv, .timeout_ms = 20000 });

	(void)state;
	assert_non_null(kernel);
	assert_int_equal(giveback->functions[0].state, GIVEBACK_SAME);
	assert_false(nodedev.was_asked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_function_is_judged),
		cmocka_unit_test(what_was_edited_away_is_left_alone),
		cmocka_unit_test(without_libvirt_it_only_compares),
		cmocka_unit_test(what_somebody_else_has_is_left_alone),
		cmocka_unit_test(a_vm_without_record_has_nothing_to_give),
		cmocka_unit_test(a_slow_driver_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
