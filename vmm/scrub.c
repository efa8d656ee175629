// SPDX-License-Identifier: MIT
#include "vmm/scrub.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/domxml.h"

CLEANUP_DEFINE(document, xmlDoc, xmlFreeDoc)

void scrub_users_done(struct scrub_users *users)
{
	for (size_t i = 0; i < users->count; i++)
		free(users->names[i]);
	free(users->names);
	*users = (struct scrub_users){ 0 };
}

static size_t user_number(struct scrub_users *users, const char *name)
{
	for (size_t i = 0; i < users->count; i++)
		if (text_equal(users->names[i], name))
			return i + 1;
	*MEM_APPEND(users->names, users->count) = mem_strdup(name);
	return users->count;
}

char *scrub_user(const char *name, struct scrub_users *users)
{
	return name == NULL ? NULL : text_format("user%zu", user_number(users, name));
}

static bool is_named(const xmlNode *node, const char *const *names)
{
	for (; node->type == XML_ELEMENT_NODE && *names != NULL; names++)
		if (text_equal((const char *)node->name, *names))
			return true;
	return false;
}

static bool has_type(xmlNode *node, const char *type)
{
	xmlChar *value = xmlGetNoNsProp(node, BAD_CAST "type");
	bool is = text_equal((const char *)value, type);

	xmlFree(value);
	return is;
}

static void drop(xmlNode *node)
{
	xmlUnlinkNode(node);
	xmlFreeNode(node);
}

/* Removes the children of @parent that @names, NULL-terminated, does not have. */
static void keep_children(xmlNode *parent, const char *const *names)
{
	for (xmlNode *node = parent->children, *next; node != NULL; node = next) {
		next = node->next;
		if (node->type != XML_TEXT_NODE && !is_named(node, names))
			drop(node);
	}
}

static void scrub_devices(xmlNode *devices)
{
	static const char *const names[] = { "hostdev", "interface", "controller", "memory", NULL };
	static const char *const parts[] = { "source", "target", "address", "model",
					     "driver", "alias",  "rom",     NULL };

	keep_children(devices, names);
	for (xmlNode *node = devices->children, *next; node != NULL; node = next) {
		next = node->next;
		if ((text_equal((const char *)node->name, "hostdev") && !has_type(node, "pci")) ||
		    (text_equal((const char *)node->name, "interface") &&
		     !has_type(node, "hostdev")))
			drop(node);
		else if (node->type == XML_ELEMENT_NODE)
			keep_children(node, parts);
	}
}

static void rename_owner(xmlNode *owner, struct scrub_users *users)
{
	xmlChar *name = xmlGetNoNsProp(owner, BAD_CAST "name");
	size_t number = user_number(users, name == NULL ? "" : (const char *)name);
	CLEANUP(text) char *renamed = text_format("user%zu", number);
	CLEANUP(text) char *uid = text_format("%zu", 1000 + number);

	xmlSetProp(owner, BAD_CAST "name", BAD_CAST renamed);
	xmlSetProp(owner, BAD_CAST "uid", BAD_CAST uid);
	xmlFree(name);
}

static void scrub_metadata(xmlNode *metadata, struct scrub_users *users)
{
	static const char *const names[] = { "owner", "autostart", "whole-cores",
					     "spec",  "gpu",       NULL };

	for (xmlNode *node = metadata->children, *next; node != NULL; node = next) {
		next = node->next;
		if (node->ns == NULL ||
		    !text_equal((const char *)node->ns->href, DOMXML_NAMESPACE)) {
			drop(node);
			continue;
		}
		keep_children(node, names);
		for (xmlNode *part = node->children; part != NULL; part = part->next) {
			if (text_equal((const char *)part->name, "owner"))
				rename_owner(part, users);
			if (!text_equal((const char *)part->name, "spec"))
				continue;
			/* That there is one counts; without, the record would look damaged. */
			xmlNodeSetContent(part, BAD_CAST "");
			xmlSetProp(part, BAD_CAST "file", BAD_CAST "");
			xmlSetProp(part, BAD_CAST "directory", BAD_CAST "");
		}
	}
}

char *scrub_domain(const char *xml, struct scrub_users *users)
{
	static const char *const names[] = { "name",        "memory",   "currentMemory",
					     "maxMemory",   "vcpu",     "iothreads",
					     "cputune",     "numatune", "memoryBacking",
					     "cpu",         "devices",  "metadata",
					     "iothreadids", NULL };
	CLEANUP(document)
	xmlDoc *document = xmlReadMemory(xml, (int)strlen(xml), NULL, "UTF-8",
					 XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	xmlNode *domain = document == NULL ? NULL : xmlDocGetRootElement(document);
	xmlChar *bytes = NULL;
	char *result;
	int length;

	if (domain == NULL || document->intSubset != NULL ||
	    !text_equal((const char *)domain->name, "domain"))
		return NULL;
	keep_children(domain, names);
	for (xmlNode *node = domain->children; node != NULL; node = node->next) {
		if (text_equal((const char *)node->name, "devices"))
			scrub_devices(node);
		if (text_equal((const char *)node->name, "metadata"))
			scrub_metadata(node, users);
	}
	xmlDocDumpMemoryEnc(document, &bytes, &length, "UTF-8");
	result = mem_strdup((const char *)bytes);
	xmlFree(bytes);
	return result;
}
