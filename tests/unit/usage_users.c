// SPDX-License-Identifier: MIT
#include "vmm/usage.h"

#include <string.h>
#include <unistd.h>

#include "tests/unit/livehost.h"
#include "tests/unit/processes.h"
#include "topo/holder.h"

/* Who has GPUs beside libvirt: words go around them, addresses do not. */

#define PCI    "sys/bus/pci/devices/"
#define FIRST  "0000:17:00.0"
#define SECOND "0000:18:00.0"
#define CARD(address, group)                                                                       \
	PCI address "/vendor\t0x10de\n" PCI address "/device\t0x2330\n" PCI address                \
		    "/class\t0x030200\n" PCI address "/resource\t0x0 0x0 0x0\n" PCI address        \
		    "/iommu_group -> ../../../../kernel/iommu_groups/" group "\n"

struct view {
	struct root *root;
	struct device_list *devices;
	struct host host;
	struct usage usage;
};

static void view_open(struct view *view, const char *opened)
{
	struct fail fail = { 0 };

	*view = (struct view){ .root = hosts_write("users", CARD(FIRST, "17") CARD(SECOND, "18")
								    PROCESSES_SLEEP) };
	processes_open(view->root->dir, "812", "3", opened);
	assert_int_equal(device_list_read(view->root, &view->devices, &fail), 0);
	view->host.devices = view->devices;
	view->host.gpus = gpu_list_build(view->devices);
	assert_int_equal(view->host.gpus->count, 2);
}

static void view_close(struct view *view)
{
	holder_list_free(view->usage.users);
	for (size_t i = 0; i < view->usage.silent_count; i++) {
		free(view->usage.silent[i].seen);
		free(view->usage.silent[i].state);
	}
	free(view->usage.silent);
	free(view->usage.gpus);
	gpu_list_free(view->host.gpus);
	device_list_free(view->devices);
	root_free(view->root);
}

static void words_go_around_users(void **state)
{
	static const char *const named[] = { FIRST };
	static const struct {
		const char *about, *opened;
		struct place_gpu_request request;
		bool is_seen, is_taken; /* by process 812 */
	} cases[] = {
		{ "a free one", "/dev/null", { .count = 1 }, false, false },
		{ "any", "/dev/vfio/17", { .count = 1 }, true, true },
		{ "by words", "/dev/vfio/17", { .count = 1, .match = "10de:2330" }, true, true },
		{ "no match", "/dev/vfio/17", { .count = 1, .match = "1002:" }, false, false },
		{ "by address",
		  "/dev/vfio/17",
		  { .count = 1, .addresses = named, .address_count = 1 },
		  true,
		  false },
		{ "another by address",
		  "/dev/vfio/18",
		  { .count = 1, .addresses = named, .address_count = 1 },
		  false,
		  false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct view view;
		struct place_taken taken;

		print_message("  %s\n", cases[i].about);
		view_open(&view, cases[i].opened);
		usage_read_users(&view.usage, view.root, &view.host, &cases[i].request, 1);
		taken = usage_taken(&view.usage);
		assert_int_equal(view.usage.users->count, cases[i].is_seen);
		assert_int_equal(taken.gpu_count, cases[i].is_taken);
		assert_int_equal(usage_taken_by_vms(&view.usage).gpu_count, 0);
		if (cases[i].is_taken) {
			assert_string_equal(taken.gpus[0].address, FIRST);
			assert_string_equal(taken.gpus[0].holder, "process 812 (sleep)");
		}
		view_close(&view);
	}
}

/* Nor do they get what does not answer; whoever insists on it is told by others. */
static void words_go_around_the_silent(void **state)
{
	static const char *const named[] = { FIRST };
	const struct place_gpu_request requests[] = {
		{ .count = 1 },
		{ .count = 1, .addresses = named, .address_count = 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(requests); i++) {
		struct view view;
		struct place_taken taken;

		view_open(&view, "/dev/null");
		free(scratch_write(view.root->dir, PCI FIRST "/config", "\377\377\377\377"));
		usage_read_users(&view.usage, view.root, &view.host, &requests[i], 1);
		taken = usage_taken(&view.usage);
		assert_int_equal(view.usage.silent_count, 1);
		assert_string_equal(view.usage.silent[0].gpu->device->address, FIRST);
		assert_int_equal(taken.gpu_count, i == 0);
		if (i == 0)
			assert_string_equal(taken.gpus[0].state,
					    "does not answer: its configuration space reads as all "
					    "ones");
		view_close(&view);
	}
}

/* A VM's GPU is held by its QEMU too: once is enough. */
static void a_vms_gpu_is_not_looked_at(void **state)
{
	const struct place_gpu_request request = { .count = 1 };
	struct view view;

	(void)state;
	view_open(&view, "/dev/vfio/17");
	view.usage.gpus = calloc(1, sizeof *view.usage.gpus);
	view.usage.gpus[0] = (struct place_taken_gpu){ .address = FIRST,
						       .holder = "VM \"train\" of alice" };
	view.usage.gpu_count = 1;
	usage_read_users(&view.usage, view.root, &view.host, &request, 1);
	assert_int_equal(view.usage.users->count, 0);
	assert_int_equal(usage_taken(&view.usage).gpu_count, 1);
	assert_int_equal(usage_taken_by_vms(&view.usage).gpu_count, 1);
	view_close(&view);
}

/* The GPU that a plan chooses; what it foresees is in *@ret_refused. NULL: there is no plan. */
static char *planned(const char *spec, char **ret_refused)
{
	const struct launch_options options = livehost_options();
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	*ret_refused = NULL;
	if (launch_plan(&options, spec, &launch, &fail) < 0)
		return NULL;
	for (size_t i = 0; i < launch->refusal_count; i++)
		text_join(ret_refused, "; ", launch->refusals[i].items[0].what);
	return mem_strdup(launch->placement->gpus[0].gpu->device->address);
}

static void hold(unsigned group)
{
	CLEANUP(text) char *fd = text_format("%u", group);
	CLEANUP(text) char *target = text_format("/dev/vfio/%u", group);

	processes_open("", "812", fd, target);
}

/* The host has its GPUs in groups 20, 22, ... */
static void a_plan_goes_around_users(void **state)
{
	CLEANUP(text) char *spec = livehost_spec("vm");
	CLEANUP(text) char *refused = NULL;
	CLEANUP(text) char *refused_all = NULL;
	CLEANUP(text) char *first = planned(spec, &refused);
	CLEANUP(text) char *second = NULL;
	CLEANUP(text) char *last = NULL;

	(void)state;
	assert_string_equal(first, FIRST);
	assert_null(refused);
	processes_add_sleep("");
	hold(20);
	second = planned(spec, &refused);
	assert_string_not_equal(second, first);
	assert_null(refused);
	for (unsigned i = 1; i < 8; i++)
		hold(20 + 2 * i);
	last = planned(spec, &refused_all);
	assert_string_equal(last, first);
	assert_string_equal(refused_all, FIRST " is in use by process 812 (sleep)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_go_around_users),
		cmocka_unit_test(words_go_around_the_silent),
		cmocka_unit_test(a_vms_gpu_is_not_looked_at),
	};
	const struct CMUnitTest live[] = {
		cmocka_unit_test(a_plan_goes_around_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) + LIVEHOST_RUN_TESTS(live, NULL);
}
