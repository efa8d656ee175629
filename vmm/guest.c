// SPDX-License-Identifier: MIT
#include "vmm/guest.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cpulist.h"
#include "vmm/domxml.h"
#include "vmm/guest_internal.h"

enum {
	MOST_XML_BYTES = 16 << 20, /* libvirt's own limit for a string is 4 MiB */
};

static int unreadable(struct fail *fail, const struct guest *guest, const char *what,
		      const char *value)
{
	CLEANUP(text) char *name = text_printable(guest->name == NULL ? "" : guest->name, 0);
	CLEANUP(text) char *shown = text_printable(value, GUEST_MOST_NAME);

	if (guest->name == NULL)
		fail_add(fail, FAIL_HV, "libvirt's XML of a domain cannot be read");
	else
		fail_add(fail, FAIL_HV, "libvirt's XML of domain \"%s\" cannot be read", name);
	return fail_cause(fail, "%s%s", what, shown);
}

xmlXPathObject *guest_find(xmlXPathContext *context, const char *path)
{
	xmlXPathObject *found = xmlXPathEvalExpression(BAD_CAST path, context);

	if (found == NULL)
		abort();
	return found;
}

size_t guest_found_count(const xmlXPathObject *found)
{
	return found->nodesetval == NULL ? 0 : (size_t)found->nodesetval->nodeNr;
}

static char *take(xmlChar *text)
{
	char *copy = mem_strdup((const char *)text);

	xmlFree(text);
	return copy;
}

char *guest_attribute(xmlNode *node, const char *name)
{
	return take(xmlGetNoNsProp(node, BAD_CAST name));
}

char *guest_text_at(xmlXPathContext *context, const char *path)
{
	CLEANUP(found) xmlXPathObject *found = guest_find(context, path);

	return guest_found_count(found) == 0
		       ? NULL
		       : take(xmlNodeGetContent(found->nodesetval->nodeTab[0]));
}

void guest_add_problem(struct guest *guest, char *text)
{
	*MEM_APPEND(guest->problems, guest->problem_count) = text;
}

int guest_read_unsigned(const char *text, unsigned *ret)
{
	unsigned long long number;

	if (!text_number(text, &number) || number > UINT_MAX)
		return -1;
	*ret = (unsigned)number;
	return 0;
}

int guest_read_part(xmlNode *address, const char *name, unsigned long most, unsigned *ret)
{
	CLEANUP(text) char *text = guest_attribute(address, name);
	char *end = NULL;
	unsigned long part;

	*ret = 0;
	if (text == NULL)
		return 0;
	errno = 0;
	part = strtoul(text, &end, 0);
	if (!isdigit((unsigned char)*text) || errno != 0 || *end != '\0' || part > most)
		return -1;
	*ret = (unsigned)part;
	return 0;
}

static int add_hostdev(struct guest *guest, xmlNode *address)
{
	unsigned domain, bus, slot, function;

	if (guest_read_part(address, "domain", 0xfffff, &domain) < 0 ||
	    guest_read_part(address, "bus", 0xff, &bus) < 0 ||
	    guest_read_part(address, "slot", 0x1f, &slot) < 0 ||
	    guest_read_part(address, "function", 7, &function) < 0)
		return -1;
	snprintf(*MEM_APPEND(guest->hostdevs, guest->hostdev_count), DEVICE_ADDRESS_BYTES,
		 "%04x:%02x:%02x.%x", domain, bus, slot, function);
	return 0;
}

static int read_hostdevs(struct guest *guest, xmlXPathContext *context, struct fail *fail)
{
	CLEANUP(found)
	xmlXPathObject *found = guest_find(context,
					   "/domain/devices/hostdev[@type='pci']/source/address |"
					   "/domain/devices/interface[@type='hostdev']/source/"
					   "address[not(@type) or @type='pci']");

	if (guest_found_count(found) > GUEST_MOST_DEVICES)
		return unreadable(fail, guest, "it has too many hostdevs", "");
	for (size_t i = 0; i < guest_found_count(found); i++)
		if (add_hostdev(guest, found->nodesetval->nodeTab[i]) < 0)
			return unreadable(fail, guest, "a hostdev's PCI address is malformed", "");
	return 0;
}

/* A vCPU without a pin of its own runs on the domain's cpuset, if there is one. */
static int read_pins(struct guest *guest, xmlXPathContext *context, struct fail *fail)
{
	CLEANUP(found)
	xmlXPathObject *found = guest_find(context, "/domain/cputune/vcpupin/@cpuset");
	CLEANUP(text) char *cpuset = guest_text_at(context, "/domain/vcpu/@cpuset");

	for (size_t i = 0; i < guest_found_count(found); i++) {
		CLEANUP(text) char *pin = take(xmlNodeGetContent(found->nodesetval->nodeTab[i]));

		if (cpulist_parse(pin, guest->vcpu_cpus) != NULL)
			return unreadable(fail, guest, "malformed CPU list: ", pin);
	}
	if (cpuset != NULL && guest_found_count(found) < guest->vcpus &&
	    cpulist_parse(cpuset, guest->vcpu_cpus) != NULL)
		return unreadable(fail, guest, "malformed CPU list: ", cpuset);
	return 0;
}

