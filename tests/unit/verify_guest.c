// SPDX-License-Identifier: MIT
/* Guests' answers to gpuvm verify: the scripts in the shells that there are, and answers of hostile guests. */
#include "tests/unit/verifies.h"

static struct verify_guest *parsed(const char *text, size_t length)
{
	const char *problem = NULL;
	struct verify_guest *guest = verify_guest_parse(text, length, &problem);

	assert_true(guest != NULL || (problem != NULL && *problem != '\0'));
	return guest;
}

static struct verify_drivers *parsed_drivers(const char *text, size_t length)
{
	const char *problem = NULL;
	struct verify_drivers *drivers = verify_drivers_parse(text, length, &problem);

	assert_true(drivers != NULL || (problem != NULL && *problem != '\0'));
	return drivers;
}

static void an_answer_is_read(void **state)
{
	CLEANUP(verify_guest)
	struct verify_guest *guest = parsed(VERIFIES_INSIDE, strlen(VERIFIES_INSIDE));
	const struct verify_device *gpu;

	(void)state;
	assert_non_null(guest);
	assert_int_equal(guest->count, 4);
	gpu = &guest->devices[1];
	assert_string_equal(gpu->address, "0000:21:00.0");
	assert_string_equal(gpu->parent, "0000:20:00.0");
	assert_string_equal(gpu->root_bus, "pci0000:20");
	assert_string_equal(gpu->driver, "nvidia");
	assert_int_equal(gpu->depth, 1);
	assert_int_equal(gpu->class_id, 0x0302);
	assert_int_equal(gpu->bars[2].size_bytes, 128ULL << 30);
	assert_true(gpu->bars[2].is_assigned);
	assert_int_equal(gpu->bars[1].size_bytes, 0);
	assert_int_equal(guest->devices[0].depth, 0);
	assert_string_equal(guest->devices[0].parent, "");
}

/* Cut at any byte, an answer is none. */
static void a_part_of_an_answer_is_none(void **state)
{
	static const char inside[] = VERIFIES_INSIDE;
	static const char drivers[] = VERIFIES_DRIVERS;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof inside; i++) {
		CLEANUP(text) char *part = mem_strndup(inside, i);

		assert_null(parsed(part, i));
	}
	for (size_t i = 0; i + 1 < sizeof drivers; i++) {
		CLEANUP(text) char *part = mem_strndup(drivers, i);

		assert_null(parsed_drivers(part, i));
	}
}

static const struct {
	const char *what, *from, *to;
} hostile[] = {
	{ "another beginning", "gpuvm-verify 1", "gpuvm-verify 2" },
	{ "more behind the end", "end\n", "end\nend\n" },
	{ "no such address", "pci 0000:21:00.0", "pci 0000:21:20.0" },
	{ "an address that goes on", "pci 0000:21:00.0", "pci 0000:21:00.0/../../.." },
	{ "an id that is too long", "vendor 0x10de", "vendor 0x110de" },
	{ "an id that is none", "vendor 0x10de", "vendor 10de" },
	{ "an empty id", "vendor 0x10de", "vendor " },
	{ "a negative class", "class 0x030200", "class -1" },
	{ "a node that is none", "node 0", "node zero" },
	{ "a node that is too large", "node 0", "node 99999999999999999999" },
	{ "a node below -1", "node 0", "node -2" },
	{ "a field that is not there", "sleep active\n", "" },
	{ "a field twice", "sleep active\n", "sleep active\nsleep active\n" },
	{ "a path that leads elsewhere", "../../../devices/pci0000:20/", "/etc/" },
	{ "a path of another function", "0000:20:00.0/0000:21:00.0", "0000:20:00.0/0000:22:00.0" },
	{ "a path without an end", "pci0000:20/0000:20:00.0\n", "pci0000:20\n" },
	{ "a bus with a long name", "pci0000:20/0000:20:00.0\n",
	  "pci0000:2000000000000000000/0000:20:00.0\n" },
	{ "a BAR that ends before it begins", "bar 0x0000380000000000 0x0000380000ffffff",
	  "bar 0x0000380000000000 0x0000000000ffffff" },
	{ "a BAR of words", "bar 0x0000380000000000", "bar 0xlarge" },
	{ "a BAR of two numbers", " 0x000000000014220c\n", "\n" },
	{ "a BAR of four numbers", " 0x000000000014220c\n", " 0x000000000014220c 0x0\n" },
	{ "a BAR with a number that is too long", "0x0000380000000000", "0x00003800000000000" },
	{ "a seventh BAR", VERIFIES_BARS,
	  VERIFIES_BARS "bar 0x0000000000000000 0x0000000000000000 0x0000000000000000\n" },
	{ "BARs before any function", "gpuvm-verify 1\n", "gpuvm-verify 1\n" VERIFIES_BARS },
	{ "a function by halves", "end\n", "pci 0000:99:00.0\nend\n" },
	{ "an empty line", "end\n", "\nend\n" },
	{ "carriage returns", "node 0\n", "node 0\r\n" },
};

