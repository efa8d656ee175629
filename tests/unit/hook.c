// SPDX-License-Identifier: MIT
#include "vmm/hook.h"

#include <string.h>

#include "tests/unit/processes.h"

#define GPU   "0000:17:00.0"
#define SOUND "0000:17:00.1"
#define OTHER "0000:97:00.0"
#define NIC   "0000:17:01.0"
#define MINE  "11111111-2222-3333-4444-555555555555"
#define YOURS "99999999-2222-3333-4444-555555555555"

static void only_one_question_is_answered(void **state)
{
	static const struct {
		size_t count;
		const char *args[5];
		bool is_asked;
	} cases[] = {
		{ 4, { "vm", "prepare", "begin", "-" }, true },
		{ 5, { "vm", "prepare", "begin", "-", "more" }, true },
		{ 4, { "--json", "prepare", "begin", "-" }, true },
		{ 4, { "vm", "start", "begin", "-" }, false },
		{ 4, { "vm", "reconnect", "begin", "-" }, false },
		{ 4, { "vm", "release", "end", "-" }, false },
		{ 4, { "vm", "prepare", "end", "-" }, false },
		{ 4, { "prepare", "begin", "begin", "-" }, false },
		{ 2, { "vm", "prepare" }, false },
		{ 0, { NULL }, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(hook_is_asked((char *const *)cases[i].args, cases[i].count),
				 cases[i].is_asked);
}

/* What a domain asks for, and who has it. */
struct question {
	const char *about;
	const char *hostdevs[3];
	const char *sound_driver, *bridge_driver;
	const char *claimed, *claimed_by; /* a GPU; a UUID, NULL: not readable */
	const char *held;                 /* a function */
	enum holder_kind kind;
	const char *kept; /* a GPU that is held, drained or quarantined */
	enum record_kind kept_as;
	const char *kept_for; /* held: a UUID; NULL: the record is damaged */
	enum fail_kind veto;  /* FAIL_NONE: it may */
	const char *word;
	bool is_ours, is_used; /* the domain is gpuvm's; the host uses the sound function */
};

#define ALL                                                                                        \
	{                                                                                          \
		GPU, SOUND                                                                         \
	}

static const struct question questions[] = {
	{ .about = "free", .hostdevs = ALL, .sound_driver = "snd_hda_intel" },
	{ .about = "its own claim", .hostdevs = ALL, .claimed = GPU, .claimed_by = MINE },
	{ .about = "another's claim",
	  .hostdevs = ALL,
	  .claimed = GPU,
	  .claimed_by = YOURS,
	  .veto = FAIL_BUSY,
	  .word = GPU " is being taken by another start" },
	{ .about = "another's claim, by name",
	  .hostdevs = ALL,
	  .claimed = GPU,
	  .claimed_by = YOURS,
	  .veto = FAIL_BUSY,
	  .word = "VM \"theirs\" by bob (pid 4711)" },
	{ .about = "a claim that cannot be read",
	  .hostdevs = ALL,
	  .claimed = GPU,
	  .veto = FAIL_BUSY,
	  .word = "VM \"?\" by somebody" },
	{ .about = "the sound of a claimed GPU",
	  .hostdevs = { SOUND },
	  .claimed = GPU,
	  .claimed_by = YOURS,
	  .veto = FAIL_BUSY,
	  .word = GPU },
	{ .about = "another GPU is claimed",
	  .hostdevs = ALL,
	  .claimed = OTHER,
	  .claimed_by = YOURS },
	{ .about = "no GPU", .hostdevs = { NIC }, .claimed = GPU, .claimed_by = YOURS },
	{ .about = "no hostdev", .claimed = GPU, .claimed_by = YOURS, .held = GPU },
	{ .about = "a group that is not complete",
	  .hostdevs = { GPU },
	  .sound_driver = "snd_hda_intel",
	  .veto = FAIL_HOST,
	  .word = SOUND " of that group stays on the host's driver snd_hda_intel" },
	{ .about = "the rest of the group on vfio",
	  .hostdevs = { GPU },
	  .sound_driver = "vfio-pci" },
	{ .about = "the rest of the group on no driver", .hostdevs = { GPU } },
	{ .about = "what the host uses by now",
	  .hostdevs = ALL,
	  .sound_driver = "nemo",
	  .is_ours = true,
	  .is_used = true,
	  .veto = FAIL_HOST,
	  .word = "it is on driver nemo as network interface eth7" },
	{ .about = "what the host uses, by another's wish",
	  .hostdevs = ALL,
	  .sound_driver = "nemo",
	  .is_used = true },
	{ .about = "what nothing uses", .hostdevs = ALL, .sound_driver = "nemo", .is_ours = true },
	{ .about = "a bridge on its port's driver", .hostdevs = ALL, .bridge_driver = "pcieport" },
	{ .about = "a bridge on another driver",
	  .hostdevs = ALL,
	  .bridge_driver = "shpchp",
	  .veto = FAIL_HOST,
	  .word = "/sys/bus/pci/drivers/shpchp/unbind" },
	{ .about = "held",
	  .hostdevs = ALL,
	  .held = GPU,
	  .kind = HOLDER_PROCESS,
	  .veto = FAIL_BUSY,
	  .word = "process 812 (sleep) has it open" },
	{ .about = "held in spite of its own claim",
	  .hostdevs = ALL,
	  .claimed = GPU,
	  .claimed_by = MINE,
	  .held = SOUND,
	  .kind = HOLDER_PROCESS,
	  .veto = FAIL_BUSY,
	  .word = "sudo kill 812" },
	{ .about = "what is not asked for is held",
	  .hostdevs = { GPU },
	  .held = SOUND,
	  .kind = HOLDER_PROCESS },
	{ .about = "the group is held",
	  .hostdevs = { GPU },
	  .held = SOUND,
	  .kind = HOLDER_VFIO,
	  .veto = FAIL_BUSY,
	  .word = SOUND " is in use by" },
	{ .about = "virtual functions",
	  .hostdevs = ALL,
	  .held = GPU,
	  .kind = HOLDER_VIRTUAL_FUNCTIONS,
	  .veto = FAIL_BUSY,
	  .word = GPU },
	{ .about = "the console", .hostdevs = ALL, .held = GPU, .kind = HOLDER_CONSOLE },
	{ .about = "another GPU is held", .hostdevs = ALL, .held = OTHER, .kind = HOLDER_VFIO },
	{ .about = "its own hold", .hostdevs = ALL, .kept = GPU, .kept_for = MINE },
	{ .about = "another's hold",
	  .hostdevs = ALL,
	  .kept = GPU,
	  .kept_for = YOURS,
	  .veto = FAIL_BUSY,
	  .word = GPU " is held for VM \"theirs\" of bob" },
	{ .about = "the way out of another's hold",
	  .hostdevs = { SOUND },
	  .kept = GPU,
	  .kept_for = YOURS,
	  .veto = FAIL_BUSY,
	  .word = "gpuvm release " GPU },
	{ .about = "a damaged hold",
	  .hostdevs = ALL,
	  .kept = GPU,
	  .veto = FAIL_BUSY,
	  .word = "it is not JSON" },
	{ .about = "another GPU's hold", .hostdevs = ALL, .kept = OTHER, .kept_for = YOURS },
	{ .about = "drained",
	  .hostdevs = ALL,
	  .kept = GPU,
	  .kept_as = RECORD_DRAINED,
	  .kept_for = MINE,
	  .veto = FAIL_BUSY,
	  .word = GPU " is drained by bob: dust" },
	{ .about = "quarantined",
	  .hostdevs = ALL,
	  .kept = GPU,
	  .kept_as = RECORD_QUARANTINED,
	  .kept_for = MINE,
	  .veto = FAIL_BUSY,
	  .word = "gpuvm undrain " GPU },
	{ .about = "no hostdev of a drained GPU",
	  .hostdevs = { NIC },
	  .kept = GPU,
	  .kept_as = RECORD_DRAINED },
};

static int ask(const struct question *question, struct fail *fail)
{
	struct device devices[] = {
		{ .address = GPU, .iommu_group = 17, .driver = (char *)"nouveau" },
		{ .address = SOUND,
		  .iommu_group = 17,
		  .driver = (char *)question->sound_driver,
		  .use = (char *)"network interface eth7" },
		{ .address = "0000:16:00.0",
		  .iommu_group = 17,
		  .is_bridge = true,
		  .driver = (char *)question->bridge_driver },
		{ .address = OTHER, .iommu_group = 97, .driver = (char *)"nouveau" },
	};
	struct gpu_member members[] = {
		{ &devices[0], GPU_MEMBER_FUNCTION },
		{ &devices[1], question->is_used ? GPU_MEMBER_IN_USE : GPU_MEMBER_FUNCTION },
		{ &devices[2], text_equal(question->bridge_driver, "shpchp") ? GPU_MEMBER_IN_USE
									     : GPU_MEMBER_BRIDGE },
		{ &devices[3], GPU_MEMBER_FUNCTION },
	};
	struct gpu gpus[] = {
		{ .device = &devices[0], .members = members, .member_count = 3 },
		{ .device = &devices[3], .members = members + 3, .member_count = 1 }
	};
	const struct gpu_list list = { gpus, COUNT(gpus) };
	char claimed[1][DEVICE_ADDRESS_BYTES] = { "" };
	struct lease_record record = { .uuid = (char *)question->claimed_by,
				       .gpus = claimed,
				       .gpu_count = question->claimed != NULL };
	const struct lease_records starts = { &record, 1 };
	struct holder holder = { .kind = question->kind,
				 .who = (char *)"process 812 (sleep)",
				 .what = (char *)"has it open",
				 .remedy = (char *)"sudo kill 812" };
	struct record kept = { .kind = question->kept_as,
			       .vm = (char *)"theirs",
			       .user = (char *)"bob",
			       .reason = (char *)"dust",
			       .uuid = (char *)question->kept_for };
	const struct record_list records = { &kept, question->kept != NULL };
	const struct holder_list holders = { &holder, question->held != NULL, 0 };
	char hostdevs[3][DEVICE_ADDRESS_BYTES] = { "" };
	struct guest guest = { .is_ours = question->is_ours,
			       .uuid = (char *)MINE,
			       .hostdevs = hostdevs };

	if (question->claimed_by != NULL) {
		record.name = (char *)"theirs";
		record.user = (char *)"bob";
		record.pid = 4711;
	}
	if (question->claimed != NULL)
		strcpy(claimed[0], question->claimed);
	if (question->kept != NULL)
		strcpy(kept.address, question->kept);
	if (question->kept_as == RECORD_HELD && question->kept_for == NULL)
		kept.problem = (char *)"it is not JSON";
	if (question->held != NULL)
		strcpy(holder.address, question->held);
	for (size_t i = 0; i < COUNT(hostdevs) && question->hostdevs[i] != NULL; i++)
		strcpy(hostdevs[guest.hostdev_count++], question->hostdevs[i]);
	return hook_judge(&guest,
			  &(struct hook_view){ .gpus = &list,
					       .starts = &starts,
					       .holders = &holders,
					       .records = &records },
			  fail);
}

static void each_domain_gets_what_nobody_has(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(questions); i++) {
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", questions[i].about);
		assert_result(ask(&questions[i], &fail), &fail, questions[i].veto,
			      questions[i].word);
	}
}

#define DOMAIN(devices)                                                                            \
	"<domain><name>vm</name><uuid>" MINE                                                       \
	"</uuid><memory unit='KiB'>1024</memory><devices>" devices "</devices></domain>"
#define HOSTDEV(bus)                                                                               \
	"<hostdev type='pci'><source><address domain='0' bus='" bus "' slot='0' function='0'/>"    \
	"</source></hostdev>"

/* The whole way, on a server's snapshot; the GPU at 17:00.0 is on driver nvidia, in group 12 there. */
static void xml_is_judged_on_a_host(void **state)
{
	static const struct {
		const char *about, *xml;
		const char *opened; /* by process 812 */
		enum fail_kind veto;
		const char *word;
	} cases[] = {
		{ "nothing", "", NULL, FAIL_NONE, NULL },
		{ "no XML, no hostdev", "<domain><", NULL, FAIL_NONE, NULL },
		{ "no hostdev, and no memory", "<domain><name>vm</name></domain>", NULL, FAIL_NONE,
		  NULL },
		{ "no hostdev", DOMAIN(""), "/dev/nvidia0", FAIL_NONE, NULL },
		{ "a hostdev of USB", DOMAIN("<hostdev type='usb'/>"), "/dev/nvidia0", FAIL_NONE,
		  NULL },
		{ "no XML, but perhaps a hostdev", "<domain><hostdev", NULL, FAIL_HV,
		  "not well-formed" },
		{ "a free GPU", DOMAIN(HOSTDEV("0x17")), NULL, FAIL_NONE, NULL },
		{ "another node", DOMAIN(HOSTDEV("0x17")), "/dev/nvidiactl", FAIL_NONE, NULL },
		{ "a GPU in use", DOMAIN(HOSTDEV("0x17")), "/dev/nvidia0", FAIL_BUSY,
		  "0000:17:00.0 is in use by process 812 (sleep)" },
		{ "no such function", DOMAIN(HOSTDEV("0xfe")), "/dev/nvidia0", FAIL_NONE, NULL },
	};

	CLEANUP(scratch) char *leases = scratch_new();
	CLEANUP(root) struct root *root = hosts_open("gpu8");
	CLEANUP(text) char *file = text_format("%s/proc/812/fd/3", root->dir);

	(void)state;
	processes_add_sleep(root->dir);
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", cases[i].about);
		unlink(file);
		if (cases[i].opened != NULL)
			processes_open(root->dir, "812", "3", cases[i].opened);
		assert_result(hook_check(root, leases, cases[i].xml, &fail), &fail, cases[i].veto,
			      cases[i].word);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_one_question_is_answered),
		cmocka_unit_test(each_domain_gets_what_nobody_has),
		cmocka_unit_test(xml_is_judged_on_a_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
