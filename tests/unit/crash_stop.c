// SPDX-License-Identifier: MIT
/*
 * Stops that are killed before and after each call to libvirt that they make, and so between any two things that
 * they change. The daemon outlives them. Afterwards a list tells what is not home and changes nothing, and the next
 * stop or start leaves drivers, records and claims whole.
 */
#include "vmm/finish.h"

#include "tests/unit/crash.h"
#include "vmm/aftermath.h"

#define MOST      100 /* calls of a stop, by far */
#define SPEC_PATH "/vm.ini"
#define DAEMON    "/daemon" /* what libvirt knew of the VM when gpuvm was killed */

/* How a VM ends: see testhv.h and failhv.h for what names mean. */
struct scene {
	const char *about, *name;
	bool is_silent; /* its GPU does not answer any more */
};

static const struct scene scenes[] = {
	{ "a guest that obeys", "vm", false },
	{ "a guest that does not hear", "deaf", false },
	{ "a GPU that stays on vfio-pci", "keeps", false },
	{ "a GPU that does not answer", "deaf", true },
	{ "a GPU that stays on vfio-pci and does not answer", "keeps", true },
};

enum next {
	NEXT_STOP,
	NEXT_START,
	NEXTS
};

static struct root *host(void)
{
	struct root *root = NULL;
	struct fail fail = { 0 };

	assert_int_equal(root_open(NULL, &root, &fail), 0);
	return root;
}

static char *records(void)
{
	CLEANUP(root) struct root *root = host();

	return records_text(root);
}

static void forget_records(void)
{
	CLEANUP(root) struct root *root = host();
	CLEANUP(record_list) struct record_list *list = record_scan(root);
	struct fail fail = { 0 };

	for (size_t i = 0; i < list->count; i++)
		assert_int_equal(record_remove(root, &list->records[i], &fail), 0);
}

/* The GPU that the VM holds. */
static void read_gpu(char ret_gpu[static DEVICE_ADDRESS_BYTES])
{
	CLEANUP(root) struct root *root = host();
	CLEANUP(record_list) struct record_list *list = record_scan(root);

	assert_true(list->count > 0);
	assert_int_equal(list->records[0].kind, RECORD_HELD);
	strcpy(ret_gpu, list->records[0].address);
}

static void silence(const char *gpu)
{
	CLEANUP(text) char *device = text_format("/sys/bus/pci/devices/%s", gpu);
	CLEANUP(text) char *config = text_format("%s/config", device);
	CLEANUP(text) char *aside = text_format("%s/config.aside", device);

	assert_int_equal(rename(config, aside), 0);
	free(scratch_write(device, "config", "\xff\xff\xff\xff"));
}

static void answer(const char *gpu)
{
	CLEANUP(text) char *config = text_format("/sys/bus/pci/devices/%s/config", gpu);
	CLEANUP(text) char *aside = text_format("%s.aside", config);

	assert_int_equal(rename(aside, config), 0);
}

/* The VM runs, and holds its GPU. Close the connection to forget it; files stay as they are. */
static struct hv *set(const struct scene *scene)
{
	struct hv *hv = testhv_open(TESTHV);
	CLEANUP(text)
	char *spec = text_format("[vm]\nname = %s\nvcpus = 4\nmemory = 4 GiB\n"
				 "[gpu]\nmatch = any\nhold = yes\n[disk]\nimage = /vm.qcow2\n"
				 "[network]\nsource = none\n",
				 scene->name);
	char gpu[DEVICE_ADDRESS_BYTES];
	CLEANUP(fail) struct fail fail = { 0 };

	failhv_restore();
	forget_records();
	free(scratch_write("", "vm.ini", spec));
	assert_works(crash_start(SPEC_PATH, &fail), &fail);
	read_gpu(gpu);
	if (scene->is_silent)
		silence(gpu);
	return hv;
}

/* The VM is all that the test driver has, but for its own "test". */
static void keep_daemon(const char *call)
{
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(hv_domains) struct hv_domains *domains = NULL;
	struct fail fail = { 0 };

	assert_int_equal(hv_domains_read(hv, &domains, &fail), 0);
	for (size_t i = 0; i < domains->count; i++) {
		const struct hv_domain *domain = &domains->domains[i];
		CLEANUP(text)
		char *text = text_format("%s %s\n%s", call, domain->is_active ? "runs" : "off",
					 domain->xml);

		if (!text_equal(domain->name, "test"))
			free(scratch_write("", DAEMON + 1, text));
	}
}

/* The test driver as it was when gpuvm was killed. */
static struct hv *revive_daemon(const struct scene *scene)
{
	CLEANUP(root) struct root *root = host();
	CLEANUP(text) char *text = root_bytes(root, NULL, DAEMON);
	CLEANUP(text) char *before = failhv_drivers();
	CLEANUP(text) char *after = NULL;
	CLEANUP(guest) struct guest *guest = NULL;
	struct hv *hv = testhv_open(TESTHV);
	struct fail fail = { 0 };
	char *xml = strchr(text, '\n');

	*xml++ = '\0';
	testhv_define(hv, xml);
	assert_int_equal(guest_parse(xml, &guest, &fail), 0);
	if (text_contains(text, " runs"))
		testhv_start(hv, guest->uuid);
	after = failhv_drivers();
	assert_string_equal(before, after);
	print_message("    %s\n", text);
	assert_int_equal(crash_runs(hv, scene->name), text_contains(text, " runs"));
	return hv;
}

