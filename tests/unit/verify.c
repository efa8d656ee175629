// SPDX-License-Identifier: MIT
/* The host's side of gpuvm verify: a VM as it was planned, and each thing that may be wrong with it. */
#include "tests/unit/verifies.h"

static void a_vm_as_planned_is_ok(void **state)
{
	CLEANUP(root) struct root *root = verifies_open("planned");
	CLEANUP(verify_evidence)
	struct verify_evidence *evidence = verifies_read(root, VERIFIES_XML);
	CLEANUP(findings) struct findings *findings = NULL;
	struct fail fail = { 0 };

	(void)state;
	verifies_tell(evidence, VERIFIES_INSIDE, VERIFIES_DRIVERS);
	findings = verify_judge_evidence(evidence);
	if (findings_count(findings, FINDING_FAILED) +
		    findings_count(findings, FINDING_NOT_CHECKED) +
		    findings_count(findings, FINDING_WARNING) >
	    0) {
		verifies_print(findings);
		fail_msg("it is not");
	}
	assert_true(findings_count(findings, FINDING_OK) > 20);
	assert_works(verify_judge(findings, &fail), &fail);
	assert_int_equal(evidence->pid, 4711);
	assert_string_equal(evidence->pid_source, "/run/libvirt/qemu/train.pid");
}

struct broken {
	const char *what;
	const char *path; /* below the root; NULL: nothing */
	const char *text; /* what is in it then; NULL: it is gone */
	enum finding_state state;
	const char *check, *word;
};

#define GPU    "sys/bus/pci/devices/0000:17:00.0/"
#define PORT   "sys/bus/pci/devices/0000:16:01.0/"
#define TASK   "proc/4711/task/"
#define STATUS "Name:\tx\nCpus_allowed_list:\t"

static const struct broken things[] = {
	{ "asleep", GPU "power_state", "D3cold\n", FINDING_FAILED, "power state", "D3cold" },
	{ "half asleep", GPU "power_state", "D3hot\n", FINDING_FAILED, "power state", "D3hot" },
	{ "8 lanes of 16", GPU "current_link_width", "8\n", FINDING_FAILED, "link width", "x8" },
	{ "an idle link", GPU "current_link_speed", "2.5 GT/s PCIe\n", FINDING_WARNING,
	  "link speed", "2.5 GT/s 32 GT/s idle GPUs" },
	{ "no link", GPU "current_link_width", "0\n", FINDING_FAILED, "link width", "no link" },
	{ "fatal errors", GPU "aer_dev_fatal", "TOTAL_ERR_FATAL 2\n", FINDING_FAILED, "PCIe errors",
	  "fatal 2" },
	{ "nonfatal errors", GPU "aer_dev_nonfatal", "TOTAL_ERR_NONFATAL 3\n", FINDING_WARNING,
	  "PCIe errors", "nonfatal 3" },
	{ "corrected errors", GPU "aer_dev_correctable", "RxErr 4\nTOTAL_ERR_COR 4\n",
	  FINDING_WARNING, "PCIe errors", "correctable 4" },
	{ "errors of the port", PORT "aer_dev_fatal", "TOTAL_ERR_FATAL 1\n", FINDING_FAILED,
	  "PCIe errors", "0000:16:01.0, the port" },
	{ "a vCPU that was widened by hand", TASK "4714/status", STATUS "2-3\n", FINDING_FAILED,
	  "vCPU threads", "vCPU 1 2-3 3 virsh vcpupin train 1 3 --live" },
	{ "a vCPU on another CPU", TASK "4716/status", STATUS "34\n", FINDING_FAILED,
	  "vCPU threads", "vCPU 3 34 35" },
	{ "a vCPU without thread", TASK "4713/comm", "CPU 9/KVM\n", FINDING_FAILED, "vCPU threads",
	  "no such thread" },
	{ "QEMU on the VM's CPUs", TASK "4711/status", STATUS "0-3,32\n", FINDING_FAILED,
	  "QEMU's threads", "thread 4711 (qemu-system-x86) 0-3,32 0,32 virsh emulatorpin" },
	{ "an I/O thread elsewhere", TASK "4712/status", STATUS "0,32\n", FINDING_FAILED,
	  "QEMU's threads", "IO iothread1" },
	{ "huge pages on the wrong node", "proc/4711/numa_maps",
	  "7f0000000000 bind:0" VERIFIES_MAP("1", "512", "2048") "7f1000000000 bind:1" VERIFIES_MAP(
		  "1", "262144", "4"),
	  FINDING_FAILED, "memory", "2 MiB pages 1 GiB on node 1 1 GiB on node 0" },
	{ "one huge page on the wrong node", "proc/4711/numa_maps",
	  "7f0 bind:0 huge N0=511 N1=1 kernelpagesize_kB=2048\n"
	  "7f1 bind:1" VERIFIES_MAP("1", "262144", "4"),
	  FINDING_FAILED, "memory", "1022 MiB on node 0, 2 MiB on node 1" },
	{ "one normal page on the wrong node", "proc/4711/numa_maps",
	  "7f0 bind:0" VERIFIES_MAP(
		  "0", "512", "2048") "7f1 bind:1 anon=262144 N0=1 N1=262143 kernelpagesize_kB=4\n",
	  FINDING_FAILED, "memory", "4 KiB pages 4 KiB on node 0, 1023.9 MiB on node 1" },
	{ "more than planned, on the wrong node", "proc/4711/numa_maps",
	  "7f0 bind:0 huge N0=512 N1=1 kernelpagesize_kB=2048\n"
	  "7f1 bind:1" VERIFIES_MAP("1", "262144", "4"),
	  FINDING_FAILED, "memory", "1 GiB on node 0, 2 MiB on node 1" },
	{ "memory that is not there", "proc/4711/numa_maps",
	  "7f0 bind:0" VERIFIES_MAP("0", "512", "2048") "7f1 bind:1" VERIFIES_MAP("1", "200000",
										  "4"),
	  FINDING_FAILED, "memory", "781.2 MiB on node 1" },
	{ "memory that the caller may not see", "proc/4711/numa_maps", NULL, FINDING_NOT_CHECKED,
	  "memory", "sudo gpuvm verify train" },
	{ "a pid file of another time", "run/libvirt/qemu/train.pid", "812\n", FINDING_OK, NULL,
	  NULL },
	{ "no pid file", "run/libvirt/qemu/train.pid", NULL, FINDING_OK, NULL, NULL },
	{ "a pid file that is none", "run/libvirt/qemu/train.pid", "-4711\n", FINDING_OK, NULL,
	  NULL },
};

