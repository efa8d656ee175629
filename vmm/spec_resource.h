/* SPDX-License-Identifier: MIT */
/*
 * Values of a spec that name something of the host: PCI addresses, files, networks. Only the words are
 * read, never the host. All as spec_value_store(), which calls them.
 */
#ifndef GPUVM_VMM_SPEC_RESOURCE_H
#define GPUVM_VMM_SPEC_RESOURCE_H

#include "vmm/spec_value.h"

/* SPEC_ADDRESSES: @target is a struct spec_gpu. */
int spec_resource_addresses(const struct spec_value *value, void *target, struct fail *fail);

/* SPEC_PATH: any @target. */
int spec_resource_path(const struct spec_value *value, void *target, struct fail *fail);

/* SPEC_FIRMWARE, SPEC_NETWORK: @target is a struct spec. */
int spec_resource_firmware(const struct spec_value *value, void *target, struct fail *fail);
int spec_resource_network(const struct spec_value *value, void *target, struct fail *fail);

#endif
