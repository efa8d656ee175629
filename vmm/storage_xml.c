// SPDX-License-Identifier: MIT
#include "vmm/storage_xml.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/xpath.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/domxml_internal.h"
#include "vmm/guest_internal.h"

enum {
	MOST_XML_BYTES = 1 << 20, /* of one pool or volume, which has none of its volumes in it */
};

/* A document whose root is @name. The caller frees it. */
static xmlNodePtr new_root(const char *name)
{
	xmlDocPtr document = xmlNewDoc(BAD_CAST "1.0");
	xmlNodePtr root = xmlNewNode(NULL, BAD_CAST name);

	if (document == NULL || root == NULL)
		abort();
	xmlDocSetRootElement(document, root);
	return root;
}

static char *finish(xmlNodePtr root)
{
	char *text = domxml_serialise(root->doc);

	xmlFreeDoc(root->doc);
	return text;
}

char *storage_xml_pool(const char *name, const char *path)
{
	xmlNodePtr root = new_root("pool");

	domxml_attribute(root, "type", "dir");
	domxml_leaf(root, "name", "%s", name);
	domxml_leaf(domxml_child(root, "target"), "path", "%s", path);
	return finish(root);
}

static void add_bytes(xmlNodePtr parent, const char *name, uint64_t bytes)
{
	domxml_leaf(parent, name, "%" PRIu64, bytes);
	domxml_attribute(xmlGetLastChild(parent), "unit", "bytes");
}

static void add_format(xmlNodePtr parent, const char *format)
{
	domxml_attribute(domxml_child(parent, "format"), "type", "%s", format);
}

char *storage_xml_volume(const struct hv_volume_wish *wish)
{
	xmlNodePtr root = new_root("volume");
	xmlNodePtr backing;

	domxml_leaf(root, "name", "%s", wish->name);
	add_bytes(root, "capacity", wish->capacity_bytes);
	/* Left out, a raw volume would be allocated in full. */
	add_bytes(root, "allocation", 0);
	add_format(domxml_child(root, "target"), wish->format);
	if (wish->backing != NULL) {
		backing = domxml_child(root, "backingStore");
		domxml_leaf(backing, "path", "%s", wish->backing);
		add_format(backing, wish->backing_format);
	}
	return finish(root);
}

static int unreadable(struct fail *fail, const char *what)
{
	fail_add(fail, FAIL_HV, "libvirt's XML of a storage pool or volume cannot be read");
	return fail_cause(fail, "%s", what);
}

static int parse(const char *xml, xmlDoc **ret_document, xmlXPathContext **ret_context,
		 struct fail *fail)
{
	size_t length = strlen(xml);

	if (length > MOST_XML_BYTES)
		return unreadable(fail, "it is too large");
	*ret_document = xmlReadMemory(xml, (int)length, NULL, "UTF-8",
				      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (*ret_document == NULL)
		return unreadable(fail, "it is not well-formed");
	if ((*ret_document)->intSubset != NULL)
		return unreadable(fail, "it has a document type");
	*ret_context = xmlXPathNewContext(*ret_document);
	if (*ret_context == NULL)
		abort();
	return 0;
}

/* Of an element that libvirt writes in bytes; 0 if it is not there. */
static int read_bytes(xmlXPathContext *context, const char *path, uint64_t *ret_bytes,
		      struct fail *fail)
{
	CLEANUP(text) char *unit_path = text_format("%s/@unit", path);
	CLEANUP(text) char *unit = guest_text_at(context, unit_path);
	CLEANUP(text) char *text = guest_text_at(context, path);
	unsigned long long bytes = 0;

	if (text != NULL &&
	    (!text_number(text_trim(text), &bytes) || (unit != NULL && !text_equal(unit, "bytes"))))
		return unreadable(fail, "malformed size");
	*ret_bytes = bytes;
	return 0;
}

int storage_xml_read_pool(const char *xml, struct hv_pool *pool, struct fail *fail)
{
	CLEANUP(document) xmlDoc *document = NULL;
	CLEANUP(context) xmlXPathContext *context = NULL;

	if (parse(xml, &document, &context, fail) < 0 ||
	    read_bytes(context, "/pool/available", &pool->available_bytes, fail) < 0)
		return -1;
	free(pool->type);
	free(pool->path);
	pool->type = guest_text_at(context, "/pool/@type");
	pool->path = guest_text_at(context, "/pool/target/path");
	return pool->type == NULL ? unreadable(fail, "a pool without type") : 0;
}

int storage_xml_read_volume(const char *xml, struct hv_volume *volume, struct fail *fail)
{
	CLEANUP(document) xmlDoc *document = NULL;
	CLEANUP(context) xmlXPathContext *context = NULL;

	if (parse(xml, &document, &context, fail) < 0 ||
	    read_bytes(context, "/volume/capacity", &volume->capacity_bytes, fail) < 0 ||
	    read_bytes(context, "/volume/allocation", &volume->allocation_bytes, fail) < 0)
		return -1;
	volume->name = guest_text_at(context, "/volume/name");
	volume->path = guest_text_at(context, "/volume/target/path");
	volume->format = guest_text_at(context, "/volume/target/format/@type");
	volume->backing = guest_text_at(context, "/volume/backingStore/path");
	volume->backing_format = guest_text_at(context, "/volume/backingStore/format/@type");
	if (volume->name == NULL || volume->path == NULL)
		return unreadable(fail, "a volume without name or path");
	return 0;
}
