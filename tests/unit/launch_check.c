// SPDX-License-Identifier: MIT
/* Findings on a VM of the live host: told beforehand, refused at the start by the same code, and forced. */
#include <string.h>

#include "tests/unit/livehost.h"

#define UUID     "11111111-2222-3333-4444-555555555555"
#define GPU      "0000:17:00.0"
#define FUNCTION "/sys/bus/pci/devices/" GPU
#define REGIONS  "/sys/kernel/iommu_groups/20/reserved_regions"
#define RMRR     "0x00000000cd000000 0x00000000cdffffff direct\n"

#define SPEC_WITH(network) LIVEHOST_SPEC_WITH("vm", "address = " GPU, "/vm.qcow2", network)

static const struct finding *row_of(const struct findings *findings, const char *id)
{
	const struct finding *found = NULL;

	for (size_t i = 0; i < findings->count; i++)
		if (text_equal(findings->rows[i].check, id) &&
		    (found == NULL || found->state == FINDING_OK))
			found = &findings->rows[i];
	assert_non_null(found);
	return found;
}

static void unassign_bars(void)
{
	CLEANUP(text) char *text = NULL;

	text_add(&text, "0x0000000002000000 0x0000000002ffffff 0x000000000014220c\n");
	text_add(&text, "0x0000000000000000 0x0000000000000000 0x0000000000000000\n");
	text_add(&text, "0x0000000000000000 0x0000001fffffffff 0x000000000014220c\n");
	for (int i = 0; i < 10; i++)
		text_add(&text, "0x0000000000000000 0x0000000000000000 0x0000000000000000\n");
	scratch_fill(FUNCTION "/resource", text);
}

static char *resource; /* as it was */

static int keep_resource(void **state)
{
	CLEANUP(root) struct root *root = NULL;
	struct fail fail = { 0 };

	(void)state;
	assert_int_equal(root_open(NULL, &root, &fail), 0);
	resource = root_bytes(root, NULL, FUNCTION "/resource");
	return resource == NULL;
}

static void mend(void)
{
	free(scratch_write("", "vm.ini", SPEC_WITH("none")));
	scratch_fill("/vm.qcow2", "");
	scratch_fill(REGIONS, "");
	scratch_fill(FUNCTION "/resource", resource);
}

enum broken {
	NOTHING,
	OWNER,
	DISKS,
	NETWORK,
	FIRMWARES,
	BARS,
};

static void spoil(enum broken broken, struct hv *hv)
{
	mend();
	if (broken == NETWORK)
		free(scratch_write("", "vm.ini", SPEC_WITH("nosuch")));
	if (broken == DISKS)
		(void)unlink("/vm.qcow2");
	if (broken == FIRMWARES)
		scratch_fill(REGIONS, RMRR);
	if (broken == BARS)
		unassign_bars();
	if (broken == OWNER) {
		CLEANUP(text) char *metadata = testhv_metadata(testhv_uid() + 1, "");
		CLEANUP(text) char *xml = testhv_xml("vm", UUID, metadata, "");

		testhv_define(hv, xml);
	}
}

static const struct {
	const char *about;
	enum broken broken;
	const char *id, *word; /* what failed */
} cases[] = {
	{ "nothing", NOTHING, NULL, NULL },
	{ "another's VM", OWNER, "owner", "belongs to alice" },
	{ "no image", DISKS, "disks", "no such disk image" },
	{ "no network", NETWORK, "network", "nosuch" },
	{ "the firmware's memory", FIRMWARES, "reserved-regions", "RMRR" },
	{ "a BAR without address", BARS, "bars", "BAR 2 of 128 GiB" },
};

static const char *const stages[] = { "owner",      "placement", "disks", "network",
				      "first-boot", "shares",    "bars",  "reserved-regions" };

static void each_failure_is_told_beforehand(void **state)
{
	const struct launch_options options = livehost_options();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		CLEANUP(launch) struct launch *launch = NULL;
		CLEANUP(findings) struct findings *findings = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", cases[i].about);
		spoil(cases[i].broken, hv);
		assert_works(launch_examine(&options, "/vm.ini", &launch, &findings, &fail), &fail);
		for (size_t j = 0; j < COUNT(stages); j++) {
			const struct finding *row = row_of(findings, stages[j]);

			if (text_equal(stages[j], cases[i].id)) {
				assert_int_equal(row->state, FINDING_FAILED);
				assert_true(text_contains(row->found, cases[i].word));
				assert_non_null(row->why);
			} else {
				assert_int_not_equal(row->state, FINDING_FAILED);
			}
		}
	}
	mend();
}

static void a_wrong_spec_is_no_finding(void **state)
{
	const struct launch_options options = livehost_options();
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(findings) struct findings *findings = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	free(scratch_write("", "vm.ini", "[vm]\nname = X\nvcpu = 3\n"));
	assert_int_equal(launch_examine(&options, "/vm.ini", &launch, &findings, &fail), -1);
	assert_fails(&fail, FAIL_SPEC, NULL);
	assert_true(fail.item_count > 2);
	assert_null(findings);
	mend();
}

static const struct {
	const char *about;
	enum broken broken;
	const char *forced[3];
	const char *id; /* what it is refused for; NULL: it starts */
} starts[] = {
	{ "nothing", NOTHING, { NULL }, NULL },
	{ "a BAR", BARS, { NULL }, "bars" },
	{ "a BAR, another finding forced", BARS, { "reset", NULL }, "bars" },
	{ "a BAR, forced", BARS, { "reset", "bars", NULL }, NULL },
	{ "the firmware's memory", FIRMWARES, { NULL }, "reserved-regions" },
	{ "the firmware's memory, another finding forced",
	  FIRMWARES,
	  { "bars", NULL },
	  "reserved-regions" },
	{ "the firmware's memory, forced", FIRMWARES, { "reserved-regions", NULL }, NULL },
};

