// SPDX-License-Identifier: MIT
/* The GPUs of a placement, and all that is in their groups. */
#include "vmm/preflight.h"

#include <string.h>

#include "tests/unit/processes.h"

#define GPU   "0000:17:00.0"
#define SOUND "0000:17:00.1"

#define DAEMON PROCESSES_DAEMON("812", "libvirtd", "0", "500")

/* A host on which the hook is active: the daemon starts in the year 2100, long after the hook was installed. */
static struct root *hooked(const char *name)
{
	static const char lines[] = "sys/\nproc/stat\tbtime 4102444800\nusr/bin/gpuvm\t\n"
				    "etc/libvirt/hooks/qemu.d/50-gpuvm\t\n" DAEMON;
	struct root *root = hosts_write(name, lines);
	CLEANUP(text)
	char *command = text_format("cd '%s' && chmod 755 ." GPUVM_HOOK " usr/bin/gpuvm",
				    root->dir);

	assert_int_equal(system(command), 0);
	return root;
}

/* A GPU that was chosen, and a sound function that is not in its group yet. */
struct sample {
	struct device devices[2];
	struct device_list list;
	struct host host;
	struct gpu_member members[2];
	struct gpu gpu;
	struct place_gpu placed;
	struct placement placement;
};

static void sample_init(struct sample *sample, const char *driver)
{
	*sample = (struct sample){
		.devices = { { .address = GPU,
			       .driver = (char *)driver,
			       .iommu_group = 177,
			       .reset_methods = (char *)"flr" },
			     { .address = SOUND, .iommu_group = 177 } },
		.list = { sample->devices, 1 },
		.host = { .devices = &sample->list },
		.members = { { &sample->devices[0], GPU_MEMBER_FUNCTION },
			     { &sample->devices[1], GPU_MEMBER_FUNCTION } },
		.gpu = { .device = sample->devices, .members = sample->members, .member_count = 1 },
		.placed = { .gpu = &sample->gpu, .clique = -1 },
		.placement = { .gpus = &sample->placed, .gpu_count = 1 },
	};
}

struct member {
	const char *about, *driver;
	enum gpu_member_role role;
	bool is_refused;
};

/* The GPU of @sample, with its holders read for it alone. */
static int preflight_with(const struct root *root, const struct sample *sample, struct fail *fail)
{
	const struct gpu *gpu = &sample->gpu;
	CLEANUP(holder_list) struct holder_list *holders = holder_list_read(root, &gpu, 1);
	size_t not_checked = 77;
	int result = preflight_gpus(root, &sample->host, &sample->placement, holders, NULL,
				    &not_checked, fail);

	assert_int_equal(not_checked, 0);
	return result;
}

/* One GPU on vfio-pci and, in its group, one function as the case has it. */
static int preflight_member(const struct root *root, const struct member *member, struct fail *fail)
{
	struct sample sample;

	sample_init(&sample, "vfio-pci");
	sample.devices[1].driver = (char *)member->driver;
	sample.members[1].role = member->role;
	sample.list.count = sample.gpu.member_count = 2;
	return preflight_with(root, &sample, fail);
}

struct driver_case {
	const struct root *root;
	const struct member *member;
	bool hook;
};

/* 0 as promised: only root may have a driver detached, unless the hook looks in his place. */
static int drivers_are_judged(const void *data)
{
	const struct driver_case *judged = data;
	bool is_refused = geteuid() != 0 && judged->member->is_refused && !judged->hook;
	CLEANUP(fail) struct fail fail = { 0 };

	if (preflight_member(judged->root, judged->member, &fail) == 0)
		return is_refused;
	return !(is_refused && fail.kind == FAIL_HOST &&
		 text_starts(fail.items[0].what, SOUND " is on the host's driver ") &&
		 strstr(fail.items[0].cause, "50-gpuvm does not exist") != NULL &&
		 strstr(fail.items[0].hint, "sudo install -D -m 0755 ") != NULL &&
		 strstr(fail.items[0].hint,
			"driverctl --noprobe set-override " SOUND " vfio-pci") != NULL);
}

static void only_root_may_detach_a_driver(void **state)
{
	static const struct member members[] = {
		{ "on its driver", "nvidia", GPU_MEMBER_FUNCTION, true },
		{ "on vfio-pci", "vfio-pci", GPU_MEMBER_FUNCTION, false },
		{ "on none", NULL, GPU_MEMBER_FUNCTION, false },
		{ "held", "nvme", GPU_MEMBER_HELD, true },
		{ "another GPU of the group", "nvidia", GPU_MEMBER_GPU, true },
		{ "its function", "snd_hda_intel", GPU_MEMBER_GPU_FUNCTION, true },
		{ "a bridge stays", "pcieport", GPU_MEMBER_BRIDGE, false },
	};
	CLEANUP(root) struct root *without = hosts_write("without", "sys/\n");
	CLEANUP(root) struct root *with = hooked("with");

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(members); i++) {
		const struct driver_case judged = { i % 2 == 0 ? without : with, &members[i / 2],
						    i % 2 == 1 };

		print_message("  %s%s\n", members[i / 2].about, judged.hook ? ", hook" : "");
		assert_int_equal(scratch_as(0, drivers_are_judged, &judged), 0);
		if (scratch_is_root())
			assert_int_equal(scratch_as(SCRATCH_NOBODY, drivers_are_judged, &judged),
					 0);
	}
}

