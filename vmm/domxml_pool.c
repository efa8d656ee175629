// SPDX-License-Identifier: MIT
#include "vmm/domxml_pool.h"

#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/domxml_internal.h"

char *domxml_pool(const char *name, const char *directory)
{
	xmlDocPtr document = xmlNewDoc(BAD_CAST "1.0");
	xmlNodePtr root = xmlNewNode(NULL, BAD_CAST "pool");
	xmlChar *bytes = NULL;
	int length = 0;
	char *text;

	if (document == NULL || root == NULL)
		abort();
	xmlDocSetRootElement(document, root);
	domxml_attribute(root, "type", "dir");
	domxml_leaf(root, "name", "%s", name);
	domxml_leaf(domxml_child(root, "target"), "path", "%s", directory);
	xmlDocDumpMemoryEnc(document, &bytes, &length, "UTF-8");
	if (bytes == NULL)
		abort();
	text = mem_strndup((const char *)bytes, (size_t)length);
	xmlFree(bytes);
	xmlFreeDoc(document);
	return text;
}
