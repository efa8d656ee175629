// SPDX-License-Identifier: MIT
#include "topo/console.h"

#include "tests/unit/hosts.h"
#include "tests/unit/place_hosts.h"

/* The host's console, and what else goes along with a GPU: where it is seen, and what plan says of it. */

#define FIRST  "0000:17:00.0"
#define SECOND "0000:18:00.0"

static void the_firmwares_framebuffer_is_found(void **state)
{
	static const struct {
		const char *iomem, *first, *second;
	} cases[] = {
		{ "", NULL, NULL },
		{ "0-0 : PCI Bus 0000:17\\n  0-0 : " FIRST
		  "\\n    0-0 : BOOTFB\\n      0-0 : simpledrm",
		  "BOOTFB", NULL },
		{ "0-0 : " FIRST "\\n  0-0 : nouveau\\n0-0 : " SECOND "\\n  0-0 : efifb", NULL,
		  "efifb" },
		{ "0-0 : PCI Bus 0000:17\\n  0-0 : " FIRST "\\n  0-0 : BOOTFB", NULL, NULL },
		{ "0-0 : " FIRST "\\n0-0 : vesafb\\n  0-0 : simplefb", NULL, NULL },
		{ "0-0 : " FIRST "\\n  0-0 : BOOTFB of another\\nBOOTFB", NULL, NULL },
		{ "0-0 : 0000:99:00.0\\n  0-0 : BOOTFB", NULL, NULL },
		{ "                                                                              "
		  "                                                            0-0 : BOOTFB",
		  NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CLEANUP(text) char *lines = text_format("sys/\nproc/iomem\t%s\n", cases[i].iomem);
		CLEANUP(root) struct root *root = hosts_write("iomem", lines);
		struct device devices[2] = { { .address = FIRST }, { .address = SECOND } };
		struct device_list list = { .devices = devices, .count = 2 };

		print_message("  %zu\n", i);
		console_read(root, &list);
		assert_true(text_equal(devices[0].firmware_framebuffer, cases[i].first));
		assert_true(text_equal(devices[1].firmware_framebuffer, cases[i].second));
		assert_true(device_is_console(&devices[0]) == (cases[i].first != NULL));
		free(devices[0].firmware_framebuffer);
		free(devices[1].firmware_framebuffer);
	}
}

static const struct card cards[] = { { "0000:03:00.0", 0, 1, "Console", "i915" },
				     { "0000:17:00.0", 0, 2, "H100", NULL },
				     { "0000:18:00.0", 0, 2, "H100", "nvidia" },
				     { .address = NULL } };

/* A host whose boot VGA is alone, and whose firmware's framebuffer is on one of a group of two. */
static struct made *make_host(void)
{
	struct made *made = made_host(&desktop, cards);

	made->devices.devices[1].firmware_framebuffer = mem_strdup("BOOTFB");
	gpu_list_free(made->host.gpus);
	made->host.gpus = gpu_list_build(&made->devices);
	return made;
}

static void drop_host(struct made *made)
{
	free(made->devices.devices[1].firmware_framebuffer);
	made_free(made);
}

static void words_never_choose_it(void **state)
{
	struct made *made = make_host();
	const struct gpu_list *gpus = made->host.gpus;

	(void)state;
	assert_int_equal(gpus->count, 3);
	for (size_t i = 0; i < gpus->count; i++)
		assert_int_equal(gpus->gpus[i].offer, GPU_BOOT_VGA);
	assert_non_null(strstr(gpus->gpus[1].offer_reason, "framebuffer (BOOTFB)"));
	assert_non_null(strstr(gpus->gpus[2].offer_reason, FIRST));
	drop_host(made);
}

static bool has_reason(const struct placement *placement, const char *words)
{
	for (size_t i = 0; i < placement->reason_count; i++)
		if (strstr(placement->reasons[i].why, words) != NULL)
			return true;
	return false;
}

static void an_address_needs_a_word_for_it(void **state)
{
	static const struct {
		const char *addresses[2];
		unsigned count;
		bool allow;
		const char *words; /* of the refusal, or of a reason */
	} cases[] = {
		{ { "0000:03:00.0" }, 1, false, "0000:03:00.0: the host's console is on it" },
		{ { "0000:03:00.0" },
		  1,
		  true,
		  "the host's screen on 0000:03:00.0 goes dark when the VM starts; driver i915" },
		{ { FIRST, SECOND }, 2, false, FIRST ": the host's console is on it" },
		{ { FIRST, SECOND }, 2, true, FIRST " goes dark when the VM starts, and stays" },
		{ { SECOND }, 1, true, "goes only together with " FIRST },
	};
	const struct place_taken nothing = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct made *made = make_host();
		const struct place_gpu_request gpus = { .count = cases[i].count,
							.addresses = cases[i].addresses,
							.address_count = cases[i].count,
							.allow_boot_vga = cases[i].allow,
							.file = "a.ini",
							.address_line = 4,
							.label = "[gpu]" };
		const struct place_request request = {
			.vcpus = 2, .memory_bytes = SIZE_GIB, .gpus = &gpus, .gpu_count = 1
		};
		CLEANUP(placement) struct placement *placement = NULL;
		CLEANUP(fail) struct fail fail = { 0 };
		int result = place(&request, &made->host, &nothing, &placement, &fail);

		print_message("  %zu\n", i);
		if (result == 0) {
			assert_true(cases[i].allow);
			assert_true(has_reason(placement, cases[i].words));
			assert_int_equal(placement->gpu_count, cases[i].count);
			assert_true(placement->gpus[0].allow_boot_vga);
		} else {
			assert_int_equal(fail.kind, FAIL_SPEC);
			assert_int_equal(fail.item_count, 1);
			assert_non_null(strstr(fail.items[0].what, cases[i].words));
			assert_int_equal(fail.items[0].line, 4);
			assert_true(!cases[i].allow || cases[i].count == 1);
		}
		drop_host(made);
	}
}

