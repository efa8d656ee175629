// SPDX-License-Identifier: MIT
#include "vmm/domxml.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/tree.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/domxml_internal.h"

static void *there(void *object)
{
	if (object == NULL)
		abort();
	return object;
}

xmlNodePtr domxml_child(xmlNodePtr parent, const char *name)
{
	return there(xmlNewChild(parent, NULL, BAD_CAST name, NULL));
}

xmlNodePtr domxml_child_of(xmlNodePtr parent, const char *name, xmlNsPtr space)
{
	xmlNodePtr node = domxml_child(parent, name);

	xmlSetNs(node, space);
	return node;
}

xmlNsPtr domxml_namespace(xmlNodePtr node, const char *uri, const char *prefix)
{
	return there(xmlNewNs(node, BAD_CAST uri, BAD_CAST prefix));
}

/* U+FFFE and U+FFFF, the two that are well-formed UTF-8 but no XML 1.0 characters. */
static bool has_noncharacter(const char *text)
{
	return strstr(text, "\xef\xbf\xbe") != NULL || strstr(text, "\xef\xbf\xbf") != NULL;
}

static bool has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 && strchr("\t\n\r", *text) == NULL)
			return true;
	return false;
}

char *domxml_text(const char *text)
{
	char *printable;

	if (text_is_utf8(text, strlen(text)) && !has_control(text) && !has_noncharacter(text))
		return mem_strdup(text);
	printable = text_printable(text, 0);
	for (char *at; (at = strstr(printable, "\xef\xbf\xbe")) != NULL ||
		       (at = strstr(printable, "\xef\xbf\xbf")) != NULL;)
		memcpy(at, "\xef\xbf\xbd", 3);
	return printable;
}

void domxml_leaf(xmlNodePtr parent, const char *name, const char *format, ...)
{
	CLEANUP(text) char *text = NULL;
	CLEANUP(text) char *safe = NULL;
	va_list args;

	va_start(args, format);
	text = text_vformat(format, args);
	va_end(args);
	safe = domxml_text(text);
	/* A text node, not xmlNewChild's content, which would be read for entities. */
	there(xmlAddChild(domxml_child(parent, name), there(xmlNewText(BAD_CAST safe))));
}

void domxml_attribute(xmlNodePtr node, const char *name, const char *format, ...)
{
	CLEANUP(text) char *text = NULL;
	CLEANUP(text) char *safe = NULL;
	va_list args;

	va_start(args, format);
	text = text_vformat(format, args);
	va_end(args);
	safe = domxml_text(text);
	there(xmlNewProp(node, BAD_CAST name, BAD_CAST safe));
}

static void add_state(xmlNodePtr parent, const char *name, const char *state)
{
	domxml_attribute(domxml_child(parent, name), "state", "%s", state);
}

static void add_firmware_feature(xmlNodePtr firmware, const char *name, bool enabled)
{
	xmlNodePtr feature = domxml_child(firmware, "feature");

	domxml_attribute(feature, "enabled", "%s", enabled ? "yes" : "no");
	domxml_attribute(feature, "name", "%s", name);
}

static void add_images(xmlNodePtr os, const struct spec *spec)
{
	xmlNodePtr loader;

	domxml_leaf(os, "loader", "%s", spec->firmware_code);
	loader = xmlGetLastChild(os);
	domxml_attribute(loader, "readonly", "yes");
	if (spec->secure_boot)
		domxml_attribute(loader, "secure", "yes");
	domxml_attribute(loader, "type", "pflash");
	domxml_attribute(domxml_child(os, "nvram"), "template", "%s", spec->firmware_vars);
}

/*
 * Secure Boot is always said: without a word libvirt takes the first descriptor, which on Debian
 * enforces Microsoft's keys, and the guest's own GPU driver is then not loaded.
 */
