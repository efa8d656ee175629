// SPDX-License-Identifier: MIT
#include <limits.h>
#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/domxml.h"
#include "vmm/guest_internal.h"
#include "vmm/seed.h"

#define METADATA "/domain/metadata/g:vm[1]"
#define RETURNED                                                                                   \
	"/domain/metadata/*[local-name()='returned' and namespace-uri()='" DOMXML_RETURNED "']"

static char *shown_attribute(xmlNode *node, const char *name)
{
	CLEANUP(text) char *text = guest_attribute(node, name);

	return text == NULL ? NULL : text_printable(text, GUEST_MOST_NAME);
}

/* A driver's name goes into commands that people are told to run: what cannot be one is left out. */
static char *driver_attribute(xmlNode *node, const char *name)
{
	CLEANUP(text) char *text = guest_attribute(node, name);

	if (text == NULL || *text == '\0' ||
	    text[strspn(text,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] !=
		    '\0')
		return NULL;
	return STEAL(text);
}

static void read_functions(struct guest *guest, xmlXPathContext *context)
{
	CLEANUP(found) xmlXPathObject *found = guest_find(context, METADATA "/g:gpu/g:function");

	for (size_t i = 0; i < guest_found_count(found); i++) {
		xmlNode *node = found->nodesetval->nodeTab[i];
		CLEANUP(text) char *text = guest_attribute(node, "address");
		CLEANUP(text) char *gpu = NULL;
		struct guest_function function;

		if (i == GUEST_MOST_DEVICES || text == NULL ||
		    !device_parse_address(text, function.address)) {
			guest_add_problem(guest,
					  mem_strdup("gpuvm's record of a GPU is malformed"));
			return;
		}
		gpu = guest_attribute(node->parent, "address");
		if (gpu == NULL || !device_parse_address(gpu, function.gpu))
			function.gpu[0] = '\0';
		function.driver = driver_attribute(node, "driver");
		function.driver_override = driver_attribute(node, "override");
		*MEM_APPEND(guest->functions, guest->function_count) = function;
	}
}

static void read_owner(struct guest *guest, xmlXPathContext *context)
{
	CLEANUP(text) char *uid = guest_text_at(context, METADATA "/g:owner/@uid");
	CLEANUP(text) char *user = guest_text_at(context, METADATA "/g:owner/@name");

	if (uid == NULL || user == NULL || guest_read_unsigned(uid, &guest->uid) < 0) {
		guest->uid = UINT_MAX; /* (uid_t)-1 is nobody */
		guest_add_problem(guest, mem_strdup("gpuvm's record of the owner is malformed"));
	}
	guest->user = text_printable(user == NULL ? "?" : user, GUEST_MOST_NAME);
}

static void read_spec(struct guest *guest, xmlXPathContext *context)
{
	CLEANUP(text) char *text = guest_text_at(context, METADATA "/g:spec");
	CLEANUP(text) char *file = guest_text_at(context, METADATA "/g:spec/@file");
	CLEANUP(text) char *directory = guest_text_at(context, METADATA "/g:spec/@directory");

	if (text == NULL || file == NULL || directory == NULL) {
		guest_add_problem(guest, mem_strdup("gpuvm's record of the spec is malformed"));
		return;
	}
	guest->spec_text = STEAL(text);
	guest->spec_file = STEAL(file);
	guest->spec_directory = STEAL(directory);
}

/* A volume by this record is deleted one day: it is believed only of the name that gpuvm gives. */
static void read_seed(struct guest *guest, xmlXPathContext *context)
{
	CLEANUP(text) char *pool = guest_text_at(context, METADATA "/g:seed/@pool");
	CLEANUP(text) char *volume = guest_text_at(context, METADATA "/g:seed/@volume");
	CLEANUP(text) char *own = seed_volume_name(guest->name);

	if (pool == NULL && volume == NULL)
		return;
	if (pool == NULL || *pool == '\0' || !text_equal(volume, own)) {
		guest_add_problem(guest, mem_strdup("gpuvm's record of the seed is malformed"));
		return;
	}
	guest->seed_pool = STEAL(pool);
	guest->seed_volume = STEAL(volume);
}

static bool has_hostdev(const struct guest *guest, const char *address)
{
	for (size_t i = 0; i < guest->hostdev_count; i++)
		if (text_equal(guest->hostdevs[i], address))
			return true;
	return false;
}

static bool has_function(const struct guest *guest, const char *address)
{
	for (size_t i = 0; i < guest->function_count; i++)
		if (text_equal(guest->functions[i].address, address))
			return true;
	return false;
}

/* The vCPUs' pins as the record has them: a CPU each, by vCPU; NULL if one has no pin. The caller frees. */
static char *pins_of(xmlXPathContext *context)
{
	CLEANUP(found) xmlXPathObject *found = guest_find(context, "/domain/cputune/vcpupin");
	CLEANUP(text) char *pins = NULL;

	for (size_t i = 0; i < guest_found_count(found); i++) {
		xmlNode *node = found->nodesetval->nodeTab[i];
		CLEANUP(text) char *vcpu = guest_attribute(node, "vcpu");
		CLEANUP(text) char *cpus = guest_attribute(node, "cpuset");
		unsigned number;

		if (vcpu == NULL || cpus == NULL || guest_read_unsigned(vcpu, &number) < 0 ||
		    number != i)
			return NULL;
		text_join(&pins, ",", cpus);
	}
	return STEAL(pins);
}

static void compare_pins(struct guest *guest, xmlXPathContext *context)
{
	CLEANUP(text) char *before = guest_text_at(context, METADATA "/g:start/@pins");
	CLEANUP(text) char *pins = pins_of(context);

	if (before != NULL && !text_equal(before, pins))
		guest_add_problem(guest, mem_strdup("the vCPUs' pins were changed"));
}

/* What gpuvm never writes; one attribute of it is in the words. */
static void compare_foreign(struct guest *guest, xmlXPathContext *context)
{
	static const struct {
		const char *path, *before, *attribute, *after;
	} foreign[] = {
		{ "/domain/devices/controller[@type='pci'][((@model='pcie-root-port' or "
		  "@model='pcie-switch-downstream-port') and not(target/@hotplug='off')) or "
		  "@model='pci-bridge' or @model='pcie-to-pci-bridge']",
		  "PCI controller ", "index", " takes hot-plugged devices" },
		{ "/domain/devices/hostdev[not(@type='pci')] | /domain/devices/disk[@type='nvme'] | "
		  "/domain/devices/interface[@type='vdpa']",
		  "a host device of type ", "type", " was added" },
		{ "/domain/maxMemory", "memory can be hot-added in ", "slots", " slots" },
		{ "/domain/vcpu[@current]", "vCPUs can be hot-added: only ", "current", " are on" },
	};

	for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
		CLEANUP(found) xmlXPathObject *found = guest_find(context, foreign[i].path);

		for (size_t j = 0; j < guest_found_count(found) && j < GUEST_MOST_DEVICES; j++) {
			CLEANUP(text)
			char *value = shown_attribute(found->nodesetval->nodeTab[j],
						      foreign[i].attribute);

			guest_add_problem(guest, text_format("%s%s%s", foreign[i].before,
							     value == NULL ? "?" : value,
							     foreign[i].after));
		}
	}
}

