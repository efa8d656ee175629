// SPDX-License-Identifier: MIT
/*
 * Starts and stops of which call number N to libvirt fails, for all N; and starts killed before each step of
 * launch's table. Afterwards all is as before, or the VM runs as asked; the next start works.
 */
#include "vmm/launch.h"

#include "tests/unit/crash.h"

#define UUID      "11111111-2222-3333-4444-555555555555"
#define MOST      200 /* calls of a start, by far */
#define SPEC_PATH "/vm.ini"

/* What a start finds, and the end of a VM: see testhv.h for what names mean. */
struct scene {
	const char *about, *name;
	bool is_known; /* libvirt has a definition of it, off */
	bool by_name;
	bool stops;     /* it runs, and is stopped by force */
	bool has_disks; /* that gpuvm makes; of a known VM one is there */
};

#define DISKS                                                                                      \
	"[vm]\nname = vm\nvcpus = 4\nmemory = 4 GiB\n[gpu]\n[network]\nsource = none\n"            \
	"[disk]\nimage = /vm.img\nsize = 2 GiB\n[disk:data]\nsize = 1 GiB\n"
#define RECORD                                                                                     \
	"<g:volume pool='default' name='vm.qcow2' path='/var/lib/libvirt/images/vm.qcow2' "        \
	"format='qcow2' backing='/vm.img'/>"

static const struct scene starts[] = {
	{ "a new VM", "vm", false, false, false, false },
	{ "a known VM", "vm", true, true, false, false },
	{ "a new VM's disks", "vm", false, false, false, true },
	{ "a known VM's disks", "vm", true, true, false, true },
};

static const struct scene stops[] = {
	{ "a guest that obeys", "vm", true, true, true, false },
	{ "a guest that does not hear", "deaf", true, true, true, false },
};

/* Libvirt, the VM's drivers and the reservations, to be compared. The caller frees. */
static char *everything(struct hv *hv)
{
	CLEANUP(text) char *domains = testhv_everything(hv);
	CLEANUP(text) char *drivers = failhv_drivers();
	CLEANUP(text) char *volumes = teststorage_everything();

	return text_format("%s%s%s%zu starts\n", domains, drivers, volumes, livehost_claims());
}

static int start(const struct scene *scene, struct fail *fail)
{
	return crash_start(scene->by_name ? scene->name : SPEC_PATH, fail);
}

static void must_start(const struct scene *scene)
{
	CLEANUP(fail) struct fail fail = { 0 };

	assert_works(start(scene, &fail), &fail);
}

/* The spec, and of a known VM the disk that it had. */
static void furnish_disks(struct hv *hv, const struct scene *scene)
{
	CLEANUP(hv_pool) struct hv_pool *pool = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	const struct hv_volume_wish wish = { .pool = HV_POOL_DEFAULT,
					     .name = "vm.qcow2",
					     .format = "qcow2",
					     .capacity_bytes = (uint64_t)2 << 30,
					     .backing = "/vm.img",
					     .backing_format = "raw" };

	free(scratch_write("", "vm.img", ""));
	free(scratch_write("", "vm.ini", DISKS));
	if (!scene->is_known)
		return;
	assert_works(hv_pool_read(hv, HV_POOL_DEFAULT, &pool, &fail), &fail);
	assert_works(hv_pool_ready(hv, pool, &fail), &fail);
	assert_works(hv_volume_create(hv, &wish, &fail), &fail);
}

/* The test driver's one host as the scene wants it. Close the connection to forget it. */
static struct hv *set(const struct scene *scene)
{
	struct hv *hv = testhv_open(TESTHV);

	failhv_restore();
	free(livehost_spec(scene->name));
	if (scene->has_disks)
		furnish_disks(hv, scene);
	if (scene->is_known) {
		CLEANUP(text)
		char *metadata = testhv_metadata(
			testhv_uid(),
			scene->has_disks ? LIVEHOST_METADATA(DISKS) RECORD
					 : LIVEHOST_METADATA(LIVEHOST_SPEC("vm", "/vm.qcow2")));
		CLEANUP(text) char *xml = testhv_xml(scene->name, UUID, metadata, "");

		testhv_define(hv, xml);
	}
	if (scene->stops) {
		const struct scene by_file = { .name = scene->name };

		must_start(&by_file);
	}
	return hv;
}

/* Exactly the functions of what runs are on vfio-pci. */
static void assert_devices_follow(struct hv *hv, const struct scene *scene)
{
	CLEANUP(text) char *drivers = failhv_drivers();

	if (crash_runs(hv, scene->name))
		assert_true(text_contains(drivers, "vfio-pci"));
	else
		assert_string_equal(drivers, failhv_home);
}