/* A group is explained once: who goes together, and what the host loses. */
static void a_group_is_explained(void **state)
{
	static const struct card group[] = { { "0000:17:00.0", 0, 2, "H100", NULL },
					     { "0000:18:00.0", 0, 2, "H100", "nvidia" },
					     { "0000:19:00.0", 0, 2, "Audio", "snd_hda_intel" },
					     { "0000:1a:00.0", 0, 2, "Audio", "vfio-pci" },
					     { .address = NULL } };
	struct made *made = made_host(&desktop, group);
	const struct place_gpu_request gpus = { .count = 2, .label = "[gpu]" };
	const struct place_request request = {
		.vcpus = 2, .memory_bytes = SIZE_GIB, .gpus = &gpus, .gpu_count = 1
	};
	const struct place_taken nothing = { 0 };
	CLEANUP(placement) struct placement *placement = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	unsigned explained = 0;

	(void)state;
	made->devices.devices[2].is_idle = true;
	made->devices.devices[2].use = (char *)"what nobody hears";
	gpu_list_free(made->host.gpus);
	made->host.gpus = gpu_list_build(&made->devices);
	assert_int_equal(place(&request, &made->host, &nothing, &placement, &fail), 0);
	for (size_t i = 0; i < placement->reason_count; i++)
		explained += strstr(placement->reasons[i].why, "group 2") != NULL;
	assert_int_equal(explained, 2);
	assert_true(has_reason(placement, FIRST " and " SECOND " share IOMMU group 2"));
	assert_true(has_reason(placement, "the host does without 0000:19:00.0 (driver "
					  "snd_hda_intel, what nobody hears) while"));
	made_free(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_firmwares_framebuffer_is_found),
		cmocka_unit_test(words_never_choose_it),
		cmocka_unit_test(an_address_needs_a_word_for_it),
		cmocka_unit_test(a_group_is_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
