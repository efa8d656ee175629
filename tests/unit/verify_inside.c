// SPDX-License-Identifier: MIT
/* The guest's side of gpuvm verify: each thing that may be wrong in what a guest tells, and what comes of none. */
#include "tests/unit/verifies.h"

struct told {
	const char *what, *from,
		*to; /* of VERIFIES_INSIDE or VERIFIES_DRIVERS; the first is replaced */
	enum finding_state state;
	const char *check, *word;
};

#define BAR2 "bar 0x0000382000000000 0x0000383fffffffff 0x000000000014220c\n"
#define ZERO "bar 0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
#define SPARE                                                                                      \
	VERIFIES_FUNCTION("0000:01:00.0", "vendor 0x1013\ndevice 0x00b8\nclass 0x030000\n", "0",   \
			  "pci0000:00/0000:01:00.0", "")

static const struct told inside[] = {
	{ "a BAR that was not assigned", BAR2, ZERO, FINDING_FAILED, "guest BARs",
	  "0000:17:00.0 BAR 2 of 128 GiB is not assigned" },
	{ "a BAR that Linux could not place", BAR2,
	  "bar 0x0000000000000000 0x0000001fffffffff 0x000000002014220c\n", FINDING_FAILED,
	  "guest BARs", "BAR 2 of 128 GiB is not assigned" },
	{ "a BAR with an address that is none", BAR2,
	  "bar 0x0000382000000000 0x0000383fffffffff 0x000000002014220c\n", FINDING_FAILED,
	  "guest BARs", "BAR 2 of 128 GiB is not assigned" },
	{ "a smaller BAR", BAR2, "bar 0x0000382000000000 0x000038200fffffff 0x000000000014220c\n",
	  FINDING_FAILED, "guest BARs", "BAR 2 has 256 MiB of 128 GiB" },
	{ "another node", "class 0x030200\nnode 0", "class 0x030200\nnode 1", FINDING_FAILED,
	  "guest node", "0000:17:00.0 1 0 " },
	{ "no node", "class 0x030200\nnode 0", "class 0x030200\nnode -1", FINDING_FAILED,
	  "guest node", "-1 0 " },
	{ "a kernel without NUMA", "class 0x030200\nnode 0", "class 0x030200\nnode ", FINDING_NOTE,
	  "guest node", "knows no nodes" },
	{ "another GPU beside them", "end\n", SPARE "end\n", FINDING_FAILED, "guest GPUs",
	  " 3 2 " },
	{ "another card in its place", "device 0x2330", "device 0x2331", FINDING_FAILED,
	  "guest ids", "10de:2331 at 0000:21:00.0 10de:2330" },
	{ "something that is no port above it", VERIFIES_PORT_IDS,
	  "vendor 0x1b36\ndevice 0x000c\nclass 0x068000\n", FINDING_FAILED, "guest port",
	  "0000:20:00.0, which is no port" },
	{ "no driver", "../../../../bus/pci/drivers/nvidia", "", FINDING_WARNING, "guest driver",
	  "install NVIDIA's driver" },
};

#define TOOL    "tool nvidia-smi 0 2\nsaid ==NVSMI LOG==\n"
#define LOADING "line [    3.1] NVRM: loading NVIDIA UNIX Open Kernel Module\n"