/* As before or as asked for. Without a daemon nothing more than the truth can be told. */
static void assert_whole(struct hv *hv, const struct scene *scene, const char *before,
			 const struct fail *fail)
{
	CLEANUP(text) char *after = everything(hv);
	bool worked = fail->kind == FAIL_NONE;

	if (worked)
		assert_int_equal(crash_runs(hv, scene->name), !scene->stops);
	if (failhv.mode == FAILHV_GONE && failhv.failed != NULL)
		return;
	assert_devices_follow(hv, scene);
	if (!worked && !scene->stops && crash_runs(hv, scene->name))
		assert_true(text_contains(fail->items[0].hint, "runs after all"));
	if (!scene->stops && !crash_runs(hv, scene->name))
		assert_string_equal(after, before);
}

/* Whether call number @at was made, and so failed. */
static bool fails_at(const struct scene *scene, enum failhv_mode mode, unsigned at)
{
	CLEANUP(hv) struct hv *hv = set(scene);
	CLEANUP(text) char *before = everything(hv);
	CLEANUP(fail) struct fail fail = { 0 };
	int result;

	failhv_arm(mode, at);
	result = scene->stops ? crash_stop(scene->name, &fail) : start(scene, &fail);
	failhv_disarm();
	if (failhv.failed != NULL)
		print_message("    %2u %s: %s\n", at, failhv.failed,
			      result == 0 ? "goes on" : fail.items[0].what);
	assert_int_equal(result < 0, fail.kind != FAIL_NONE);
	assert_int_equal(livehost_claims(), 0);
	assert_whole(hv, scene, before, &fail);
	if (mode == FAILHV_GONE && !crash_runs(hv, scene->name))
		must_start(scene);
	return failhv.failed != NULL;
}

/* Whether it matters to @call how it fails: it changes something, or nothing works after it. */
static bool is_worth_it(const char *call, enum failhv_mode mode)
{
	static const char *const acting[] = { "virDomainDefineXMLFlags", "virDomainCreateWithFlags",
					      "virDomainShutdownFlags",  "virDomainDestroy",
					      "virStoragePoolDefineXML", "virStoragePoolCreate",
					      "virStorageVolCreateXML" };

	for (size_t i = 0; i < COUNT(acting); i++)
		if (text_equal(acting[i], call))
			return true;
	return mode == FAILHV_REFUSED || mode == FAILHV_GONE || mode == FAILHV_RESTARTED;
}

static void for_all_calls(const struct scene *scene)
{
	const char *calls[MOST] = { NULL };
	unsigned count = 0;

	while (fails_at(scene, FAILHV_REFUSED, count + 1)) {
		calls[count++] = failhv.failed;
		assert_true(count < MOST);
	}
	assert_true(count > 5);
	for (int mode = FAILHV_REFUSED + 1; mode < FAILHV_MODES; mode++) {
		print_message("  %s, %s\n", scene->about, failhv_mode_names[mode]);
		for (unsigned i = 0; i < count; i++)
			if (is_worth_it(calls[i], (enum failhv_mode)mode))
				assert_true(fails_at(scene, (enum failhv_mode)mode, i + 1));
	}
}

static void a_start_survives_every_failed_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(starts); i++)
		for_all_calls(&starts[i]);
}

static void a_stop_survives_every_failed_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(stops); i++)
		for_all_calls(&stops[i]);
}

/* The calls of vmm/hv*.c that cannot fail for a daemon's sake. */
static const char *const local[] = {
	"virConnectClose",        "virConnectGetLibVersion",
	"virConnectGetVersion",   "virDomainFree",
	"virDomainGetName",       "virDomainGetUUIDString",
	"virGetLastErrorCode",    "virNetworkFree",
	"virGetLastErrorMessage", "virGetLastError",
	"virSetErrorFunc",        "virDomainGetID",
	"virDomainRef",           "virConnectGetURI",
	"virConnectOpenReadOnly", /* a plan's */
	"virStoragePoolFree",     "virStoragePoolGetName",
	"virStorageVolFree",      "virStorageVolGetName",
	"virStreamNew",           "virStreamFree",
	"virStreamAbort",
};

/* Those that no start and no stop makes: they change nothing on the host. */
static const char *const elsewhere[] = {
	"virDomainGetVcpus",
	"virDomainInterfaceAddresses",
	"virDomainInterfaceFree",
	"virDomainOpenConsole",
	"virDomainQemuAgentCommand",
	"virNodeGetCPUMap",
	"virStoragePoolCreateXML",
	"virStoragePoolDestroy",
	"virStoragePoolFree",
	"virStoragePoolGetName",
	"virStoragePoolLookupByTargetPath",
	"virStoragePoolRefresh",
	"virStorageVolDownload",
	"virStorageVolFree",
	"virStorageVolGetInfoFlags",
	"virStorageVolLookupByName",
	"virStreamAbort",
	"virStreamFree",
	"virStreamNew",
	"virStreamRecv",
};

