// SPDX-License-Identifier: MIT
#include "vmm/quarantine.h"

#include <string.h>

#include "tests/unit/records.h"

#define GPU   "0000:17:00.0"
#define SOUND "0000:17:00.1"

static const struct owner alice = { 1000, (char *)"alice" };

/* Puts the function at @address on the bus: its configuration space begins with @vendor (NULL: it may not be
 * read), and @driver has it (NULL: none). */
static void plug(const struct root *root, const char *address, const char *vendor,
		 const char *driver)
{
	CLEANUP(text)
	char *command = text_format("cd '%s' && mkdir -p sys/bus/pci/devices/%s && "
				    "cd sys/bus/pci/devices/%s && rm -f driver config && "
				    "{ [ -z '%s' ] || printf '%s' >config; } && "
				    "{ [ -z '%s' ] || ln -s ../../drivers/%s driver; }",
				    root->dir, address, address, vendor == NULL ? "" : vendor,
				    vendor == NULL ? "" : vendor, driver == NULL ? "" : driver,
				    driver == NULL ? "" : driver);

	assert_int_equal(system(command), 0);
}

#define NVIDIA "\\336\\020\\060\\043"
#define ONES   "\\377\\377\\377\\377"

/* A VM with a GPU of two functions, of which the first was on nvidia and the second on no driver. */
static struct quarantine *end_of_vm(const struct root *root)
{
	struct guest_function functions[] = {
		{ .address = GPU, .driver = (char *)"nvidia", .gpu = GPU },
		{ .address = SOUND, .gpu = GPU },
	};
	char hostdevs[2][DEVICE_ADDRESS_BYTES] = { GPU, SOUND };
	const struct guest guest = { .name = (char *)"train",
				     .uuid = (char *)"11111111-2222-3333-4444-555555555555",
				     .functions = functions,
				     .function_count = COUNT(functions),
				     .hostdevs = hostdevs,
				     .hostdev_count = COUNT(hostdevs) };
	CLEANUP(giveback)
	struct giveback *giveback = giveback_check(
		&guest, root, &(struct giveback_means){ .lease_directory = "/nonexistent" });

	return quarantine_lost(root, &guest, giveback, &alice);
}

static const struct {
	const char *about;
	const char *vendor, *driver; /* of the GPU */
	const char *sound;           /* the other function's vendor; "-": it is gone */
	const char *seen;            /* NULL: it came back */
} ends[] = {
	{ "it came back", NVIDIA, "nvidia", NVIDIA, NULL },
	{ "it is on another driver, which works", NVIDIA, "vfio-pci", NVIDIA, NULL },
	{ "its configuration space may not be read", NULL, "nvidia", NVIDIA, NULL },
	{ "no driver takes it", NVIDIA, NULL, NVIDIA,
	  "no driver takes " GPU " back, which was on nvidia" },
	{ "it does not answer", ONES, "nvidia", NVIDIA,
	  GPU " does not answer: its configuration space reads as all ones" },
	{ "its companion does not answer", NVIDIA, "nvidia", ONES,
	  SOUND " does not answer: its configuration space reads as all ones" },
	{ "its companion is gone", NVIDIA, "nvidia", "-", SOUND " is gone from the PCI bus" },
	{ "nothing answers", ONES, NULL, ONES,
	  GPU " does not answer: its configuration space reads as all ones" },
};

static void lost_gpus_are_quarantined(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ends); i++) {
		CLEANUP(records_host) struct root *root = records_host();
		CLEANUP(quarantine) struct quarantine *quarantine = NULL;
		CLEANUP(record_list) struct record_list *records = NULL;
		const struct record *record;

		print_message("  %s\n", ends[i].about);
		plug(root, GPU, ends[i].vendor, ends[i].driver);
		if (!text_equal(ends[i].sound, "-"))
			plug(root, SOUND, ends[i].sound, NULL);
		quarantine = end_of_vm(root);
		records = record_scan(root);
		assert_int_equal(quarantine->count, ends[i].seen != NULL);
		assert_int_equal(records->count, ends[i].seen != NULL);
		if (ends[i].seen == NULL)
			continue;
		assert_string_equal(quarantine->gpus[0].address, GPU);
		assert_string_equal(quarantine->gpus[0].seen, ends[i].seen);
		assert_int_equal(quarantine->gpus[0].fail.kind, FAIL_NONE);
		record = record_find(records, RECORD_QUARANTINED, GPU);
		assert_string_equal(record->reason, ends[i].seen);
		assert_string_equal(record->vm, "train");
		assert_string_equal(record->user, "alice");
		assert_int_equal(record->function_count, 2);
		assert_string_equal(record->functions[0].driver, "nvidia");
		assert_null(record->functions[1].driver);
	}
}