static const struct told drivers[] = {
	{ "a GPU that nvidia-smi does not list", TOOL, "tool nvidia-smi 0 1\nsaid x\n",
	  FINDING_FAILED, "guest tools", "exit 0, 1 GPUs exit 0, 2 GPUs" },
	{ "nvidia-smi fails", TOOL, "tool nvidia-smi 9 0\nsaid No devices were found\n",
	  FINDING_FAILED, "guest tools", "exit 9, 0 GPUs: No devices were found" },
	{ "no nvidia-smi", TOOL, "", FINDING_NOTE, "guest tools", "does not have it" },
	{ "a tool of another vendor", TOOL, TOOL "tool rocm-smi 1 0\nsaid no\n", FINDING_OK, NULL,
	  NULL },
	{ "off the bus", LOADING,
	  "line NVRM: Xid (PCI:0000:21:00): 79, pid=12, GPU has fallen off the bus.\n",
	  FINDING_FAILED, "guest messages", "fallen off the bus" },
	{ "a double bit error", LOADING, "line NVRM: Xid (PCI:0000:21:00): 48, pid=12, DBE\n",
	  FINDING_FAILED, "guest messages", "48, pid" },
	{ "a program's fault", LOADING, "line NVRM: Xid (PCI:0000:21:00): 31, pid=12, MMU Fault\n",
	  FINDING_WARNING, "guest messages", "31, pid" },
	{ "a ring timeout", LOADING, "line amdgpu 0000:21:00.0: *ERROR* ring gfx_0.0.0 timeout\n",
	  FINDING_WARNING, "guest messages", "ring gfx" },
	{ "no space", LOADING,
	  "line pci 0000:21:00.0: BAR 2 [mem size 0x2000000000 64bit pref]: can't assign; no space\n",
	  FINDING_WARNING, "guest messages", "can't assign" },
	{ "no space for ports", LOADING,
	  "line pci 0000:00:02.0: bridge window [io  size 0x1000]: can't assign; no space\n",
	  FINDING_OK, NULL, NULL },
	{ "a driver that gives up", LOADING,
	  "line nvidia 0000:21:00.0: probe with driver nvidia failed with error -1\n",
	  FINDING_FAILED, "guest messages", "failed with error -1" },
	{ "another device's driver gives up", LOADING,
	  "line foo 0000:99:00.0: probe with driver foo failed with error -1\n", FINDING_OK, NULL,
	  NULL },
	{ "messages that cannot be read", "messages\n" LOADING, "", FINDING_NOT_CHECKED,
	  "guest messages", "util-linux" },
};

static void try_one(const struct root *root, const struct told *told, const char *inside_text,
		    const char *drivers_text)
{
	CLEANUP(verify_evidence)
	struct verify_evidence *evidence = verifies_read(root, VERIFIES_XML);
	CLEANUP(findings) struct findings *findings = NULL;

	verifies_tell(evidence, inside_text, drivers_text);
	findings = verify_judge_evidence(evidence);
	if (told->check == NULL) {
		if (findings_count(findings, FINDING_FAILED) +
			    findings_count(findings, FINDING_WARNING) >
		    0) {
			verifies_print(findings);
			fail_msg("%s", told->what);
		}
		return;
	}
	if (told->state == FINDING_NOTE) {
		bool is_there = false;

		for (size_t i = 0; i < findings->count; i++)
			is_there = is_there ||
				   (findings->rows[i].state == FINDING_NOTE &&
				    text_equal(findings->rows[i].check, told->check) &&
				    strstr(findings->rows[i].found, told->word) != NULL);
		assert_true(is_there);
		assert_int_equal(findings_count(findings, FINDING_FAILED), 0);
		return;
	}
	verifies_assert(findings, told->state, told->check, told->word);
	if (told->state != FINDING_FAILED)
		assert_int_equal(findings_count(findings, FINDING_FAILED), 0);
}

static void each_thing_that_a_guest_lacks_is_told(void **state)
{
	CLEANUP(root) struct root *root = verifies_open("told");

	(void)state;
	for (size_t i = 0; i < COUNT(inside); i++) {
		CLEANUP(text)
		char *text = verifies_edited(VERIFIES_INSIDE, inside[i].from, inside[i].to);

		try_one(root, &inside[i], text, VERIFIES_DRIVERS);
	}
}

static void each_fault_that_its_drivers_tell_is_told(void **state)
{
	CLEANUP(root) struct root *root = verifies_open("told");

	(void)state;
	for (size_t i = 0; i < COUNT(drivers); i++) {
		CLEANUP(text)
		char *text = verifies_edited(VERIFIES_DRIVERS, drivers[i].from, drivers[i].to);

		try_one(root, &drivers[i], VERIFIES_INSIDE, text);
	}
}