/* Puts @text into the file, NULL: removes it. */
static void put(const struct root *root, const char *name, const char *text)
{
	CLEANUP(text) char *path = text_format("%s/%s", root->dir, name);

	if (text == NULL)
		(void)unlink(path);
	else
		scratch_fill(path, text);
}

static void try_one(const struct root *root, const struct broken *thing)
{
	CLEANUP(verify_evidence)
	struct verify_evidence *evidence = verifies_read(root, VERIFIES_XML);
	CLEANUP(findings) struct findings *findings = NULL;

	verifies_tell(evidence, VERIFIES_INSIDE, VERIFIES_DRIVERS);
	findings = verify_judge_evidence(evidence);
	if (thing->check == NULL) {
		assert_int_equal(evidence->pid, 4711);
		assert_int_equal(findings_count(findings, FINDING_FAILED), 0);
		return;
	}
	verifies_assert(findings, thing->state, thing->check, thing->word);
	if (thing->state != FINDING_FAILED)
		assert_int_equal(findings_count(findings, FINDING_FAILED), 0);
}

static void each_thing_that_is_wrong_is_told(void **state)
{
	CLEANUP(root) struct root *root = verifies_open("broken");

	(void)state;
	for (size_t i = 0; i < COUNT(things); i++) {
		CLEANUP(text) char *before = root_bytes(root, NULL, "/%s", things[i].path);

		put(root, things[i].path, things[i].text);
		try_one(root, &things[i]);
		put(root, things[i].path, before);
	}
}

/* What a link of /proc is cannot be put back as text. */
static void a_gpu_that_qemu_does_not_have_is_told(void **state)
{
	static const struct broken thing = { .state = FINDING_FAILED,
					     .check = "holder",
					     .word = "0000:17:00.0 nobody: process 4711" };
	CLEANUP(root) struct root *root = verifies_open("nobody");

	(void)state;
	put(root, "proc/4711/fd/20", NULL);
	try_one(root, &thing);
}