static bool is_known_call(const char *name)
{
	for (size_t i = 0; i < COUNT(elsewhere); i++)
		if (text_equal(elsewhere[i], name))
			return true;
	for (size_t i = 0; i < COUNT(local); i++)
		if (text_equal(local[i], name))
			return true;
	for (size_t i = 0; failhv_calls[i] != NULL; i++)
		if (text_equal(failhv_calls[i], name))
			return true;
	return false;
}

/* A call that is added to vmm/hv*.c is to be added to failhv.h: else it never fails here. */
static void every_call_can_fail(void **state)
{
	CLEANUP(text)
	char *command = text_format("grep -oh '\\<vir[A-Z][A-Za-z0-9]*(' '%s'/vmm/hv*.c | sort -u",
				    getenv("GPUVM_SOURCE"));
	FILE *names = popen(command, "r");
	char name[100];
	size_t count = 0;

	(void)state;
	assert_non_null(names);
	while (fscanf(names, "%99[^(](\n", name) == 1) {
		count++;
		if (!is_known_call(name))
			fail_msg("%s() is neither in failhv.h nor local", name);
	}
	assert_int_equal(pclose(names), 0);
	assert_true(count > COUNT(local));
}

/* The steps of a start, in their order. */
struct steps {
	char *names[50];
	size_t count;
	const char *stop_at;
};

static void note_step(void *data, const char *step, const char *says)
{
	struct steps *steps = data;

	(void)says;
	assert_true(steps->count < COUNT(steps->names));
	steps->names[steps->count++] = mem_strdup(step);
}

static void stop_at_step(void *data, const char *step, const char *says)
{
	(void)says;
	if (text_equal(((struct steps *)data)->stop_at, step))
		raise(SIGSTOP);
}

static struct steps read_steps(const struct scene *scene)
{
	CLEANUP(hv) struct hv *hv = set(scene);
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	struct launch_options options = livehost_options();
	struct steps steps = { .count = 0 };

	options.progress = note_step;
	options.progress_data = &steps;
	assert_int_equal(launch_start(&options, SPEC_PATH, &launch, &fail), 0);
	return steps;
}

/* A process whose start stands before the step @name. */
static pid_t start_until(const struct scene *scene, const char *name)
{
	pid_t child = fork();
	int status = 0;

	assert_true(child >= 0);
	if (child == 0) {
		struct hv *hv = set(scene);
		struct steps steps = { .stop_at = name };
		struct launch_options options = livehost_options();
		struct launch *launch = NULL;
		struct fail fail = { 0 };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		options.progress = stop_at_step;
		options.progress_data = &steps;
		_exit(hv == NULL || launch_start(&options, SPEC_PATH, &launch, &fail) < 0);
	}
	assert_int_equal(waitpid(child, &status, WUNTRACED), child);
	assert_true(WIFSTOPPED(status));
	return child;
}

static void kill_before(const struct scene *scene, const char *step, bool *in_gate, bool *in_claim)
{
	pid_t child = start_until(scene, step);
	int status = 0;

	print_message("  %s\n", step);
	*in_gate |= text_equal(step, "take-over");
	*in_gate &= !text_equal(step, "hold");
	*in_claim |= text_equal(step, "open-gate");
	assert_int_equal(crash_gate_is_free(), !*in_gate);
	assert_int_equal(livehost_claims(), *in_claim);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_true(crash_gate_is_free());
	assert_int_equal(livehost_claims(), 0);
	hv_close(set(scene));
	must_start(scene);
}

/* What libvirt has of a killed start is not here to be seen: the driver lives in the process that is killed. */
static void a_start_killed_before_any_step_leaves_no_claim(void **state)
{
	static const struct scene scene = { "a new VM", "vm", false, false, false, true };
	struct steps steps = read_steps(&scene);
	bool in_gate = false;
	bool in_claim = false;

	(void)state;
	assert_true(steps.count > 8);
	for (size_t i = 0; i < steps.count; i++) {
		kill_before(&scene, steps.names[i], &in_gate, &in_claim);
		free(steps.names[i]);
	}
	assert_true(in_claim && !in_gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_can_fail),
	};
	const struct CMUnitTest live[] = {
		cmocka_unit_test(a_start_survives_every_failed_call),
		cmocka_unit_test(a_stop_survives_every_failed_call),
		cmocka_unit_test(a_start_killed_before_any_step_leaves_no_claim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) +
	       LIVEHOST_RUN_TESTS(live, failhv_remember);
}
