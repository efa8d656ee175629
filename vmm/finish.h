/* SPDX-License-Identifier: MIT */
/* The end of a VM: stopping it, and forgetting it. Only gpuvm's own, and another user's only by force. */
#ifndef GPUVM_VMM_FINISH_H
#define GPUVM_VMM_FINISH_H

#include <stdbool.h>

#include "vmm/aftermath.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/giveback.h"
#include "vmm/guest.h"
#include "vmm/quarantine.h"

#define FINISH_TIMEOUT_S 120
/* For a QEMU that was killed to end: a function has 65 s to come back from a reset (drivers/pci/pci.c of Linux 6.12,
 * PCIE_RESET_READY_POLL_MS), and vfio-pci, which closes it, has it reset four times, as seen with one that never does. */
#define FINISH_KILL_TIMEOUT_S 300

/* A guest that still boots misses its power button: nobody has listened yet. So it is pressed again, as often as Nova
 * does (nova.conf, compute.shutdown_retry_interval). */
#define FINISH_ASK_AGAIN_S 10

struct finish_options {
	const char *uri;      /* NULL: HV_URI_DEFAULT */
	bool disks;           /* delete: what gpuvm made for it too */
	bool force;           /* another user's VM too; cut the power if the guest does not go */
	unsigned timeout_s;   /* how long the guest may take to shut down */
	unsigned ask_again_s; /* after so long without an answer; 0: FINISH_ASK_AGAIN_S */
	unsigned
		kill_timeout_s; /* how long QEMU may take to end when it was killed; 0: FINISH_KILL_TIMEOUT_S */
	/* Told every second who is waited for ("a, b"), in which state ("shutting down"), and how long; may be NULL. */
	void (*countdown)(void *data, const char *names, const char *state, unsigned left_s);
	void *countdown_data;
};

enum finish_outcome {
	FINISH_STOPPED, /* the guest went by itself */
	FINISH_FORCED,  /* its power was cut */
	FINISH_WAS_OFF,
	FINISH_DELETED,
};

enum finish_disk_fate {
	FINISH_DISK_KEPT,
	FINISH_DISK_DELETED,
	FINISH_DISK_GONE, /* somebody had deleted it before */
};

/* A disk of a VM that was deleted. */
struct finish_disk {
	char *path;
	enum finish_disk_fate fate;
	char *remedy; /* the command that deletes it; NULL unless gpuvm made it and it is kept */
};

struct finish {
	enum finish_outcome outcome;
	char *name;
	struct guest *guest;
	struct giveback *giveback;     /* NULL unless it ran until now */
	struct quarantine *quarantine; /* likewise: its GPUs that did not come back */
	struct finish_disk *disks;     /* of a VM deleted: what it wrote to */
	size_t disk_count;
	struct aftermath *aftermath; /* of VMs that had ended before */
};

/*
 * Asks the guest of VM @name to shut down, again and again while it runs, and with force cuts its power at the
 * deadline. FAIL_USAGE if there is no such VM, FAIL_REFUSED if it is not the caller's, FAIL_BUSY if the guest did not go,
 * FAIL_HOST if QEMU did not, FINISH_KILL_TIMEOUT_S after it was killed. Release with finish_free().
 */
int finish_stop(const struct finish_options *options, const char *name, struct finish **ret_finish,
		struct fail *fail);

/* VMs that ended. */
struct finish_list {
	struct finish **items; /* in the order in which they were asked */
	size_t count;
	struct aftermath *aftermath; /* of VMs that had ended before; may be NULL */
};

/*
 * The same for every VM of gpuvm's that runs and is the caller's (with force: everybody's). All are asked at
 * once, the last started first, and have the timeout together. One that does not go keeps no other from it:
 * @fail has an item for each, and *@ret_list, which is always set, those that ended.
 * Release with finish_list_free().
 */
int finish_stop_all(const struct finish_options *options, struct finish_list **ret_list,
		    struct fail *fail);
void finish_list_free(struct finish_list *list);
CLEANUP_DEFINE(finish_list, struct finish_list, finish_list_free)

/*
 * Forgets the VM @name, NVRAM, holds and the volume for cloud-init included. FAIL_BUSY while it runs. Its disks stay, but with disks those that
 * gpuvm made: each is first looked at again, and if one is not what was recorded (FAIL_REFUSED) or another VM uses it
 * (FAIL_BUSY), nothing is done. They go before the VM does, so that a delete that breaks off can be repeated.
 */
int finish_delete(const struct finish_options *options, const char *name,
		  struct finish **ret_finish, struct fail *fail);

void finish_free(struct finish *finish);
CLEANUP_DEFINE(finish, struct finish, finish_free)

#endif