static void a_hostile_answer_is_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hostile); i++) {
		CLEANUP(text)
		char *text = verifies_edited(VERIFIES_INSIDE, hostile[i].from, hostile[i].to);
		CLEANUP(verify_guest) struct verify_guest *guest = parsed(text, strlen(text));

		if (guest != NULL)
			fail_msg("%s is taken", hostile[i].what);
	}
}

static const struct {
	const char *what, *from, *to;
} hostile_drivers[] = {
	{ "a tool that nobody asked for", "tool nvidia-smi", "tool rm" },
	{ "an exit code that is none", "tool nvidia-smi 0 2", "tool nvidia-smi 256 2" },
	{ "a count that is none", "tool nvidia-smi 0 2", "tool nvidia-smi 0 -2" },
	{ "a count that goes on", "tool nvidia-smi 0 2", "tool nvidia-smi 0 2 3" },
	{ "words before a tool", "tool nvidia-smi 0 2\n", "" },
	{ "words twice", "said ==NVSMI LOG==\n", "said x\nsaid x\n" },
	{ "messages before they are announced", "messages\n", "" },
	{ "messages announced twice", "messages\n", "messages\nmessages\n" },
	{ "another line", "messages\n", "messages\nlines\n" },
};

static void a_hostile_answer_of_drivers_is_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hostile_drivers); i++) {
		CLEANUP(text)
		char *text = verifies_edited(VERIFIES_DRIVERS, hostile_drivers[i].from,
					     hostile_drivers[i].to);
		CLEANUP(verify_drivers)
		struct verify_drivers *drivers = parsed_drivers(text, strlen(text));

		if (drivers != NULL)
			fail_msg("%s is taken", hostile_drivers[i].what);
	}
}

/* More than any guest has: refused, not stored. */
static void an_answer_has_bounds(void **state)
{
	CLEANUP(text) char *many = mem_strdup("gpuvm-drivers 1\nmessages\n");
	CLEANUP(text) char *large = mem_alloc((2 << 20) + 64, 1);
	char nul[] = VERIFIES_INSIDE;

	(void)state;
	for (size_t i = 0; i < VERIFY_MOST_MESSAGES + 1; i++)
		text_add(&many, "line x\n");
	text_add(&many, "end\n");
	assert_null(parsed_drivers(many, strlen(many)));
	memset(large, 'x', (2 << 20) + 32);
	memcpy(large, "gpuvm-drivers 1\nmessages\nline ", 30);
	memcpy(large + (2 << 20) + 32 - 5, "\nend\n", 5);
	assert_null(parsed_drivers(large, strlen(large)));
	nul[100] = '\0';
	assert_null(parsed(nul, sizeof nul - 1));
}

/* What is shown of it cannot steer a terminal, and is short. */
static void a_guests_words_are_printable(void **state)
{
	CLEANUP(text) char *long_word = mem_alloc(5000, 1);
	CLEANUP(text) char *text = NULL;
	CLEANUP(verify_drivers) struct verify_drivers *drivers = NULL;

	(void)state;
	memset(long_word, 'x', 4999);
	text = text_format("gpuvm-drivers 1\ntool nvidia-smi 9 0\nsaid \x1b[2J\xff%s\nmessages\n"
			   "line \x1b]0;x\x07%s\nend\n",
			   long_word, long_word);
	drivers = parsed_drivers(text, strlen(text));
	assert_non_null(drivers);
	assert_true(text_starts(drivers->tools[0].said, "\\x1b[2J\\xff"));
	assert_true(strlen(drivers->tools[0].said) <= 300);
	assert_true(text_starts(drivers->messages[0], "\\x1b]0;x\\x07"));
	assert_true(strlen(drivers->messages[0]) <= 300);
}

