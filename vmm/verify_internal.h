/* SPDX-License-Identifier: MIT */
/*
 * For the verify*.c files and their tests: what was read, and the checks on it. Checks are pure functions: they
 * read nothing themselves.
 */
#ifndef GPUVM_VMM_VERIFY_INTERNAL_H
#define GPUVM_VMM_VERIFY_INTERNAL_H

#include <sys/types.h>

#include "topo/health.h"
#include "topo/holder.h"
#include "topo/host.h"
#include "topo/numa_maps.h"
#include "topo/pcie.h"
#include "topo/thread.h"
#include "vmm/guest.h"
#include "vmm/guest_plan.h"
#include "vmm/verify.h"
#include "vmm/verify_guest.h"

/* A function that the VM was given, as recorded; or the port above one of its GPUs. */
struct verify_function {
	char address[DEVICE_ADDRESS_BYTES];
	const struct device *device;         /* the host's; NULL: it has no such function */
	const struct gpu *gpu;               /* if it is a GPU's own function; else NULL */
	const struct guest_hostdev *hostdev; /* of the live domain; NULL: it has none of it */
	struct health *health;               /* NULL without device */
	bool is_port;
};

/* The CPUs that a vCPU may run on, from libvirt, where /proc hides the threads. */
struct verify_affinity {
	hwloc_bitmap_t *vcpus; /* by vCPU */
	size_t count;          /* 0: not asked, or not told */
};

struct verify_evidence {
	char *name, *uuid;
	struct host *host;
	struct guest *guest;      /* live */
	struct guest *definition; /* NULL: it has none, or it is not told */
	struct guest_plan *plan;
	struct pcie *pcie;
	struct holder_list *holders;       /* of the VM's GPUs */
	struct verify_function *functions; /* GPUs' first functions before ports */
	size_t function_count;
	pid_t pid;        /* of its QEMU; 0: not found */
	char *pid_source; /* where that was found: a path */
	struct thread_list *threads;
	struct verify_affinity affinity;
	struct numa_maps *maps;               /* NULL: not readable */
	char *maps_problem;                   /* why */
	struct verify_guest *inside;          /* NULL: the guest did not tell */
	struct verify_drivers *drivers;       /* NULL: the same */
	char *inside_problem, *inside_hint;   /* why; both NULL if it was not asked, or told all */
	char *drivers_problem, *drivers_hint; /* the same of drivers */
	bool host_only;
};

/* Reads the host's part for the live domain @xml of @guest, which it takes. Cannot fail, but see the NULLs. */
struct verify_evidence *verify_evidence_read(const struct root *root, struct host *host,
					     struct guest *guest, const char *xml);
void verify_evidence_free(struct verify_evidence *evidence);
CLEANUP_DEFINE(verify_evidence, struct verify_evidence, verify_evidence_free)

/* The guest's function that is @hostdev, by its place if it has one; NULL: it is not there. Borrows. */
const struct verify_device *verify_device_at(const struct verify_guest *inside,
					     const struct guest_hostdev *hostdev);

/* A file of the guest's function @address, for people. The caller frees. */
char *verify_inside_path(const char *address, const char *file);

typedef void verify_check(const struct verify_evidence *evidence, struct findings *findings);

/* On the host: the GPU and its functions (verify_gpu.c). */
verify_check verify_check_driver, verify_check_holder, verify_check_width, verify_check_speed,
	verify_check_power, verify_check_errors;
/* Threads, memory, the domain itself. */
verify_check verify_check_process, verify_check_vcpus, verify_check_emulator, verify_check_memory,
	verify_check_definition;
/* In the guest (verify_inside.c, verify_inside_drivers.c). */
verify_check verify_check_agent, verify_check_count, verify_check_ids, verify_check_bars,
	verify_check_node, verify_check_port, verify_check_guest_driver, verify_check_tools,
	verify_check_messages;

/* Makes all checks on @evidence. Cannot fail. */
struct findings *verify_judge_evidence(const struct verify_evidence *evidence);

#endif
