/* SPDX-License-Identifier: MIT */
/*
 * Pools and volumes as libvirt's XML, written and read back.
 * Source: libvirt formatstorage, 9.0.
 */
#ifndef GPUVM_VMM_STORAGE_XML_H
#define GPUVM_VMM_STORAGE_XML_H

#include "vmm/hv_storage.h"

/* A pool that is the folder @path. The caller frees. */
char *storage_xml_pool(const char *name, const char *path);

/* The caller frees. */
char *storage_xml_volume(const struct hv_volume_wish *wish);

/* Fill type, path and available_bytes of @pool; all of @volume but pool. FAIL_HV if @xml is none. */
int storage_xml_read_pool(const char *xml, struct hv_pool *pool, struct fail *fail);
int storage_xml_read_volume(const char *xml, struct hv_volume *volume, struct fail *fail);

#endif
