/* SPDX-License-Identifier: MIT */
/*
 * Waiting for the guest of a VM that runs, until it answers: it has written on its serial console, its agent answers,
 * cloud-init is done, its ssh port answers. What a guest has not got is not waited for:
 *
 * - With an agent it answers when the agent does and cloud-init, if it runs there, is done. If the VM has a network
 *   or vsock, ssh gets WAIT_SSH_S more to answer too.
 * - Without an agent it answers when its ssh port does, and the agent has got WAIT_AGENT_S more.
 * - Where no address is known, ssh on vsock counts too.
 * - With neither agent nor network nothing but its console can be seen: it counts as up once it has written there and
 *   then nothing for WAIT_QUIET_S. That is no more than a guess, and told as such.
 */
#ifndef GPUVM_VMM_WAIT_H
#define GPUVM_VMM_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/address.h"
#include "vmm/hv.h"

#define WAIT_SSH_S   30
#define WAIT_AGENT_S 15
#define WAIT_QUIET_S 60

/* How much there is to boot. */
struct wait_size {
	uint64_t memory_bytes;
	uint64_t bar_bytes; /* of all its GPUs' BARs */
	unsigned gpu_count;
};

/*
 * Seconds after which a guest of @size that has not answered will hardly do so: 300 for firmware, kernel and a first
 * boot's cloud-init; 1 for each 2 GiB of memory and each 4 GiB of BARs, as both are mapped page by page where host and
 * guest know no better (QEMU below 10.1, Linux below 6.12: some minutes for 512 GiB); 30 for each GPU, whose driver is
 * loaded one by one. Proxmox VE's rule for QEMU's own start is of the same shape (qemu-server, Helpers.pm).
 */
unsigned wait_timeout_s(const struct wait_size *size);

enum wait_cloud_init {
	WAIT_CLOUD_INIT_UNKNOWN, /* no agent to ask, or it runs no programs */
	WAIT_CLOUD_INIT_NONE,    /* the guest has none, or it is off there */
	WAIT_CLOUD_INIT_RUNNING,
	WAIT_CLOUD_INIT_DONE,
	WAIT_CLOUD_INIT_FAILED, /* done, with errors */
};

/* What was seen of it so far. */
struct wait {
	bool has_written; /* on its serial console, since the wait began or before */
	bool has_agent;   /* which answered */
	bool has_network, has_address, has_ssh;
	enum wait_cloud_init cloud_init;
	struct address address; /* if has_address */
	bool is_guess;          /* nothing but its console could be seen */
	double seconds;
};

struct wait_options {
	const char *directory; /* of logs, for log.h; NULL: the usual */
	unsigned timeout_s;
	bool was_running; /* for longer: what its console has said before counts too */
	/* Told about every second; @is_new: something else than the last time was seen. May be NULL. */
	void (*progress)(void *data, const struct wait *wait, unsigned timeout_s, bool is_new);
	void *progress_data;
};

/*
 * Waits for the guest of the domain @uuid, named @name. FAIL_FAIL at the deadline, or as soon as the VM is off.
 * *@ret_wait is filled on failure too.
 */
int wait_for_guest(struct hv *hv, const char *uuid, const char *name,
		   const struct wait_options *options, struct wait *ret_wait, struct fail *fail);

/* What was seen, in words: "agent answers, cloud-init is done, ssh answers at 192.168.122.7". The caller frees. */
char *wait_words(const struct wait *wait);

#endif