static void add_os(xmlNodePtr root, const struct spec *spec)
{
	xmlNodePtr os = domxml_child(root, "os");
	xmlNodePtr type;

	if (spec->firmware_code == NULL)
		domxml_attribute(os, "firmware", "efi");
	domxml_leaf(os, "type", "hvm");
	type = xmlGetLastChild(os);
	domxml_attribute(type, "arch", "x86_64");
	domxml_attribute(type, "machine", "q35");
	if (spec->firmware_code == NULL) {
		xmlNodePtr firmware = domxml_child(os, "firmware");

		if (spec->secure_boot)
			add_firmware_feature(firmware, "enrolled-keys", true);
		add_firmware_feature(firmware, "secure-boot", spec->secure_boot);
	} else {
		add_images(os, spec);
	}
}

static void add_features(xmlNodePtr root, const struct spec *spec)
{
	xmlNodePtr features = domxml_child(root, "features");
	xmlNodePtr kvm;

	domxml_child(features, "acpi");
	domxml_child(features, "apic");
	kvm = domxml_child(features, "kvm");
	add_state(kvm, "hint-dedicated", "on");
	add_state(kvm, "poll-control", "on");
	add_state(features, "vmport", "off");
	/* With a descriptor libvirt turns it on by itself where the image needs it. */
	if (spec->firmware_code != NULL && spec->secure_boot)
		add_state(features, "smm", "on");
}

static void add_timer(xmlNodePtr clock, const char *name, const char *attribute, const char *value)
{
	xmlNodePtr timer = domxml_child(clock, "timer");

	domxml_attribute(timer, "name", "%s", name);
	domxml_attribute(timer, attribute, "%s", value);
}

/* A suspended guest would leave its GPU running without a driver: both sleep states are off. */
static void add_life(xmlNodePtr root)
{
	xmlNodePtr clock = domxml_child(root, "clock");
	xmlNodePtr pm;

	domxml_attribute(clock, "offset", "utc");
	add_timer(clock, "rtc", "tickpolicy", "catchup");
	add_timer(clock, "pit", "tickpolicy", "delay");
	add_timer(clock, "hpet", "present", "no");
	domxml_leaf(root, "on_poweroff", "destroy");
	domxml_leaf(root, "on_reboot", "restart");
	domxml_leaf(root, "on_crash", "destroy");
	pm = domxml_child(root, "pm");
	domxml_attribute(domxml_child(pm, "suspend-to-mem"), "enabled", "no");
	domxml_attribute(domxml_child(pm, "suspend-to-disk"), "enabled", "no");
}

char *domxml_serialise(xmlDocPtr document)
{
	xmlChar *bytes = NULL;
	char *text;
	int length = 0;

	/* Told the encoding, libxml2 leaves UTF-8 as it is; else it writes &#xNN;. */
	xmlDocDumpFormatMemoryEnc(document, &bytes, &length, "UTF-8", 1);
	text = mem_strndup(there(bytes), (size_t)length);
	xmlFree(bytes);
	return text;
}

char *domxml_format(const struct domain *domain)
{
	xmlDocPtr document = there(xmlNewDoc(BAD_CAST "1.0"));
	xmlNodePtr root = there(xmlNewNode(NULL, BAD_CAST "domain"));
	char *text;

	xmlDocSetRootElement(document, root);
	domxml_attribute(root, "type", "kvm");
	domxml_leaf(root, "name", "%s", domain->spec->name);
	if (domain->identity.uuid != NULL)
		domxml_leaf(root, "uuid", "%s", domain->identity.uuid);
	domxml_metadata_add(root, domain);
	domxml_cpu_add_resources(root, domain);
	add_os(root, domain->spec);
	add_features(root, domain->spec);
	domxml_cpu_add_model(root, domain);
	add_life(root);
	domxml_devices_add(root, domain);
	domxml_qemu_add(root, domain);
	text = domxml_serialise(document);
	xmlFreeDoc(document);
	return text;
}
