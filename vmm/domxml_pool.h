/* SPDX-License-Identifier: MIT */
/* A storage pool as libvirt's XML. */
#ifndef GPUVM_VMM_DOMXML_POOL_H
#define GPUVM_VMM_DOMXML_POOL_H

/* One that is the folder @directory (libvirt formatstorage, 9.0). The caller frees. */
char *domxml_pool(const char *name, const char *directory);

#endif
