/* SPDX-License-Identifier: MIT */
/*
 * libvirt's storage: pools, and volumes in them. All of it is done by the daemon, so that a member of the group
 * libvirt needs no right to the files; gpuvm itself writes none. Failures as in hv.h.
 * Source: libvirt 9.0 API reference (libvirt-storage, libvirt-stream), formatstorage.
 */
#ifndef GPUVM_VMM_HV_STORAGE_H
#define GPUVM_VMM_HV_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/hv.h"

/* The pool that virt-install and virt-manager make too, when there is none. */
#define HV_POOL_DEFAULT      "default"
#define HV_POOL_DEFAULT_PATH "/var/lib/libvirt/images"

enum hv_pool_state {
	HV_POOL_ABSENT,
	HV_POOL_INACTIVE,
	HV_POOL_ACTIVE,
};

struct hv_pool {
	char *name; /* libvirt's: not the one asked for, if another pool has the default's folder */
	enum hv_pool_state state;
	char *type;               /* "dir", "logical", ...; NULL if absent */
	char *path;               /* its folder; NULL if it has none or is absent */
	uint64_t available_bytes; /* 0 unless active */
};

/*
 * The pool @name. Without one of the name HV_POOL_DEFAULT, whichever has HV_POOL_DEFAULT_PATH counts, as libvirt
 * accepts no second one on a folder. Changes nothing. Release with hv_pool_free().
 */
int hv_pool_read(struct hv *hv, const char *name, struct hv_pool **ret_pool, struct fail *fail);
void hv_pool_free(struct hv_pool *pool);
CLEANUP_DEFINE(hv_pool, struct hv_pool, hv_pool_free)

/* Has libvirt look again at what is in the active @pool. It refuses while somebody uploads into it: what is new is
 * then found when it is in the way. */
void hv_pool_refresh(struct hv *hv, const struct hv_pool *pool);

/*
 * Has @pool active and its list of volumes up to date. The default is defined, its folder made, and set to start
 * with the host, if it is absent; any other is FAIL_HOST. What was inactive is started. Nobody takes that back:
 * it is what the host should have anyway. Updates @pool.
 */
int hv_pool_ready(struct hv *hv, struct hv_pool *pool, struct fail *fail);

/* A volume as it is. */
struct hv_volume {
	char *pool, *name;
	char *path;   /* of the file or block device */
	char *format; /* "qcow2", "raw", ..., as libvirt found it; NULL: it does not tell */
	uint64_t capacity_bytes;        /* what a guest sees */
	uint64_t allocation_bytes;      /* what it takes now */
	char *backing, *backing_format; /* NULL: none */
};

/*
 * The volume @name of @pool, or the one at @path in any active pool. *@ret_volume is NULL if libvirt knows none:
 * also if the pool does not exist or is inactive, or does not know yet of a file made since hv_pool_ready().
 * Release with hv_volume_free().
 */
int hv_volume_read(struct hv *hv, const char *pool, const char *name, struct hv_volume **ret_volume,
		   struct fail *fail);
int hv_volume_at(struct hv *hv, const char *path, struct hv_volume **ret_volume, struct fail *fail);
void hv_volume_free(struct hv_volume *volume);
CLEANUP_DEFINE(hv_volume, struct hv_volume, hv_volume_free)

/* A volume to be made. Texts are borrowed. */
struct hv_volume_wish {
	const char *pool, *name;
	const char *format;                   /* "qcow2" or "raw" */
	uint64_t capacity_bytes;              /* nothing of it is allocated yet */
	const char *backing, *backing_format; /* an absolute path, never written; NULL: none */
};

/*
 * Makes it. Fails if the name is taken, in the pool or by a file that libvirt did not know: nothing is ever
 * overwritten (libvirt 9.0, storage_util.c, "volume target path"). @pool must be active.
 */
int hv_volume_create(struct hv *hv, const struct hv_volume_wish *wish, struct fail *fail);

/* Makes a raw volume of the @length bytes, at least one, at @bytes. On failure there is none. */
int hv_volume_create_filled(struct hv *hv, const char *pool, const char *name, const void *bytes,
			    size_t length, struct fail *fail);

/* Makes it larger, to @capacity_bytes; libvirt refuses to make it smaller. Its VM must be off. */
int hv_volume_resize(struct hv *hv, const char *pool, const char *name, uint64_t capacity_bytes,
		     struct fail *fail);

/* Deletes it, file included. Success too if there is none. */
int hv_volume_delete(struct hv *hv, const char *pool, const char *name, struct fail *fail);

#endif