static void a_gpu_in_use_or_unsafe_is_refused(void **state)
{
	static const struct {
		const char *lines, *opened;
		enum fail_kind kind;
		const char *word;
	} cases[] = {
		{ "sys/\n", "/dev/null", FAIL_NONE, NULL },
		{ "sys/\n", "/dev/vfio/177", FAIL_BUSY, GPU " is in use by process 812 (sleep)" },
		{ "proc/interrupts\t 24: 0 PCI-MSI 1-edge x\n", "/dev/null", FAIL_HOST,
		  "does not remap interrupts" },
	};
	static const struct member member = { "sound", NULL, GPU_MEMBER_FUNCTION, false };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text)
		char *lines = text_format("sys/bus/\n" PROCESSES_SLEEP "%s", cases[i].lines);
		CLEANUP(root) struct root *root = hosts_write("held", lines);
		CLEANUP(fail) struct fail fail = { 0 };

		processes_open(root->dir, "812", "3", cases[i].opened);
		assert_result(preflight_member(root, &member, &fail), &fail, cases[i].kind,
			      cases[i].word);
	}
}

/* On a GPU that the spec gives away the console is no holder, unless its driver can hang. */
static void the_console_goes_if_the_spec_says_so(void **state)
{
	static const struct {
		const char *driver;
		bool allow;
		const char *word; /* NULL: it goes */
	} cases[] = {
		{ "bochs-drm", true, NULL },
		{ "bochs-drm", false, "keep it from the console" },
		{ "nvidia", true, "keep it from the console" },
	};
	CLEANUP(root)
	struct root *root = hosts_write("console",
					"sys/bus/pci/devices/" GPU "/graphics/fb0/dev\t29:0\n");

	(void)state;
	if (!scratch_is_root())
		skip();
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sample sample;
		CLEANUP(fail) struct fail fail = { 0 };

		sample_init(&sample, cases[i].driver);
		sample.devices[0].is_boot_vga = true;
		sample.placed.allow_boot_vga = cases[i].allow;
		assert_result(preflight_with(root, &sample, &fail), &fail,
			      cases[i].word == NULL ? FAIL_NONE : FAIL_HOST, cases[i].word);
	}
}

struct unseen {
	const struct root *root;
	bool hook;
};

/* 0 as promised. As nobody: a function on no driver, and processes that he may not look at. */
static int unseen_are_counted(const void *data)
{
	const struct unseen *unseen = data;
	struct holder_list holders = { .not_checked = 3 };
	struct sample sample;
	size_t not_checked = 77;
	CLEANUP(fail) struct fail fail = { 0 };

	sample_init(&sample, NULL);
	if (preflight_gpus(unseen->root, &sample.host, &sample.placement, &holders, NULL,
			   &not_checked, &fail) < 0)
		return 1;
	return not_checked == (unseen->hook ? 0 : 3) ? 0 : 2;
}

static void what_nobody_checks_is_counted(void **state)
{
	CLEANUP(root) struct root *without = hosts_write("unhooked", "sys/\n");
	CLEANUP(root) struct root *with = hooked("hooked");

	(void)state;
	assert_int_equal(scratch_as(scratch_is_root() ? SCRATCH_NOBODY : 0, unseen_are_counted,
				    &(struct unseen){ without, false }),
			 0);
	assert_int_equal(scratch_as(scratch_is_root() ? SCRATCH_NOBODY : 0, unseen_are_counted,
				    &(struct unseen){ with, true }),
			 0);
}

/* Holders are read once for all GPUs that might be chosen: those of others do not matter. */
static void other_gpus_holders_are_ignored(void **state)
{
	struct sample sample;
	struct holder holder = { .address = "0000:18:00.0",
				 .who = (char *)"process 812 (sleep)",
				 .what = (char *)"has it open",
				 .remedy = (char *)"sudo kill 812" };
	struct holder_list holders = { .holders = &holder, .count = 1 };
	CLEANUP(root) struct root *root = hosts_write("others", "sys/\n");
	CLEANUP(fail) struct fail fail = { 0 };
	size_t not_checked;

	(void)state;
	sample_init(&sample, NULL);
	assert_int_equal(preflight_gpus(root, &sample.host, &sample.placement, &holders, NULL,
					&not_checked, &fail),
			 0);
	strcpy(holder.address, GPU);
	assert_int_equal(preflight_gpus(root, &sample.host, &sample.placement, &holders, NULL,
					&not_checked, &fail),
			 -1);
	assert_fails(&fail, FAIL_BUSY, "sudo kill 812");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_root_may_detach_a_driver),
		cmocka_unit_test(a_gpu_in_use_or_unsafe_is_refused),
		cmocka_unit_test(the_console_goes_if_the_spec_says_so),
		cmocka_unit_test(what_nobody_checks_is_counted),
		cmocka_unit_test(other_gpus_holders_are_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
