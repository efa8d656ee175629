/* SPDX-License-Identifier: MIT */
/* For unit tests of release, drain and undrain, on a live host. */
#ifndef GPUVM_TESTS_KEEPS_H
#define GPUVM_TESTS_KEEPS_H

#include "tests/unit/livehost.h"
#include "vmm/keep.h"

#define KEEPS_FIRST "0000:17:00.0" /* what the first VM gets */
#define KEEPS_GONE  "99999999-2222-3333-4444-555555555555"

static const struct keep_options keeps_mine = { .uri = TESTHV, .lease_directory = LIVEHOST_LEASES };
static const struct keep_options keeps_forced = { .uri = TESTHV,
						  .lease_directory = LIVEHOST_LEASES,
						  .force = true };
static const struct root keeps_here = { .dir = (char *)"", .live = true };

static inline void keeps_end(struct hv *hv, const char *uuid)
{
	struct fail fail = { 0 };

	assert_int_equal(hv_destroy(hv, uuid, &fail), 0);
}

static inline void keeps_assert_records(const char *expected)
{
	CLEANUP(text) char *text = records_text(&keeps_here);

	assert_string_equal(text, expected);
}

#endif
