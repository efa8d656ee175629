/* SPDX-License-Identifier: MIT */
/*
 * What a start needs of the live host beside the placement, looked at before anything changes. Each
 * refusal names the exact next command.
 */
#ifndef GPUVM_VMM_PREFLIGHT_H
#define GPUVM_VMM_PREFLIGHT_H

#include <stdbool.h>

#include "topo/host.h"
#include "topo/place.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"
#include "vmm/hv.h"
#include "vmm/spec.h"

/* KVM and VFIO are there (FAIL_HOST). Works on snapshots. */
int preflight_host(const struct host *host, struct fail *fail);

/*
 * Each disk's image exists (FAIL_SPEC) and lies where QEMU's user can reach it (FAIL_HOST: homes are
 * 0700). @ret_is_block has one entry per disk. What the caller may not see counts as reachable.
 */
int preflight_images(const struct spec *spec, bool *ret_is_block, struct fail *fail);

/* The spec's libvirt network is active, or its bridge exists (FAIL_HOST). */
int preflight_network(const struct spec *spec, const struct root *root, struct hv *hv,
		      struct fail *fail);

/*
 * Only root can see that no process uses a GPU whose driver must be detached, and a busy driver can hang
 * the detach for good: for any other caller every function must be on vfio-pci or on no driver (FAIL_HOST).
 */
int preflight_drivers(const struct placement *placement, struct fail *fail);

#endif
