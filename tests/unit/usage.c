// SPDX-License-Identifier: MIT
#include "vmm/usage.h"

#include "tests/unit/records.h"
#include "tests/unit/samples.h"
#include "tests/unit/testhv.h"

/* A live host that keeps no records: what is taken comes from libvirt and the leases. */
static const struct root live = { .dir = (char *)"/nonexistent", .live = true };

#define HOSTDEV(bus) TESTHV_HOSTDEV(bus, "0", "0")
#define INTERFACE(bus)                                                                             \
	"<interface type='hostdev' managed='yes'><source>"                                         \
	"<address type='pci' domain='0' bus='" bus                                                 \
	"' slot='0' function='0'/></source></interface>"
#define PINS(cpus)                                                                                 \
	"<cputune><vcpupin vcpu='0' cpuset='" cpus "'/><vcpupin vcpu='1' cpuset='" cpus            \
	"'/><vcpupin vcpu='2' cpuset='" cpus "'/><vcpupin vcpu='3' cpuset='" cpus "'/></cputune>"
#define OFF    "<test:runstate>5</test:runstate>"
#define PAUSED "<test:runstate>3</test:runstate>"

/* A machine of CPUs 0-15. */
static const struct machine *machine_of(struct sample *sample)
{
	sample_machine(sample, 2, 1, 8);
	return &sample->machine;
}

struct vm {
	const char *about;
	bool is_ours;
	const char *inside, *devices;
	const char *except;
	size_t gpus, cpus;
	const char *holder;
};

static const struct vm vms[] = {
	{ "another tool's VM with a GPU", false, "", HOSTDEV("0x17"), NULL, 1, 0,
	  "VM \"vm\" (not gpuvm's)" },
	{ "gpuvm's VM with two", true, "", HOSTDEV("0x17") HOSTDEV("0x97"), NULL, 2, 0,
	  "VM \"vm\" of alice" },
	{ "a network card", false, "", INTERFACE("0x17"), NULL, 1, 0, "VM \"vm\" (not gpuvm's)" },
	{ "paused", true, PAUSED, HOSTDEV("0x17") HOSTDEV("0x97"), NULL, 2, 0,
	  "VM \"vm\" of alice" },
	{ "off", true, PINS("0-3") OFF, HOSTDEV("0x17"), NULL, 0, 0, NULL },
	{ "the VM that the plan is for", true, PINS("0-3"), HOSTDEV("0x17"), "vm", 0, 0, NULL },
	{ "not the one that the plan is for", true, "", HOSTDEV("0x17"), "v", 1, 0,
	  "VM \"vm\" of alice" },
	{ "pinned", true, PINS("0-3"), HOSTDEV("0x17"), NULL, 1, 1, "VM \"vm\" of alice" },
	{ "pinned to all CPUs but one", false, PINS("0-14"), "", NULL, 0, 1, NULL },
	{ "pinned to all CPUs", false, PINS("0-15"), "", NULL, 0, 0, NULL },
	{ "floating", false, "", "", NULL, 0, 0, NULL },
};

