/* SPDX-License-Identifier: MIT */
/* Reading a guest's XML; for the guest*.c files, and storage_xml.c, which reads XML alike. */
#ifndef GPUVM_VMM_GUEST_INTERNAL_H
#define GPUVM_VMM_GUEST_INTERNAL_H

#include <stddef.h>

#include <libxml/tree.h>
#include <libxml/xpath.h>

#include "vmm/base/cleanup.h"
#include "vmm/guest.h"

enum {
	GUEST_MOST_DEVICES = 1024,
	GUEST_MOST_NAME = 64, /* bytes of a user's or driver's name, to be shown */
};

CLEANUP_DEFINE(document, xmlDoc, xmlFreeDoc)
CLEANUP_DEFINE(context, xmlXPathContext, xmlXPathFreeContext)
CLEANUP_DEFINE(found, xmlXPathObject, xmlXPathFreeObject)

/* The document of a domain's XML; NULL, and what is wrong with it, if it is none. The caller frees. */
xmlDoc *guest_document(const char *xml, const char **ret_problem);

/* For paths in @document. Never NULL. The caller frees. */
xmlXPathContext *guest_context(xmlDoc *document);

/*
 * The nodes that @path names; namespace prefix g is gpuvm's. Never NULL. Paths are constants that do
 * not begin with "//", so that the time is linear in the XML. The caller frees.
 */
xmlXPathObject *guest_find(xmlXPathContext *context, const char *path);
size_t guest_found_count(const xmlXPathObject *found);

/* The text of the first node or attribute that @path names, or NULL. The caller frees. */
char *guest_text_at(xmlXPathContext *context, const char *path);

/* The value of an attribute without namespace, or NULL. The caller frees. */
char *guest_attribute(xmlNode *node, const char *name);

/* A part of a PCI address, as libvirt reads it: decimal, or hexadecimal with 0x; 0 if absent. Returns -1 if it is
 * malformed or above @most. */
int guest_read_part(xmlNode *address, const char *name, unsigned long most, unsigned *ret);

/* Decimal and nothing else. Returns -1 otherwise. */
int guest_read_unsigned(const char *text, unsigned *ret);

/*
 * Where the guest's memory lies, and in what pages (formatdomain: numatune, memoryBacking, cpu/numa), when
 * the rest was read before. What is malformed counts as not written: libvirt has checked it.
 */
void guest_read_memory(struct guest *guest, xmlXPathContext *context);

/* Every disk that is a file, a block device or a volume, with all that is known to be under it. */
void guest_read_disks(struct guest *guest, xmlXPathContext *context);
void guest_free_disks(struct guest *guest);

/* What gpuvm recorded of the volumes that it made for the guest. */
void guest_read_volumes(struct guest *guest, xmlXPathContext *context);

/* Takes @text. */
void guest_add_problem(struct guest *guest, char *text);

/* What gpuvm recorded, and where the rest of the XML, read before, differs from it. */
void guest_read_metadata(struct guest *guest, xmlXPathContext *context);

#endif