/* Whether the stop made call number @at, and so was killed. */
static bool is_killed(const struct scene *scene, enum failhv_mode mode, unsigned at)
{
	pid_t child = fork();
	int status = 0;

	assert_true(child >= 0);
	if (child == 0) {
		struct hv *hv = set(scene);
		struct fail fail = { 0 };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		failhv_arm(mode, at);
		failhv.dies = keep_daemon;
		_exit(hv == NULL || crash_stop(scene->name, &fail) < 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status))
		assert_int_equal(WTERMSIG(status), SIGKILL);
	else
		assert_int_equal(status, 0);
	return WIFSIGNALED(status);
}

static bool is_home(void)
{
	CLEANUP(text) char *drivers = failhv_drivers();

	return text_equal(drivers, failhv_home);
}

/* What gpuvm list tells, which may change nothing. Whether the VM is named as one whose GPU is not home. */
static bool is_told(struct hv *hv, const struct scene *scene)
{
	const struct giveback_means means = { .lease_directory = LIVEHOST_LEASES };
	CLEANUP(root) struct root *root = host();
	CLEANUP(hv_domains) struct hv_domains *domains = NULL;
	CLEANUP(aftermath) struct aftermath *aftermath = NULL;
	CLEANUP(text) char *before = testhv_everything(hv);
	CLEANUP(text) char *after = NULL;
	struct fail fail = { 0 };

	assert_int_equal(hv_domains_read(hv, &domains, &fail), 0);
	assert_non_null(hv_domains_find(domains, scene->name));
	aftermath = aftermath_check(domains, root, &means, NULL);
	after = testhv_everything(hv);
	assert_string_equal(before, after);
	assert_true(aftermath->count <= 1);
	if (aftermath->count == 1)
		assert_string_equal(aftermath->vms[0].guest->name, scene->name);
	return aftermath->count == 1;
}

/* What a killed stop leaves is told, blocks nobody, and costs the VM nothing. */
static void look(struct hv *hv, const struct scene *scene, const char *gpu)
{
	CLEANUP(text) char *held = text_format("held %s %s", gpu, scene->name);
	CLEANUP(text) char *kept = records();
	bool is_lost = scene->is_silent && !text_contains(kept, "quarantined");

	assert_int_equal(is_told(hv, scene),
			 !crash_runs(hv, scene->name) && (is_lost || !is_home()));
	assert_true(text_starts(kept, held));
	assert_int_equal(livehost_claims(), 0);
	assert_true(crash_gate_is_free());
}

/* Off, its GPU home, and whatever is to be known of that GPU is kept. */
static void assert_stopped(struct hv *hv, const struct scene *scene, const char *gpu)
{
	CLEANUP(text)
	char *quarantined = text_format("quarantined %s %s", gpu, scene->name);
	CLEANUP(text) char *kept = records();

	assert_false(crash_runs(hv, scene->name));
	assert_true(is_home());
	assert_false(is_told(hv, scene));
	assert_int_equal(text_contains(kept, quarantined), scene->is_silent);
	assert_true(text_starts(kept, "held "));
	assert_int_equal(livehost_claims(), 0);
	assert_true(crash_gate_is_free());
}

static void must_stop(const struct scene *scene)
{
	CLEANUP(fail) struct fail fail = { 0 };

	assert_works(crash_stop(scene->name, &fail), &fail);
}

static void go_on(struct hv *hv, const struct scene *scene, const char *gpu, enum next next)
{
	CLEANUP(text) char *held = text_format("held %s %s", gpu, scene->name);
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(text) char *kept = NULL;

	if (next == NEXT_START) {
		assert_works(crash_start(scene->name, &fail), &fail);
		assert_true(crash_runs(hv, scene->name));
		assert_int_equal(livehost_claims(), 0);
	}
	must_stop(scene);
	assert_stopped(hv, scene, gpu);
	kept = records();
	/* Started anew, it holds another GPU than one that does not answer. */
	if (next == NEXT_STOP || !scene->is_silent)
		assert_true(text_starts(kept, held));
}

/* Whether there was a call number @at. */
static bool survives(const struct scene *scene, enum failhv_mode mode, unsigned at, enum next next)
{
	bool was_killed = is_killed(scene, mode, at);
	char gpu[DEVICE_ADDRESS_BYTES];

	read_gpu(gpu);
	if (was_killed) {
		CLEANUP(hv) struct hv *hv = revive_daemon(scene);

		look(hv, scene, gpu);
		go_on(hv, scene, gpu, next);
	}
	if (scene->is_silent)
		answer(gpu);
	return was_killed;
}

static void a_killed_stop_is_made_good(void **state)
{
	static const char *const names[] = { "stop", "start" };

	(void)state;
	for (size_t i = 0; i < COUNT(scenes) * 2 * NEXTS; i++) {
		const struct scene *scene = &scenes[i / (2 * NEXTS)];
		enum failhv_mode mode = i / NEXTS % 2 == 0 ? FAILHV_KILLED_BEFORE
							   : FAILHV_KILLED_AFTER;
		enum next next = (enum next)(i % NEXTS);
		unsigned count = 0;

		print_message("  %s, %s, then %s\n", scene->about, failhv_mode_names[mode],
			      names[next]);
		while (survives(scene, mode, count + 1, next))
			assert_true(++count < MOST);
		assert_true(count > 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_killed_stop_is_made_good) };

	return LIVEHOST_RUN_TESTS(tests, failhv_remember);
}