static void running_vms_take(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vms); i++) {
		CLEANUP(scratch) char *scratch = scratch_new();
		CLEANUP(sample) struct sample *sample = sample_new("", "");
		CLEANUP(text) char *metadata = testhv_metadata(1000, "");
		CLEANUP(text)
		char *inside = text_format("%s%s", vms[i].is_ours ? metadata : "", vms[i].inside);
		CLEANUP(text)
		char *xml = testhv_xml("vm", "11111111-2222-3333-4444-555555555555", inside,
				       vms[i].devices);
		CLEANUP(text) char *uri = testhv_node(scratch, xml);
		CLEANUP(hv) struct hv *hv = testhv_open(uri);
		CLEANUP(text)
		char *remedy = vms[i].is_ours ? mem_strdup("gpuvm stop vm")
					      : text_format("virsh -c %s shutdown -- vm", uri);
		CLEANUP(usage) struct usage *usage = NULL;
		struct place_taken taken;
		struct fail fail = { 0 };

		print_message("  %s\n", vms[i].about);
		assert_int_equal(usage_read(hv, &live, scratch, machine_of(sample), vms[i].except,
					    &usage, &fail),
				 0);
		taken = usage_taken(usage);
		assert_int_equal(usage->vm_count, 1);
		assert_int_equal(taken.gpu_count, vms[i].gpus);
		assert_int_equal(taken.cpus_count, vms[i].cpus);
		assert_int_equal(taken.memory_count, 0);
		for (size_t j = 0; j < taken.gpu_count; j++) {
			assert_string_equal(taken.gpus[j].holder, vms[i].holder);
			assert_string_equal(taken.gpus[j].remedy, remedy);
			assert_string_equal(taken.gpus[j].address,
					    j == 0 ? "0000:17:00.0" : "0000:97:00.0");
		}
		assert_ptr_equal(usage_vm(usage, "vm"), &usage->vms[0]);
		assert_null(usage_vm(usage, "v"));
		assert_null(usage_start(usage, "vm"));
	}
}

/* The sample's cores are CPUs 0,1, then 2,3, and so on. */
static void whole_cores_are_kept(void **state)
{
	static const struct {
		const char *kept, *taken;
	} cases[] = { { "<g:whole-cores/>", "2-5" }, { "", "2,5" } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(scratch) char *scratch = scratch_new();
		CLEANUP(sample) struct sample *sample = sample_new("", "");
		CLEANUP(text) char *metadata = testhv_metadata(1000, cases[i].kept);
		CLEANUP(text) char *inside = text_format("%s%s", metadata, PINS("2,5"));
		CLEANUP(text)
		char *xml = testhv_xml("vm", "11111111-2222-3333-4444-555555555555", inside, "");
		CLEANUP(text) char *uri = testhv_node(scratch, xml);
		CLEANUP(hv) struct hv *hv = testhv_open(uri);
		CLEANUP(usage) struct usage *usage = NULL;
		CLEANUP(text) char *taken = NULL;
		struct fail fail = { 0 };

		assert_int_equal(
			usage_read(hv, &live, scratch, machine_of(sample), NULL, &usage, &fail), 0);
		assert_int_equal(usage->cpus_count, 1);
		taken = machine_cpus_format(usage->cpus[0].cpus);
		assert_string_equal(taken, cases[i].taken);
	}
}

static void start_of(const char *directory, const char *name, const char *user, pid_t pid,
		     struct lease_claim **ret_claim)
{
	CLEANUP(lease_gate) struct lease_gate *gate = NULL;
	char gpus[1][DEVICE_ADDRESS_BYTES] = { "0000:17:00.0" };
	struct lease_memory memory = { 1, SIZE_GIB, 4 * SIZE_GIB };
	struct lease_record record = {
		(char *)name, NULL, (char *)user, pid, gpus, 1, NULL, NULL, 0
	};
	struct fail fail = { 0 };

	record.cpus = hwloc_bitmap_alloc();
	record.memory = &memory;
	record.memory_count = 1;
	hwloc_bitmap_set_range(record.cpus, 4, 7);
	assert_int_equal(lease_open(directory, 0, &gate, &fail), 0);
	assert_int_equal(lease_take(gate, &record, ret_claim, &fail), 0);
	hwloc_bitmap_free(record.cpus);
}