static int read_memory(struct guest *guest, xmlXPathContext *context, struct fail *fail)
{
	CLEANUP(text) char *text = guest_text_at(context, "/domain/memory");
	CLEANUP(text) char *unit = guest_text_at(context, "/domain/memory/@unit");
	unsigned long long count;
	uint64_t bytes;

	/* libvirt writes KiB, whatever it was given. */
	if (unit != NULL && !text_equal(unit, "KiB"))
		return unreadable(fail, guest, "unknown unit of memory: ", unit);
	if (text == NULL || !text_number(text_trim(text), &count) ||
	    __builtin_mul_overflow(count, UINT64_C(1024), &bytes))
		return unreadable(fail, guest,
				  "malformed size of memory: ", text == NULL ? "" : text);
	guest->memory_bytes = bytes;
	return 0;
}

static int read_resources(struct guest *guest, xmlXPathContext *context, struct fail *fail)
{
	CLEANUP(text) char *vcpus = guest_text_at(context, "/domain/vcpu");

	guest->vcpus = 1;
	if (vcpus != NULL && guest_read_unsigned(text_trim(vcpus), &guest->vcpus) < 0)
		return unreadable(fail, guest, "malformed number of vCPUs: ", vcpus);
	if (read_memory(guest, context, fail) < 0 || read_pins(guest, context, fail) < 0)
		return -1;
	guest->serial_log = guest_text_at(context, "/domain/devices/serial/log/@file");
	return 0;
}

static enum guest_agent read_agent(xmlXPathContext *context)
{
	static const char channel[] = "/domain/devices/channel/target[@type='virtio' and "
				      "@name='org.qemu.guest_agent.0']";
	CLEANUP(found) xmlXPathObject *found = guest_find(context, channel);
	CLEANUP(text) char *state = NULL;

	if (guest_found_count(found) == 0)
		return GUEST_AGENT_NONE;
	state = guest_attribute(found->nodesetval->nodeTab[0], "state");
	return text_equal(state, "connected") ? GUEST_AGENT_OPEN : GUEST_AGENT_CLOSED;
}

/* libvirt writes the one it found into the live definition (formatdomain, "Vsock"); below 3 are the host's own. */
static unsigned read_vsock(xmlXPathContext *context)
{
	CLEANUP(text) char *text = guest_text_at(context, "/domain/devices/vsock/cid/@address");
	unsigned cid = 0;

	return text != NULL && guest_read_unsigned(text, &cid) == 0 && cid > 2 ? cid : 0;
}

xmlXPathContext *guest_context(xmlDoc *document)
{
	xmlXPathContext *context = xmlXPathNewContext(document);

	if (context == NULL ||
	    xmlXPathRegisterNs(context, BAD_CAST "g", BAD_CAST DOMXML_NAMESPACE) != 0)
		abort();
	return context;
}

static int read_guest(struct guest *guest, xmlDoc *document, struct fail *fail)
{
	CLEANUP(context) xmlXPathContext *context = guest_context(document);

	guest->name = guest_text_at(context, "/domain/name");
	guest->uuid = guest_text_at(context, "/domain/uuid");
	if (guest->name == NULL || *guest->name == '\0')
		return unreadable(fail, guest, "it has no name", "");
	if (read_resources(guest, context, fail) < 0 || read_hostdevs(guest, context, fail) < 0)
		return -1;
	guest->agent = read_agent(context);
	guest->mac = guest_text_at(context, "/domain/devices/interface/mac/@address");
	guest->vsock_cid = read_vsock(context);
	guest_read_memory(guest, context);
	guest_read_disks(guest, context);
	guest_read_metadata(guest, context);
	return 0;
}

bool guest_may_have_hostdevs(const char *xml)
{
	return strstr(xml, "hostdev") != NULL;
}

xmlDoc *guest_document(const char *xml, const char **ret_problem)
{
	CLEANUP(document) xmlDoc *document = NULL;
	size_t length = strlen(xml);

	*ret_problem = "it is too large";
	if (length > MOST_XML_BYTES)
		return NULL;
	*ret_problem = "it is not well-formed";
	document = xmlReadMemory(xml, (int)length, NULL, "UTF-8",
				 XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (document == NULL)
		return NULL;
	/* libvirt writes none. Without one there are no entities to blow up. */
	*ret_problem = "it has a document type";
	return document->intSubset != NULL ? NULL : STEAL(document);
}

int guest_parse(const char *xml, struct guest **ret_guest, struct fail *fail)
{
	CLEANUP(guest) struct guest *guest = mem_alloc(1, sizeof *guest);
	const char *problem;
	CLEANUP(document) xmlDoc *document = guest_document(xml, &problem);

	guest->vcpu_cpus = hwloc_bitmap_alloc();
	if (document == NULL)
		return unreadable(fail, guest, problem, "");
	if (read_guest(guest, document, fail) < 0)
		return -1;
	*ret_guest = STEAL(guest);
	return 0;
}

void guest_free(struct guest *guest)
{
	if (guest == NULL)
		return;
	for (size_t i = 0; i < guest->function_count; i++) {
		free(guest->functions[i].driver);
		free(guest->functions[i].driver_override);
	}
	for (size_t i = 0; i < guest->problem_count; i++)
		free(guest->problems[i]);
	for (size_t i = 0; i < guest->memory_count; i++)
		hwloc_bitmap_free(guest->memory[i].nodes);
	guest_free_disks(guest);
	free(guest->memory);
	free(guest->functions);
	free(guest->problems);
	free(guest->hostdevs);
	free(guest->name);
	free(guest->uuid);
	free(guest->user);
	free(guest->boot);
	free(guest->seed_pool);
	free(guest->seed_volume);
	free(guest->spec_text);
	free(guest->spec_file);
	free(guest->spec_directory);
	free(guest->serial_log);
	free(guest->mac);
	hwloc_bitmap_free(guest->vcpu_cpus);
	free(guest);
}
