/* SPDX-License-Identifier: MIT */
/*
 * What cloud-init in the guest does at the first boot, and the NoCloud seed that tells it: a disk labelled "cidata"
 * with user-data and meta-data. A pure function of the spec and of files that seed_read.h has read.
 * Sources: cloud-init 22.4 (Debian 12) and 25.1 (Debian 13): sources/DataSourceNoCloud.py, user_data.py,
 * handlers/cloud_config.py, mergers/, config/cc_users_groups.py, config/cc_mounts.py.
 *
 * The instance-id is the VM's UUID. cloud-init does its work once per instance-id: by the UUID, which stays over
 * starts, a first boot stays the first one, whatever is changed in [cloud-init] later. An id that changed with the
 * content would make new host keys, and run the user's scripts again on a disk that is lived in, because a key was
 * added. Whoever wants that says so in the guest: cloud-init clean.
 *
 * The user's own file and gpuvm's part are two parts of a MIME message, as cloud-init takes only that one apart again
 * into everything it knows (of a #cloud-config-archive it takes the entries as they are, no #include and no MIME
 * among them). gpuvm's part comes second and says how it is merged into what the user's file made: lists are put in
 * front of his, so that a runcmd of his that ends early does not end gpuvm's; of all else his counts.
 */
#ifndef GPUVM_VMM_SEED_H
#define GPUVM_VMM_SEED_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/spec.h"
#include "vmm/sshkey.h"

#define SEED_LABEL "cidata"

struct seed {
	const struct spec *spec; /* borrowed; its [cloud-init] is written */
	bool is_read;            /* false: the files that it names were not looked at */
	char *user;              /* who is made; NULL: nobody, or not known yet */
	struct sshkeys keys;     /* of that user; none exactly if nobody is made */
	char *hostname;          /* RFC 1123 */
	char *user_data;         /* what the file has; NULL: there is none */
	size_t user_data_length;
	const char *user_data_kind; /* "script", "cloud-config"...; static */
	bool brings_agent;          /* sees that the guest runs QEMU's agent */
};

void seed_free(struct seed *seed);
CLEANUP_DEFINE(seed, struct seed, seed_free)

/* What the volume of VM @name is called: no other VM's is. The caller frees. */
char *seed_volume_name(const char *name);

/* A file system that the guest mounts. Texts are borrowed. */
struct seed_mount {
	const char *tag;  /* of virtiofs */
	const char *path; /* in the guest */
	bool read_only;
};

/*
 * Whether the guest's fstab can hold @mount as it is: both printable ASCII without blanks, quotes, \ and #; the tag
 * of at most 36 bytes (virtio 1.2, 5.11.4), the path absolute.
 */
bool seed_mount_is_valid(const struct seed_mount *mount);

/* The two files of the seed; @mounts are valid. The caller frees. */
char *seed_user_data(const struct seed *seed, const struct seed_mount *mounts, size_t count);
char *seed_meta_data(const struct seed *seed, const char *uuid);

/* The whole volume: same input, same bytes. FAIL_FAIL. The caller frees *@ret_bytes. */
int seed_image(const struct seed *seed, const char *uuid, const struct seed_mount *mounts,
	       size_t count, unsigned char **ret_bytes, size_t *ret_length, struct fail *fail);

#endif