/* @script run by @shell in a PATH of @tools, on this machine. The caller frees. */
static char *run_script(const char *shell, const char *script, const char *tools)
{
	CLEANUP(scratch) char *directory = scratch_new();
	CLEANUP(text) char *file = scratch_write(directory, "script", script);
	CLEANUP(text)
	char *command = text_format("PATH=%s:$PATH %s %s", tools, shell, file);
	FILE *pipe = popen(command, "r");
	char *text = mem_alloc(1 << 20, 1);
	size_t length;

	assert_non_null(pipe);
	length = fread(text, 1, (1 << 20) - 1, pipe);
	text[length] = '\0';
	assert_int_equal(pclose(pipe), 0);
	return text;
}

static const char *const shells[] = { "sh", "dash", "bash", "busybox sh" };

static bool has_shell(const char *shell)
{
	CLEANUP(text) char *command = text_format("%s -c true >/dev/null 2>&1", shell);

	return system(command) == 0;
}

static void the_scripts_run_in_every_shell(void **state)
{
	CLEANUP(scratch) char *tools = scratch_new();
	CLEANUP(text)
	char *smi = scratch_write(
		tools, "nvidia-smi",
		"#!/bin/sh\necho '=====NVSMI \\n LOG====='\necho 'Attached GPUs : 2'\n"
		"echo 'GPU 00000000:21:00.0'\necho '    GPU Part Number : x'\n"
		"echo 'GPU 00000000:31:00.0'\nexit 3\n");
	CLEANUP(text)
	char *rocm = scratch_write(tools, "rocm-smi",
				   "#!/bin/sh\necho 'GPU[0] : Device Name: a'\n"
				   "echo 'GPU[0] : Device ID: b'\necho 'GPU[1] : Device ID: c'\n");
	CLEANUP(text)
	char *dmesg = scratch_write(tools, "dmesg",
				    "#!/bin/sh\necho 'NVRM: Xid (PCI:0000:21:00): 79 a\\nb'\n"
				    "echo 'usb 1-1: new device'\n");

	(void)state;
	assert_int_equal(chmod(smi, 0755) + chmod(rocm, 0755) + chmod(dmesg, 0755), 0);
	for (size_t i = 0; i < COUNT(shells); i++) {
		CLEANUP(text) char *inside = NULL;
		CLEANUP(text) char *text = NULL;
		CLEANUP(verify_guest) struct verify_guest *guest = NULL;
		CLEANUP(verify_drivers) struct verify_drivers *drivers = NULL;

		if (!has_shell(shells[i]))
			continue;
		inside = run_script(shells[i], verify_guest_script, tools);
		if (access("/sys/bus/pci/devices", R_OK) == 0) {
			guest = parsed(inside, strlen(inside));
			assert_non_null(guest);
		}
		text = run_script(shells[i], verify_drivers_script, tools);
		drivers = parsed_drivers(text, strlen(text));
		if (drivers == NULL)
			fail_msg("%s: %s", shells[i], text);
		assert_int_equal(drivers->tool_count, 2);
		assert_string_equal(drivers->tools[0].name, "nvidia-smi");
		assert_int_equal(drivers->tools[0].exit_code, 3);
		assert_int_equal(drivers->tools[0].gpu_count, 2);
		assert_string_equal(drivers->tools[1].name, "rocm-smi");
		assert_int_equal(drivers->tools[1].exit_code, 0);
		assert_int_equal(drivers->tools[1].gpu_count, 2);
		/* Busybox takes its own dmesg. */
		if (text_starts(shells[i], "busybox"))
			continue;
		assert_true(drivers->has_messages);
		assert_int_equal(drivers->message_count, 1);
		assert_true(text_starts(drivers->messages[0], "NVRM: Xid (PCI:0000:21:00): 79"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_read),
		cmocka_unit_test(a_part_of_an_answer_is_none),
		cmocka_unit_test(a_hostile_answer_is_none),
		cmocka_unit_test(a_hostile_answer_of_drivers_is_none),
		cmocka_unit_test(an_answer_has_bounds),
		cmocka_unit_test(a_guests_words_are_printable),
		cmocka_unit_test(the_scripts_run_in_every_shell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