static void a_gpu_that_fell_off_the_bus_is_told(void **state)
{
	static const struct broken thing = { .path = GPU "current_link_width",
					     .text = "0\n",
					     .state = FINDING_FAILED,
					     .check = "link width",
					     .word = "no link x16 the card does not answer" };
	CLEANUP(root) struct root *root = verifies_open("lost");

	(void)state;
	put(root, GPU "max_link_width", "0\n");
	put(root, thing.path, thing.text);
	try_one(root, &thing);
}

/* A vCPU makes threads too: the kernel's own, QEMU's while its firmware writes. They are on its CPU, and no other. */
static void a_thread_may_be_where_its_vcpu_is(void **state)
{
	static const char *const names[] = { "kvm-nx-lpage-re", "worker" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const struct broken thing = { .state = FINDING_FAILED,
					      .check = "QEMU's threads",
					      .word = names[i] };
		CLEANUP(root) struct root *root = verifies_open("inherited");
		CLEANUP(verify_evidence) struct verify_evidence *evidence = NULL;
		CLEANUP(findings) struct findings *findings = NULL;

		verifies_thread(root->dir, "4720", names[i], "3");
		evidence = verifies_read(root, VERIFIES_XML);
		evidence->host_only = true;
		findings = verify_judge_evidence(evidence);
		assert_int_equal(findings_count(findings, FINDING_FAILED), 0);
		verifies_thread(root->dir, "4720", names[i], "0-3");
		try_one(root, &thing);
	}
}

static void a_gpu_on_another_driver_is_told(void **state)
{
	CLEANUP(root) struct root *root = verifies_open("driver");
	CLEANUP(verify_evidence) struct verify_evidence *evidence = NULL;
	CLEANUP(findings) struct findings *findings = NULL;

	(void)state;
	hosts_bind(root->dir, "0000:97:00.0", "nvidia");
	evidence = verifies_read(root, VERIFIES_XML);
	evidence->host_only = true;
	findings = verify_judge_evidence(evidence);
	verifies_assert(findings, FINDING_FAILED, "driver", "0000:97:00.0 nvidia vfio-pci");
}

static void a_vendors_vfio_driver_will_do(void **state)
{
	CLEANUP(root) struct root *root = verifies_open("variant");
	CLEANUP(verify_evidence) struct verify_evidence *evidence = NULL;
	CLEANUP(findings) struct findings *findings = NULL;

	(void)state;
	hosts_bind(root->dir, "0000:97:00.0", "nvgrace-gpu-vfio-pci");
	evidence = verifies_read(root, VERIFIES_XML);
	evidence->host_only = true;
	findings = verify_judge_evidence(evidence);
	assert_int_equal(findings_count(findings, FINDING_FAILED), 0);
}

static void another_holder_is_told(void **state)
{
	CLEANUP(root) struct root *root = verifies_open("holder");
	CLEANUP(verify_evidence) struct verify_evidence *evidence = NULL;
	CLEANUP(findings) struct findings *findings = NULL;

	(void)state;
	processes_add_sleep(root->dir);
	processes_open(root->dir, "812", "5", "/dev/vfio/28");
	evidence = verifies_read(root, VERIFIES_XML);
	evidence->host_only = true;
	findings = verify_judge_evidence(evidence);
	verifies_assert(findings, FINDING_FAILED, "holder",
			"0000:97:00.0 process 812 (sleep) has /dev/vfio/28 open");
}

static void a_process_of_another_vm_is_not_its_own(void **state)
{
	CLEANUP(root) struct root *root = verifies_open("stranger");
	CLEANUP(verify_evidence) struct verify_evidence *evidence = NULL;
	CLEANUP(findings) struct findings *findings = NULL;
	struct fail fail = { 0 };

	(void)state;
	verifies_cmdline(root->dir, "11111111-2222-3333-4444-555555555555");
	evidence = verifies_read(root, VERIFIES_XML);
	evidence->host_only = true;
	assert_int_equal(evidence->pid, 0);
	findings = verify_judge_evidence(evidence);
	assert_true(findings_count(findings, FINDING_NOT_CHECKED) >= 4);
	assert_int_equal(verify_judge(findings, &fail), -1);
	fail_done(&fail);
}

