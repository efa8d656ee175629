/* SPDX-License-Identifier: MIT */
/*
 * A libvirt domain as found: anybody's XML, read back. What it holds of the host counts against new
 * placements; gpuvm's own metadata says whose it is. XML and metadata are hostile: bounded and checked.
 */
#ifndef GPUVM_VMM_GUEST_H
#define GPUVM_VMM_GUEST_H

#include <hwloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "topo/device.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"

/* A function given to the guest, with what it was on before, from the metadata (NULL: not recorded). */
struct guest_function {
	char address[DEVICE_ADDRESS_BYTES];
	char *driver;                   /* NULL: none was bound */
	char *driver_override;          /* NULL: none was set */
	char gpu[DEVICE_ADDRESS_BYTES]; /* the GPU that it belongs to, or comes along with; "": unknown */
};

/* The channel of qemu-guest-agent (libvirt formatdomain, "Channel": target's state, of a live domain only). */
enum guest_agent {
	GUEST_AGENT_NONE,   /* the domain has no such channel */
	GUEST_AGENT_CLOSED, /* nobody in the guest has it open, or nobody knows */
	GUEST_AGENT_OPEN,
};

/* A part of a guest's memory; the whole of it, unless cells have nodes of their own. */
struct guest_memory {
	hwloc_bitmap_t nodes; /* the host's, by os index; empty: any */
	uint64_t page_bytes;  /* 0: normal pages */
	uint64_t bytes;
};

/* A volume that gpuvm made for the guest, or was about to make, as it recorded it. Nothing of it is checked but its form. */
struct guest_volume {
	char *pool, *name, *path, *format;
	char *backing; /* NULL: blank */
};

struct guest_volumes {
	struct guest_volume *items;
	size_t count;
};

/* A disk of the guest's, of whatever kind that is a file, a block device or a volume. */
struct guest_disk {
	char *path;          /* NULL: a volume */
	char *pool, *volume; /* NULL: a file or block device */
	bool is_written;     /* false: read only, or the base of one */
};

struct guest {
	char *name;
	char *uuid;   /* NULL: not defined yet */
	bool is_ours; /* carries gpuvm's metadata */
	char *user;   /* owner's name, printable; NULL unless is_ours */
	unsigned uid;
	/* All three or none; none unless is_ours, or if the record is damaged. */
	char *spec_text, *spec_file, *spec_directory;
	bool keeps_cores; /* gpuvm's: idle siblings of its vCPUs' cores are nobody else's */
	bool autostart;   /* gpuvm's own, from the metadata */
	bool is_returned; /* its functions were seen back on their drivers since it ended */
	char *seed_pool, *seed_volume; /* gpuvm's own volume for cloud-init; both or none */
	char *boot;                    /* of the host, when gpuvm wrote the record; NULL: unknown */
	unsigned vcpus;
	uint64_t memory_bytes;
	struct guest_memory
		*memory; /* at least one; sums up to memory_bytes or, damaged, to less */
	size_t memory_count;
	bool allocates_at_start; /* all its memory, before it runs: huge pages, locked, pinned for VFIO... */
	struct guest_function
		*functions; /* recorded by gpuvm: the GPUs' functions and what is held with them */
	size_t function_count;
	char (*hostdevs)
		[DEVICE_ADDRESS_BYTES]; /* every PCI hostdev and hostdev-interface in the XML itself */
	size_t hostdev_count;
	hwloc_bitmap_t
		vcpu_cpus; /* union of vCPU pins (vcpupin, else vcpu cpuset); empty: it floats */
	struct guest_disk *disks; /* bases included that libvirt tells, as it does while it runs */
	size_t disk_count;
	struct guest_volumes volumes; /* recorded by gpuvm */
	char *serial_log;             /* <log file=...> of the serial console, or NULL */
	enum guest_agent agent;
	char *mac; /* of its first network interface, as libvirt writes it; NULL: it has none */
	unsigned vsock_cid; /* its address on the host's vsock, while it runs; 0: it has none */
	char **problems; /* GPU part edited since gpuvm wrote it: "0000:02:00.0 was added", ... */
	size_t problem_count;
};

/*
 * Reads @xml. FAIL_HV if it is not a domain's XML. What is wrong with gpuvm's metadata is a problem of
 * that guest, never a failure. Release with guest_free().
 */
int guest_parse(const char *xml, struct guest **ret_guest, struct fail *fail);
/* Whether @xml, without reading it as XML, can have a hostdev at all. */
bool guest_may_have_hostdevs(const char *xml);

void guest_free(struct guest *guest);
CLEANUP_DEFINE(guest, struct guest, guest_free)

#endif
