// SPDX-License-Identifier: MIT
/* Fuzzes the reader of the host's policy. */
#include <sys/mman.h>

#include "tests/fuzz/messages.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/policy.h"

/* A policy in force keeps something for the host, and names only CPUs that there are. */
static void check_policy(const struct policy *policy)
{
	must(policy->rules.host_memory_bytes_per_node >= 256 * SIZE_MIB, "no memory kept");
	must(policy->host_cpus != NULL || policy->rules.host_cores_per_node >= 1, "no core kept");
	must(policy->host_cpus == NULL || hwloc_bitmap_last(policy->host_cpus) < 4,
	     "CPUs that there are not");
	must(policy->rules.cpus_per_free_gpu <= 1024, "more CPUs than the most");
	must(policy->rules.memory_bytes_per_free_gpu <= 64 * SIZE_TIB, "more memory than the most");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct machine_cpu cpus[4] = {
		{ .os_index = 0 }, { .os_index = 1 }, { .os_index = 2 }, { .os_index = 3 }
	};
	struct machine_node nodes[2] = { { .memory_total_bytes = SIZE_GIB },
					 { .memory_total_bytes = 0 } };
	const struct machine machine = {
		.cpus = cpus, .cpu_count = 4, .nodes = nodes, .node_count = 2
	};
	CLEANUP(fd) int file = memfd_create("policy", MFD_CLOEXEC);
	CLEANUP(text) char *path = text_format("/proc/self/fd/%d", file);
	CLEANUP(policy) struct policy *policy = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	must(write(file, data, length) == (ssize_t)length, "no room for the input");
	messages_check(&fail, policy_read(NULL, path, &machine, &policy, &fail));
	must((policy == NULL) == (fail.kind == FAIL_HOST), "a policy in spite of errors, or none");
	if (policy != NULL)
		check_policy(policy);
	return 0;
}