/* A GPU that is gone fails by number, ids, BARs, node and port; it is named each time. */
static void a_gpu_that_the_guest_does_not_see_is_told(void **state)
{
	CLEANUP(root) struct root *root = verifies_open("unseen");
	CLEANUP(verify_evidence)
	struct verify_evidence *evidence = verifies_read(root, VERIFIES_XML);
	CLEANUP(findings) struct findings *findings = NULL;
	CLEANUP(text)
	char *text = text_format("%.*send\n",
				 (int)(strstr(VERIFIES_INSIDE, "pci 0000:31") - VERIFIES_INSIDE),
				 VERIFIES_INSIDE);

	(void)state;
	verifies_tell(evidence, text, VERIFIES_DRIVERS);
	findings = verify_judge_evidence(evidence);
	assert_int_equal(findings_count(findings, FINDING_FAILED), 5);
	for (size_t i = 0; i < findings->count; i++)
		if (findings->rows[i].state == FINDING_FAILED &&
		    !text_equal(findings->rows[i].check, "guest GPUs")) {
			assert_string_equal(findings->rows[i].subject, "0000:97:00.0");
			assert_string_equal(findings->rows[i].found,
					    "the guest has nothing behind root port 0000:30:00.0");
		}
}

/* What the guest itself puts to sleep is no fault; the host cannot tell the two apart. */
static void a_gpu_that_the_guest_put_to_sleep_is_no_failure(void **state)
{
	CLEANUP(root) struct root *root = verifies_open("sleep");
	CLEANUP(verify_evidence) struct verify_evidence *evidence = NULL;
	CLEANUP(findings) struct findings *findings = NULL;
	CLEANUP(text)
	char *text = verifies_edited(VERIFIES_INSIDE, "class 0x030200\nnode 0\nsleep active",
				     "class 0x030200\nnode 0\nsleep suspended");

	(void)state;
	verifies_set(root->dir, "0000:17:00.0", "power_state", "D3hot\n");
	evidence = verifies_read(root, VERIFIES_XML);
	verifies_tell(evidence, text, VERIFIES_DRIVERS);
	findings = verify_judge_evidence(evidence);
	assert_int_equal(findings_count(findings, FINDING_FAILED), 0);
}

static void without_an_agent_nothing_of_the_guest_is_checked(void **state)
{
	CLEANUP(root) struct root *root = verifies_open("mute");
	CLEANUP(verify_evidence)
	struct verify_evidence *evidence = verifies_read(root, VERIFIES_XML);
	CLEANUP(findings) struct findings *findings = NULL;
	CLEANUP(findings) struct findings *host = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	evidence->inside_problem = mem_strdup("no agent");
	evidence->inside_hint = mem_strdup("install qemu-guest-agent");
	findings = verify_judge_evidence(evidence);
	assert_int_equal(findings_count(findings, FINDING_FAILED), 0);
	assert_int_equal(findings_count(findings, FINDING_NOT_CHECKED), 9);
	assert_int_equal(verify_judge(findings, &fail), -1);
	assert_fails(&fail, FAIL_HOST, "no agent");
	assert_string_equal(fail.items[0].hint, "install qemu-guest-agent");
	evidence->host_only = true;
	host = verify_judge_evidence(evidence);
	for (size_t i = 0; i < host->count; i++)
		assert_string_equal(host->rows[i].scope, "host");
	assert_int_equal(findings_count(host, FINDING_NOT_CHECKED), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_thing_that_a_guest_lacks_is_told),
		cmocka_unit_test(each_fault_that_its_drivers_tell_is_told),
		cmocka_unit_test(a_gpu_that_the_guest_does_not_see_is_told),
		cmocka_unit_test(a_gpu_that_the_guest_put_to_sleep_is_no_failure),
		cmocka_unit_test(without_an_agent_nothing_of_the_guest_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
