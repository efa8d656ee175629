/* SPDX-License-Identifier: MIT */
/*
 * What the user wants: one VM, as the INI file says it. spec_keys.h has the table of its keys.
 */
#ifndef GPUVM_VMM_SPEC_H
#define GPUVM_VMM_SPEC_H

#include <hwloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "topo/place.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"

enum spec_network {
	SPEC_NETWORK_LIBVIRT, /* source names a libvirt network */
	SPEC_NETWORK_BRIDGE,  /* source names a host bridge */
	SPEC_NETWORK_NONE,
};

enum spec_p2p {
	SPEC_P2P_NO,
	SPEC_P2P_AUTO, /* the VM's GPUs under one switch or root complex may reach each other */
};

/* Lines are 1..; 0: the key is not written and its default counts. Texts are owned. */
struct spec_gpu {
	char *label;   /* "[gpu]", "[gpu:second]" */
	unsigned line; /* of the section */
	unsigned count_line, match_line, address_line;
	unsigned count;
	char *match;      /* NULL: not written */
	char **addresses; /* canonical */
	size_t address_count;
	enum spec_p2p p2p;
	bool hold;           /* kept for the VM while it is off */
	bool allow_boot_vga; /* only with addresses: these may be the host's console */
};

enum spec_disk_format {
	SPEC_DISK_AUTO, /* by the file's name: .qcow2 is qcow2, all else raw; never by content */
	SPEC_DISK_RAW,
	SPEC_DISK_QCOW2,
};

struct spec_disk {
	char *label; /* "[disk]", "[disk:data]" */
	unsigned line;
	char *image;                  /* absolute; NULL: a blank disk, whose size is written */
	enum spec_disk_format format; /* of the image; of a blank disk */
	/* 0: not written, and the image is the disk. Else gpuvm makes one, on the image if there is one. */
	uint64_t size_bytes;
	char *pool; /* libvirt's, for what gpuvm makes */
	unsigned size_line, pool_line;
};

/* A folder of the host that the guest may mount. */
struct spec_share {
	char *label; /* "[share:data]" */
	unsigned line;
	char *source;  /* absolute */
	char *target;  /* the tag that the guest mounts it by; unique */
	bool readonly; /* enforced by the host */
};

enum spec_ssh_key {
	SPEC_SSH_KEY_AUTO, /* the caller's */
	SPEC_SSH_KEY_NONE,
	SPEC_SSH_KEY_FILE,
};

/* What cloud-init in the guest does at the first boot; seed_read.h has the defaults that depend on the caller. */
struct spec_cloud_init {
	bool is_written; /* else the rest is all defaults, and the VM gets no seed */
	unsigned line;   /* of the section */
	char *user;      /* NULL: the caller's own name */
	enum spec_ssh_key ssh_key;
	char *ssh_key_file; /* absolute; NULL unless SPEC_SSH_KEY_FILE */
	char *hostname;     /* NULL: made of the VM's */
	char **packages;
	size_t package_count;
	char *user_data; /* absolute; NULL: none */
	unsigned ssh_key_line, user_data_line;
};

struct spec {
	char *file;      /* as the user named it */
	char *directory; /* absolute; relative paths are below it */
	char *text;      /* the whole file, for the domain's metadata */

	char *name;
	unsigned vcpus;
	uint64_t memory_bytes;
	bool autostart;

	struct spec_gpu *gpus; /* at least one */
	size_t gpu_count;

	enum place_policy policy;
	enum place_hugepages hugepages;

	enum place_threads threads;
	hwloc_bitmap_t pin, emulator; /* os indexes, never empty; NULL: auto */

	char *firmware_code, *firmware_vars; /* both NULL: auto */
	bool secure_boot;

	struct spec_disk *disks; /* at least one */
	size_t disk_count;

	struct spec_share *shares;
	size_t share_count;

	enum spec_network network;
	char *network_source; /* NULL for SPEC_NETWORK_NONE */

	struct spec_cloud_init cloud_init;

	unsigned vcpus_line, memory_line, policy_line, hugepages_line, firmware_line, network_line;
	unsigned threads_line, pin_line, emulator_line;
};

/*
 * Reads and checks the spec at @path: FAIL_SPEC, with the first 20 errors in one run, sorted by line, and how many
 * more there are; one error for a file that has no section of a spec, and lines that are no INI. Looks at nothing but
 * the file itself. Release with spec_free().
 */
int spec_read(const char *path, struct spec **ret_spec, struct fail *fail);

/* The same for a text kept earlier; @directory is where relative paths start. */
int spec_parse(const char *file, const char *directory, const char *text, struct spec **ret_spec,
	       struct fail *fail);
void spec_free(struct spec *spec);
CLEANUP_DEFINE(spec, struct spec, spec_free)

/* Whether @name is one a VM may have: a-z 0-9 . _ -, starts with a letter or digit, up to 63. */
bool spec_name_is_valid(const char *name);

#endif