/* A virtual function's vendor always reads so. */
static void virtual_functions_are_not_asked(void **state)
{
	CLEANUP(records_host) struct root *root = records_host();
	CLEANUP(text) char *link = root_path(root, "/sys/bus/pci/devices/" GPU "/physfn");
	CLEANUP(quarantine) struct quarantine *quarantine = NULL;

	(void)state;
	plug(root, GPU, ONES, "nvidia");
	plug(root, SOUND, NVIDIA, NULL);
	assert_int_equal(symlink(".", link), 0);
	quarantine = end_of_vm(root);
	assert_int_equal(quarantine->count, 0);
}

static void what_cannot_be_recorded_is_told(void **state)
{
	CLEANUP(records_host) struct root *root = records_host();
	CLEANUP(text) char *directory = records_path(root, RECORD_QUARANTINED, "");
	CLEANUP(quarantine) struct quarantine *quarantine = NULL;

	(void)state;
	assert_int_equal(rmdir(directory), 0);
	plug(root, GPU, ONES, "nvidia");
	plug(root, SOUND, NVIDIA, NULL);
	quarantine = end_of_vm(root);
	assert_int_equal(quarantine->count, 1);
	assert_fails(&quarantine->gpus[0].fail, FAIL_HOST, "systemd-tmpfiles");
}

static void only_what_answers_leaves(void **state)
{
	static const struct {
		const char *about;
		const char *vendor, *driver, *sound;
		bool force;
		const char *word; /* NULL: it may leave */
	} cases[] = {
		{ "it is as before", NVIDIA, "nvidia", NVIDIA, false, NULL },
		{ "it does not answer", ONES, "nvidia", NVIDIA, false,
		  GPU " does not answer: its configuration space reads as all ones" },
		{ "it does not answer, by force", ONES, "nvidia", NVIDIA, true, "power cycle" },
		{ "its companion does not answer", NVIDIA, "nvidia", ONES, true,
		  SOUND " does not answer" },
		{ "its companion is gone", NVIDIA, "nvidia", "-", true, SOUND " is gone" },
		{ "it has no driver", NVIDIA, NULL, NVIDIA, false,
		  GPU " was on nvidia before, and is on no driver" },
		{ "the way out", NVIDIA, NULL, NVIDIA, false,
		  "echo " GPU " | sudo tee /sys/bus/pci/drivers/nvidia/bind; gpuvm undrain " GPU },
		{ "it is on another driver", NVIDIA, "nouveau", NVIDIA, false,
		  GPU " was on nvidia before, and is on nouveau" },
		{ "it is on another driver, by force", NVIDIA, "nouveau", NVIDIA, true, NULL },
	};
	struct record_function functions[] = { { GPU, (char *)"nvidia" }, { SOUND, NULL } };
	const struct record record = { .kind = RECORD_QUARANTINED,
				       .address = GPU,
				       .functions = functions,
				       .function_count = 2 };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(records_host) struct root *root = records_host();
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", cases[i].about);
		plug(root, GPU, cases[i].vendor, cases[i].driver);
		if (!text_equal(cases[i].sound, "-"))
			plug(root, SOUND, cases[i].sound, NULL);
		assert_result(quarantine_check(root, &record, NULL, 0, cases[i].force, &fail),
			      &fail, cases[i].word == NULL ? FAIL_NONE : FAIL_HOST, cases[i].word);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_gpus_are_quarantined),
		cmocka_unit_test(virtual_functions_are_not_asked),
		cmocka_unit_test(what_cannot_be_recorded_is_told),
		cmocka_unit_test(only_what_answers_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
