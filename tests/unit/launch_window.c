// SPDX-License-Identifier: MIT
/* Plans and starts whose GPUs' BARs need more addresses than the firmware gives by itself. */
#include <string.h>

#include "tests/unit/livehost.h"

#define CPUINFO "/proc/cpuinfo"
#define KNOB    "name=opt/ovmf/X-PciMmio64Mb,string="

static const struct launch_options live = { .uri = TESTHV, .lease_directory = LIVEHOST_LEASES };

/* The host's CPUs have @bits address bits. */
static void set_bits(unsigned bits)
{
	CLEANUP(text)
	char *text = text_format("processor\t: 0\nvendor_id\t: GenuineIntel\n"
				 "flags\t\t: fpu vmx ept pdpe1gb\n"
				 "address sizes\t: %u bits physical, 48 bits virtual\n",
				 bits);

	scratch_fill(CPUINFO, text);
}

/* A VM "vm" with @gpus of the host's H100, each with a BAR of 128 GiB. */
static char *spec_of(unsigned gpus)
{
	CLEANUP(text) char *keys = text_format("count = %u", gpus);

	return livehost_spec_with("vm", keys);
}

/* OVMF of Debian 12: 42 bits are 4096 GiB, 512 of them the window; 4 GPUs need 1025, 2 and 1 need 513 and 257. */
static void a_start_sets_what_is_needed_or_refuses(void **state)
{
	static const struct {
		const char *about;
		unsigned bits, gpus;
		const char *setting; /* NULL: none */
		bool is_refused;
	} cases[] = {
		{ "wide enough", 46, 4, NULL, false },
		{ "one fits", 42, 1, NULL, false },
		{ "two by the knob", 42, 2, KNOB "525312\"", false },
		/* 1025 on a multiple of 1024, twice of that is 2048 */
		{ "four, just not", 41, 4, NULL, true },
		{ "unknown", 0, 4, NULL, false },
		{ "an old default", 40, 1, KNOB "263168\"", false },
		{ "an old default, and two", 40, 2, NULL, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		CLEANUP(text) char *before = testhv_everything(hv);
		CLEANUP(text) char *after = NULL;
		CLEANUP(text) char *spec = spec_of(cases[i].gpus);
		CLEANUP(launch) struct launch *plan = NULL;
		CLEANUP(launch) struct launch *launch = NULL;
		CLEANUP(fail) struct fail fail = { 0 };
		const char *found;

		print_message("  %s\n", cases[i].about);
		set_bits(cases[i].bits);
		assert_works(launch_plan(&live, spec, &plan, &fail), &fail);
		found = strstr(plan->xml, KNOB);
		assert_true((found != NULL) == (cases[i].setting != NULL));
		if (found != NULL)
			assert_memory_equal(found, cases[i].setting, strlen(cases[i].setting));
		assert_int_equal(plan->refusal_count, cases[i].is_refused);
		if (!cases[i].is_refused) {
			assert_works(launch_start(&live, spec, &launch, &fail), &fail);
			assert_true((strstr(launch->xml, KNOB) != NULL) ==
				    (cases[i].setting != NULL));
			assert_int_equal(hv_destroy(hv, launch->uuid, &fail), 0);
			continue;
		}
		assert_fails(&plan->refusals[0], FAIL_HOST, "GPUs' BARs");
		assert_int_equal(launch_start(&live, spec, &launch, &fail), -1);
		assert_fails(&fail, FAIL_HOST, "X-PciMmio64Mb");
		after = testhv_everything(hv);
		assert_true(text_equal(before, after));
		assert_int_equal(livehost_claims(), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_sets_what_is_needed_or_refuses),
	};

	return LIVEHOST_RUN_TESTS(tests, NULL);
}