static void starts_take_too(void **state)
{
	static const struct {
		const char *name, *user;
		pid_t pid;
		const char *except, *label;
	} cases[] = {
		{ "train", "bob", 4711, NULL, "VM \"train\" of bob, starting (pid 4711)" },
		{ "train", "bob", 4711, "train", "VM \"train\" of bob, starting (pid 4711)" },
		{ "train", NULL, 0, NULL, "VM \"train\", starting" },
		{ NULL, NULL, 0, NULL, "VM \"?\", starting" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(scratch) char *scratch = scratch_new();
		CLEANUP(sample) struct sample *sample = sample_new("", "");
		CLEANUP(lease_claim) struct lease_claim *held = NULL;
		CLEANUP(usage) struct usage *usage = NULL;
		struct place_taken taken;
		struct fail fail = { 0 };

		print_message("  %s\n", cases[i].label);
		start_of(scratch, cases[i].name, cases[i].user, cases[i].pid, &held);
		assert_int_equal(usage_read(NULL, &live, scratch, machine_of(sample),
					    cases[i].except, &usage, &fail),
				 0);
		taken = usage_taken(usage);
		assert_null(usage->domains);
		assert_int_equal(taken.gpu_count, 1);
		assert_string_equal(taken.gpus[0].address, "0000:17:00.0");
		assert_string_equal(taken.gpus[0].holder, cases[i].label);
		assert_int_equal(taken.cpus_count, 1);
		assert_int_equal(hwloc_bitmap_weight(taken.cpus[0].cpus), 4);
		assert_string_equal(taken.cpus[0].holder, cases[i].label);
		assert_int_equal(taken.memory_count, 1);
		assert_int_equal(taken.memory[0].node, 1);
		assert_int_equal(taken.memory[0].page_bytes, SIZE_GIB);
		assert_int_equal(taken.memory[0].bytes, 4 * SIZE_GIB);
		assert_string_equal(taken.memory[0].holder, cases[i].label);
		assert_int_equal(usage_start(usage, "train") != NULL, cases[i].name != NULL);
	}
}

#define UUID "11111111-2222-3333-4444-555555555555"
#define GONE "99999999-2222-3333-4444-555555555555"

/* A VM of that UUID with 0000:17:00.0, and what is kept of that GPU. */
static const struct {
	const char *about;
	bool runs;
	enum record_kind kind;
	const char *uuid;
	const char *except;
	const char *holder, *state; /* of the one entry; NULL: none, or a VM's */
	const char *word, *remedy;
} kept[] = {
	{ "held, its VM is off", false, RECORD_HELD, UUID, NULL, "VM \"vm\" of bob, which is off",
	  "is held for VM \"vm\" of bob, which is off", NULL, "gpuvm release 0000:17:00.0" },
	{ "held, its VM runs", true, RECORD_HELD, UUID, NULL, "VM \"vm\" of alice", NULL, NULL,
	  "gpuvm stop vm" },
	{ "held for the VM that the plan is for", false, RECORD_HELD, UUID, "vm", NULL, NULL, NULL,
	  NULL },
	{ "held for a VM that is gone", false, RECORD_HELD, GONE, NULL, NULL, NULL, NULL, NULL },
	{ "held for a VM that is gone, planning", false, RECORD_HELD, GONE, "vm", NULL, NULL, NULL,
	  NULL },
	{ "drained", false, RECORD_DRAINED, NULL, "vm", "a drain by bob", "is drained by bob: dust",
	  "drained", "gpuvm undrain 0000:17:00.0" },
	{ "quarantined", false, RECORD_QUARANTINED, UUID, "vm", "a quarantine",
	  "is quarantined: dust", "quarantined", "gpuvm undrain 0000:17:00.0" },
};

static void what_is_kept_takes_too(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kept); i++) {
		CLEANUP(records_host) struct root *root = records_host();
		CLEANUP(sample) struct sample *sample = sample_new("", "");
		CLEANUP(text) char *metadata = testhv_metadata(1000, "");
		CLEANUP(text)
		char *inside = text_format("%s%s", metadata, kept[i].runs ? "" : OFF);
		CLEANUP(text) char *xml = testhv_xml("vm", UUID, inside, HOSTDEV("0x17"));
		CLEANUP(text) char *uri = testhv_node(root->dir, xml);
		CLEANUP(hv) struct hv *hv = testhv_open(uri);
		CLEANUP(usage) struct usage *usage = NULL;
		const struct record record = { .kind = kept[i].kind,
					       .address = "0000:17:00.0",
					       .vm = (char *)"vm",
					       .uuid = (char *)kept[i].uuid,
					       .user = (char *)"bob",
					       .reason = (char *)"dust" };
		struct place_taken taken;
		struct fail fail = { 0 };

		print_message("  %s\n", kept[i].about);
		records_write(root, &record);
		assert_int_equal(usage_read(hv, root, root->dir, machine_of(sample), kept[i].except,
					    &usage, &fail),
				 0);
		taken = usage_taken(usage);
		assert_int_equal(usage->records->count, 1);
		assert_int_equal(taken.gpu_count, (kept[i].holder != NULL) + kept[i].runs);
		if (taken.gpu_count == 0)
			continue;
		assert_string_equal(taken.gpus[0].address, "0000:17:00.0");
		assert_string_equal(taken.gpus[0].holder, kept[i].holder);
		assert_true(text_equal(taken.gpus[0].state, kept[i].state));
		assert_true(text_equal(taken.gpus[0].word, kept[i].word));
		assert_true(text_equal(taken.gpus[0].remedy, kept[i].remedy));
	}
}

