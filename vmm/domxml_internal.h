/* SPDX-License-Identifier: MIT */
/* The parts that domxml_format() puts together; for the domxml_*.c files, and storage_xml.c, which uses the first few. */
#ifndef GPUVM_VMM_DOMXML_INTERNAL_H
#define GPUVM_VMM_DOMXML_INTERNAL_H

#include <libxml/tree.h>

#include "vmm/domain.h"

/* A new last child of @parent. Never NULL: libxml2 running out of memory ends the process (mem.h). */
xmlNodePtr domxml_child(xmlNodePtr parent, const char *name);

/* As domxml_child(), in @space. */
xmlNodePtr domxml_child_of(xmlNodePtr parent, const char *name, xmlNsPtr space);

/* A namespace of @uri, written @prefix, that @node and what is below it can be in. Never NULL. */
xmlNsPtr domxml_namespace(xmlNodePtr node, const char *uri, const char *prefix);

/* As domxml_child(), with text in it. */
void domxml_leaf(xmlNodePtr parent, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Adds an attribute. What XML 1.0 cannot hold (control characters, malformed UTF-8) is written as
 * \xNN, so that the document stays one.
 */
void domxml_attribute(xmlNodePtr node, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* @document as text, indented, in UTF-8. The caller frees both. */
char *domxml_serialise(xmlDocPtr document);

/* @text as XML 1.0 can hold it: itself, or with \xNN for what it cannot. The caller frees. */
char *domxml_text(const char *text);

/* <metadata>: the owner, the spec, the volumes made for it, each GPU with its functions' former drivers. */
void domxml_metadata_add(xmlNodePtr root, const struct domain *domain);

/* What of the host the guest runs on: memory and its pages, vCPUs, pins, nodes. */
void domxml_cpu_add_resources(xmlNodePtr root, const struct domain *domain);

/* <cpu>: what the guest sees of them. */
void domxml_cpu_add_model(xmlNodePtr root, const struct domain *domain);

/* <devices>. */
void domxml_devices_add(xmlNodePtr root, const struct domain *domain);

/* The name of @hostdev, one of the user's own ("ua-"), by which <qemu:override> finds the device. */
void domxml_devices_add_alias(xmlNodePtr node, const char *attribute,
			      const struct domain_hostdev *hostdev);

/* <qemu:commandline>: the size of the window for large BARs. <qemu:override>: which GPUs may reach each other's memory.
 * Nothing where nothing is to be said. */
void domxml_qemu_add(xmlNodePtr root, const struct domain *domain);

#endif
