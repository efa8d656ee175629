/* SPDX-License-Identifier: MIT */
/* A domain as libvirt's XML, built with libxml2 so that no value can break it. */
#ifndef GPUVM_VMM_DOMXML_H
#define GPUVM_VMM_DOMXML_H

#include "vmm/domain.h"

/* Namespace of gpuvm's element in <metadata>; guest.h reads it back. */
#define DOMXML_NAMESPACE "urn:gpuvm:vm:1"

/* An element of its own beside it, which a start's definition does not have: the record of drivers is fulfilled. */
#define DOMXML_RETURNED         "urn:gpuvm:returned:1"
#define DOMXML_RETURNED_ELEMENT "<returned/>"

/* Where libvirt's daemon of the system keeps the logs of its QEMUs: NAME.log; gpuvm's VMs have their serial console's
 * beside it, NAME-serial.log. */
#define DOMXML_LOG_DIRECTORY "/var/log/libvirt/qemu"

/*
 * The domain's XML (libvirt formatdomain, 9.0), indented, with gpuvm's metadata: the owner, the spec's
 * text, file and folder, what CPUs its vCPUs were pinned to and in which boot of the host, and per GPU each
 * function with its former driver and override. The caller frees.
 */
char *domxml_format(const struct domain *domain);

#endif