/* Another daemon than this machine's knows nothing of the VM that a hold is for. */
static void another_daemon_ends_no_hold(void **state)
{
	CLEANUP(records_host) struct root *root = records_host();
	CLEANUP(sample) struct sample *sample = sample_new("", "");
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(usage) struct usage *usage = NULL;
	const struct record record = { .kind = RECORD_HELD,
				       .address = "0000:17:00.0",
				       .vm = (char *)"vm",
				       .uuid = (char *)GONE };
	struct fail fail = { 0 };

	(void)state;
	records_write(root, &record);
	setenv("GPUVM_TEST_URI", "qemu:///session", 1);
	assert_int_equal(usage_read(hv, root, root->dir, machine_of(sample), NULL, &usage, &fail),
			 0);
	unsetenv("GPUVM_TEST_URI");
	assert_int_equal(usage_taken(usage).gpu_count, 1);
}

static void an_empty_host_has_nothing_taken(void **state)
{
	CLEANUP(sample) struct sample *sample = sample_new("", "");
	CLEANUP(usage) struct usage *usage = NULL;
	struct place_taken taken;
	struct fail fail = { 0 };

	(void)state;
	assert_int_equal(
		usage_read(NULL, &live, "/nonexistent", machine_of(sample), NULL, &usage, &fail),
		0);
	taken = usage_taken(usage);
	assert_int_equal(taken.gpu_count + taken.cpus_count + taken.memory_count, 0);
}

static void all_domains_are_known_in_order(void **state)
{
	static const char *const names[] = { "a", "b2", "b10" };
	CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
	CLEANUP(sample) struct sample *sample = sample_new("", "");
	CLEANUP(usage) struct usage *usage = NULL;
	struct fail fail = { 0 };

	(void)state;
	for (size_t i = COUNT(names); i-- > 0;) {
		CLEANUP(text)
		char *uuid = text_format("11111111-2222-3333-4444-00000000000%zu", i);
		CLEANUP(text) char *xml = testhv_xml(names[i], uuid, "", HOSTDEV("0x17"));

		testhv_define(hv, xml);
	}
	testhv_start(hv, "11111111-2222-3333-4444-000000000001");
	assert_int_equal(
		usage_read(hv, &live, "/nonexistent", machine_of(sample), NULL, &usage, &fail), 0);
	assert_int_equal(usage->vm_count, COUNT(names) + 1); /* and the driver's own "test" */
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_string_equal(usage->vms[i].guest->name, names[i]);
		assert_ptr_equal(usage->vms[i].domain, &usage->domains->domains[i]);
	}
	assert_int_equal(usage_taken(usage).gpu_count, 1);
	assert_string_equal(usage_taken(usage).gpus[0].holder, "VM \"b2\" (not gpuvm's)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(running_vms_take),
		cmocka_unit_test(whole_cores_are_kept),
		cmocka_unit_test(starts_take_too),
		cmocka_unit_test(what_is_kept_takes_too),
		cmocka_unit_test(another_daemon_ends_no_hold),
		cmocka_unit_test(an_empty_host_has_nothing_taken),
		cmocka_unit_test(all_domains_are_known_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