/* virsh vcpupin --live changes the XML with the thread: what gpuvm recorded is the plan. */
static void pins_that_were_changed_with_virsh_are_told(void **state)
{
	CLEANUP(root) struct root *root = verifies_open("vcpupin");
	CLEANUP(text)
	char *xml = verifies_edited(VERIFIES_XML, "<vcpupin vcpu='0' cpuset='2'/>",
				    "<vcpupin vcpu='0' cpuset='9'/>");
	CLEANUP(verify_evidence) struct verify_evidence *evidence = NULL;
	CLEANUP(findings) struct findings *findings = NULL;
	size_t failed;

	(void)state;
	verifies_thread(root->dir, "4713", "CPU 0/KVM", "9");
	evidence = verifies_read(root, xml);
	evidence->host_only = true;
	findings = verify_judge_evidence(evidence);
	failed = findings_count(findings, FINDING_FAILED);
	if (failed != 3)
		verifies_print(findings);
	/* the thread, the live definition, the stored one */
	assert_int_equal(failed, 3);
}

/* Where /proc hides the threads, libvirt tells of them. */
static void libvirt_tells_what_proc_hides(void **state)
{
	CLEANUP(root) struct root *root = verifies_open("hidden");
	CLEANUP(verify_evidence) struct verify_evidence *evidence = NULL;
	CLEANUP(findings) struct findings *findings = NULL;
	static const unsigned cpus[] = { 2, 3, 34, 36 };

	(void)state;
	verifies_cmdline(root->dir, "?");
	evidence = verifies_read(root, VERIFIES_XML);
	evidence->host_only = true;
	for (size_t i = 0; i < COUNT(cpus); i++) {
		hwloc_bitmap_t *bitmap = MEM_APPEND(evidence->affinity.vcpus,
						    evidence->affinity.count);

		*bitmap = hwloc_bitmap_alloc();
		hwloc_bitmap_set(*bitmap, cpus[i]);
	}
	findings = verify_judge_evidence(evidence);
	verifies_assert(findings, FINDING_FAILED, "vCPU threads", "vCPU 3 36 35");
}

static void the_worst_row_decides_the_exit_code(void **state)
{
	static const struct {
		enum finding_state states[3];
		enum fail_kind kind;
	} cases[] = {
		{ { FINDING_OK, FINDING_NOTE, FINDING_WARNING }, FAIL_NONE },
		{ { FINDING_OK, FINDING_NOT_CHECKED, FINDING_WARNING }, FAIL_HOST },
		{ { FINDING_NOT_CHECKED, FINDING_FAILED, FINDING_OK }, FAIL_FAIL },
		{ { FINDING_FAILED, FINDING_OK, FINDING_OK }, FAIL_FAIL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(findings) struct findings *findings = mem_alloc(1, sizeof *findings);
		CLEANUP(fail) struct fail fail = { 0 };

		findings->name = mem_strdup("train");
		for (size_t j = 0; j < 3; j++) {
			struct finding *row = findings_add(findings, cases[i].states[j], NULL);

			row->check = "memory";
			row->found = text_format("row %zu", j);
		}
		assert_result(verify_judge(findings, &fail), &fail, cases[i].kind, "memory: row");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vm_as_planned_is_ok),
		cmocka_unit_test(each_thing_that_is_wrong_is_told),
		cmocka_unit_test(a_gpu_that_qemu_does_not_have_is_told),
		cmocka_unit_test(a_gpu_that_fell_off_the_bus_is_told),
		cmocka_unit_test(a_thread_may_be_where_its_vcpu_is),
		cmocka_unit_test(a_gpu_on_another_driver_is_told),
		cmocka_unit_test(a_vendors_vfio_driver_will_do),
		cmocka_unit_test(another_holder_is_told),
		cmocka_unit_test(a_process_of_another_vm_is_not_its_own),
		cmocka_unit_test(pins_that_were_changed_with_virsh_are_told),
		cmocka_unit_test(libvirt_tells_what_proc_hides),
		cmocka_unit_test(the_worst_row_decides_the_exit_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