/* What was edited since: libvirt lets anybody change the definition, and adds ports on its own. */
static void compare(struct guest *guest, xmlXPathContext *context)
{
	for (size_t i = 0; i < guest->function_count; i++)
		if (!has_hostdev(guest, guest->functions[i].address))
			guest_add_problem(
				guest, text_format("%s was removed", guest->functions[i].address));
	for (size_t i = 0; i < guest->hostdev_count; i++)
		if (!has_function(guest, guest->hostdevs[i]))
			guest_add_problem(guest, text_format("%s was added", guest->hostdevs[i]));
	compare_foreign(guest, context);
	compare_pins(guest, context);
}

/*
 * Anybody who may define a domain can write this. So it is believed only about its own domain, and
 * what is wrong with it is a problem of that domain, never a failure to read the others.
 */
void guest_read_metadata(struct guest *guest, xmlXPathContext *context)
{
	CLEANUP(found) xmlXPathObject *found = guest_find(context, METADATA);
	CLEANUP(found) xmlXPathObject *autostart = NULL;
	CLEANUP(found) xmlXPathObject *cores = NULL;
	CLEANUP(found) xmlXPathObject *returned = NULL;

	if (guest_found_count(found) == 0)
		return;
	guest->is_ours = true;
	autostart = guest_find(context, METADATA "/g:autostart");
	guest->autostart = guest_found_count(autostart) > 0;
	cores = guest_find(context, METADATA "/g:whole-cores");
	guest->keeps_cores = guest_found_count(cores) > 0;
	returned = guest_find(context, RETURNED);
	guest->is_returned = guest_found_count(returned) > 0;
	guest->boot = guest_text_at(context, METADATA "/g:start/@boot");
	read_owner(guest, context);
	read_spec(guest, context);
	read_seed(guest, context);
	read_functions(guest, context);
	guest_read_volumes(guest, context);
	compare(guest, context);
}
