/* SPDX-License-Identifier: MIT */
/* For unit tests: starts under way, which have claims on GPUs. */
#ifndef GPUVM_TESTS_LEASES_H
#define GPUVM_TESTS_LEASES_H

#include "tests/unit/scratch.h"
#include "vmm/lease.h"

#define LEASES_MOST_GPUS 3

/* A start of the VM @name, which claims @addresses (NULL ends them) in @directory. */
struct leases_claimer {
	const char *directory, *name, *uuid;
	const char *addresses[LEASES_MOST_GPUS + 1];
};

static inline struct lease_claim *leases_claim(const struct leases_claimer *claimer,
					       struct fail *fail)
{
	CLEANUP(lease_gate) struct lease_gate *gate = NULL;
	char gpus[LEASES_MOST_GPUS][DEVICE_ADDRESS_BYTES] = { "" };
	struct lease_record record = { .name = (char *)claimer->name,
				       .uuid = (char *)claimer->uuid,
				       .user = (char *)"alice",
				       .pid = getpid(),
				       .gpus = gpus,
				       .cpus = hwloc_bitmap_alloc() };
	struct lease_claim *result = NULL;

	while (claimer->addresses[record.gpu_count] != NULL) {
		snprintf(gpus[record.gpu_count], sizeof *gpus, "%s",
			 claimer->addresses[record.gpu_count]);
		record.gpu_count++;
	}
	if (lease_open(claimer->directory, 1000, &gate, fail) == 0)
		(void)lease_take(gate, &record, &result, fail);
	hwloc_bitmap_free(record.cpus);
	return result;
}

/* The claim is not let go: the process that runs this holds it until it ends. */
static inline int leases_hold(const void *data)
{
	struct fail fail = { 0 };

	return leases_claim(data, &fail) == NULL;
}

/* How many GPUs @records are about. */
static inline size_t leases_gpus(const struct lease_records *records)
{
	size_t count = 0;

	for (size_t i = 0; i < records->count; i++)
		count += records->records[i].gpu_count;
	return count;
}

static inline size_t leases_gpus_claimed(const char *directory)
{
	CLEANUP(lease_records) struct lease_records *records = lease_scan(directory);

	return leases_gpus(records);
}

#endif