static void a_start_is_refused_by_the_same_and_may_be_forced(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(starts); i++) {
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		struct launch_options options = livehost_options();
		CLEANUP(launch) struct launch *launch = NULL;
		CLEANUP(launch) struct launch *plan = NULL;
		CLEANUP(fail) struct fail fail = { 0 };
		CLEANUP(fail) struct fail planned = { 0 };

		print_message("  %s\n", starts[i].about);
		spoil(starts[i].broken, hv);
		options.forced = starts[i].forced;
		assert_works(launch_plan(&options, "/vm.ini", &plan, &planned), &planned);
		assert_int_equal(plan->refusal_count, starts[i].id != NULL);
		if (starts[i].id == NULL) {
			assert_works(launch_start(&options, "/vm.ini", &launch, &fail), &fail);
			assert_int_equal(launch->outcome, LAUNCH_STARTED);
		} else {
			assert_int_equal(launch_start(&options, "/vm.ini", &launch, &fail), -1);
			assert_fails(&fail, FAIL_HOST, NULL);
			assert_string_equal(fail.items[0].finding, starts[i].id);
			assert_string_equal(plan->refusals[0].items[0].finding, starts[i].id);
			assert_string_equal(plan->refusals[0].items[0].what, fail.items[0].what);
		}
		assert_int_equal(livehost_claims(), 0);
	}
	mend();
}

/* What a snapshot does not tell, or tells in another way. */
static const struct {
	const char *about;
	const char *removed, *made; /* paths; NULL: none */
	const char *id;
	enum finding_state state;
	const char *word;
} lives[] = {
	{ "KVM", NULL, NULL, "kvm", FINDING_OK, "it is there" },
	{ "no KVM", "/dev/kvm", NULL, "kvm", FINDING_FAILED, "kvm_intel is not loaded" },
	{ "no hook", NULL, NULL, "hook", FINDING_WARNING, "does not exist" },
	{ "a hook without daemon", NULL, GPUVM_HOOK, "hook", FINDING_WARNING, "not an executable" },
	{ "no directory of claims", NULL, NULL, "directories", FINDING_FAILED,
	  "/run/gpuvm does not" },
	{ "all directories", NULL, "/run/gpuvm", "directories", FINDING_OK, "they are there" },
	{ "no group", NULL, NULL, "libvirt-group", FINDING_NOT_CHECKED, "cannot be read" },
	{ "nobody has the GPU", NULL, NULL, "holder", FINDING_OK, "nobody has" },
};

static void make(const char *path)
{
	CLEANUP(text) char *command = text_format("%s", path);

	/* There is no mkdir -p in the chroot. */
	for (char *slash = strchr(command + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(command, 0755);
		*slash = '/';
	}
	scratch_fill(path, "");
}

static void the_live_host_is_looked_at(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lives); i++) {
		CLEANUP(root) struct root *root = NULL;
		CLEANUP(host) struct host *host = NULL;
		CLEANUP(findings) struct findings *findings = NULL;
		struct check_subject subject = { 0 };
		const struct finding *row;
		const struct gpu *gpu;
		struct fail fail = { 0 };

		print_message("  %s\n", lives[i].about);
		if (lives[i].removed != NULL)
			assert_int_equal(unlink(lives[i].removed), 0);
		if (lives[i].made != NULL)
			make(lives[i].made);
		assert_int_equal(root_open(NULL, &root, &fail), 0);
		assert_int_equal(host_read(root, &host, &fail), 0);
		gpu = gpu_find(host->gpus, GPU);
		subject = (struct check_subject){ .root = root, .host = host };
		findings = check_run(&subject, CHECK_HOST | CHECK_GPU, &gpu, 1);
		row = row_of(findings, lives[i].id);
		assert_int_equal(row->state, lives[i].state);
		assert_true(text_contains(row->found, lives[i].word));
		if (lives[i].made != NULL)
			(void)unlink(lives[i].made);
		if (lives[i].removed != NULL)
			scratch_fill(lives[i].removed, "");
	}
}

static void a_daemon_that_does_not_answer_is_a_failure(void **state)
{
	CLEANUP(root) struct root *root = NULL;
	CLEANUP(host) struct host *host = NULL;
	CLEANUP(findings) struct findings *findings = NULL;
	CLEANUP(fail) struct fail unknown = { 0 };
	struct check_subject subject = { 0 };
	struct fail fail = { 0 };

	(void)state;
	fail_add(&unknown, FAIL_HV, "it does not answer");
	fail_hint(&unknown, "start it");
	assert_int_equal(root_open(NULL, &root, &fail), 0);
	assert_int_equal(host_read(root, &host, &fail), 0);
	subject = (struct check_subject){ .root = root, .host = host, .libvirt_unknown = &unknown };
	findings = check_run(&subject, CHECK_HOST, NULL, 0);
	assert_int_equal(row_of(findings, "libvirt")->state, FINDING_FAILED);
	assert_string_equal(row_of(findings, "libvirt")->hint, "start it");
}

int main(void)
{
	const struct CMUnitTest live[] = {
		cmocka_unit_test(the_live_host_is_looked_at),
		cmocka_unit_test(a_daemon_that_does_not_answer_is_a_failure),
		cmocka_unit_test(each_failure_is_told_beforehand),
		cmocka_unit_test(a_wrong_spec_is_no_finding),
		cmocka_unit_test(a_start_is_refused_by_the_same_and_may_be_forced),
	};

	return LIVEHOST_RUN_TESTS(live, keep_resource);
}
