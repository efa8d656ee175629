/* SPDX-License-Identifier: MIT */
/* For unit tests of starts and stops that fail or are killed: on a live host, with failhv.h as libvirt. */
#ifndef GPUVM_TESTS_CRASH_H
#define GPUVM_TESTS_CRASH_H

#include "tests/unit/failhv.h"
#include "vmm/finish.h"
#include "vmm/launch.h"

/* Of a file or a name. */
static inline int crash_start(const char *target, struct fail *fail)
{
	const struct launch_options options = livehost_options();
	CLEANUP(launch) struct launch *launch = NULL;

	return launch_start(&options, target, &launch, fail);
}

/* By force. */
static inline int crash_stop(const char *name, struct fail *fail)
{
	const struct finish_options options = { .uri = TESTHV, .force = true, .timeout_s = 0 };
	CLEANUP(finish) struct finish *finish = NULL;

	return finish_stop(&options, name, &finish, fail);
}

static inline bool crash_runs(struct hv *hv, const char *name)
{
	CLEANUP(hv_domains) struct hv_domains *domains = NULL;
	const struct hv_domain *domain;
	struct fail fail = { 0 };

	assert_int_equal(hv_domains_read(hv, &domains, &fail), 0);
	domain = hv_domains_find(domains, name);
	return domain != NULL && domain->is_active;
}

static inline bool crash_gate_is_free(void)
{
	CLEANUP(lease_gate) struct lease_gate *gate = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	return lease_open(LIVEHOST_LEASES, 0, &gate, &fail) == 0;
}

#endif
