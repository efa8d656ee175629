/* SPDX-License-Identifier: MIT */
/*
 * What a start needs of the live host beside the placement, looked at before anything changes. Each
 * refusal names the exact next command.
 */
#ifndef GPUVM_VMM_PREFLIGHT_H
#define GPUVM_VMM_PREFLIGHT_H

#include <stdbool.h>

#include "topo/holder.h"
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
 * The GPUs of @placement can be given away without risk to the host (FAIL_HOST, see safety.h), and nobody
 * of @holders, which were read for them at least, holds them (FAIL_BUSY with the holder, see holder.h), but for the
 * host's console on a GPU whose place_gpu.allow_boot_vga is set and whose driver then detaches safely. Rules of
 * safety.h whose findings are among the NULL-terminated @forced (NULL: none) are left out.
 *
 * Only root sees every holder, and a busy driver can hang the detach for good: for any other caller each
 * function must be on vfio-pci or on no driver, or libvirt's hook be active, which looks as root (FAIL_HOST).
 * *@ret_not_checked is how many processes neither he nor the hook looks at.
 */
int preflight_gpus(const struct root *root, const struct host *host,
		   const struct placement *placement, const struct holder_list *holders,
		   const char *const *forced, size_t *ret_not_checked, struct fail *fail);

#endif
