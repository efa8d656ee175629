/* SPDX-License-Identifier: MIT */
/*
 * For unit tests: libvirt's built-in test driver as the hypervisor. test:///default is one host for all
 * connections of a process, as long as one of them is open.
 *
 * The driver knows none of the flags that gpuvm gives, so the calls that carry flags are defined here: they
 * hold the flags against what gpuvm means to say, and leave the rest to the driver. A guest named "deaf..."
 * does not hear its power button, "sleepy" only the third time; one named "mute..." cannot be asked; one named "broken..." does not start, and the
 * start of one named "stuck..." does not come back.
 */
#ifndef GPUVM_TESTS_TESTHV_H
#define GPUVM_TESTS_TESTHV_H

#include <string.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "tests/unit/scratch.h"
#include "vmm/hv.h"
#include "vmm/owner.h"

#define TESTHV "test:///default"

int virDomainCreateWithFlags(virDomainPtr domain, unsigned flags)
{
	assert_int_equal(flags, VIR_DOMAIN_START_FORCE_BOOT);
	if (text_starts(virDomainGetName(domain), "broken"))
		return virDomainResume(domain); /* fails: it does not run */
	while (text_starts(virDomainGetName(domain), "stuck"))
		pause();
	return virDomainCreate(domain);
}

/* This machine's daemon, as far as gpuvm may know, or GPUVM_TEST_URI. */
char *virConnectGetURI(virConnectPtr connection)
{
	const char *uri = getenv("GPUVM_TEST_URI");

	(void)connection;
	return mem_strdup(uri == NULL ? "qemu:///system" : uri);
}

static char testhv_asked[200]; /* who was asked to shut down: "a b " */

int virDomainShutdownFlags(virDomainPtr domain, unsigned flags)
{
	assert_int_equal(flags, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN);
	snprintf(testhv_asked + strlen(testhv_asked), sizeof testhv_asked - strlen(testhv_asked),
		 "%s ", virDomainGetName(domain));
	if (text_starts(virDomainGetName(domain), "deaf"))
		return 0;
	if (text_starts(virDomainGetName(domain), "sleepy") &&
	    strstr(testhv_asked, "sleepy sleepy sleepy ") == NULL)
		return 0;
	if (text_starts(virDomainGetName(domain), "mute"))
		return virDomainCreate(domain); /* fails: it runs already */
	return virDomainShutdown(domain);
}

/* What the last one was undefined with. */
static unsigned testhv_undefined_with;

int virDomainUndefineFlags(virDomainPtr domain, unsigned flags)
{
	testhv_undefined_with = flags;
	assert_int_equal((flags & VIR_DOMAIN_UNDEFINE_NVRAM) != 0,
			 (flags & VIR_DOMAIN_UNDEFINE_KEEP_NVRAM) == 0);
	assert_true((flags & VIR_DOMAIN_UNDEFINE_MANAGED_SAVE) != 0);
	assert_true((flags & VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA) != 0);
	return virDomainUndefine(domain);
}

static inline struct hv *testhv_open(const char *uri)
{
	struct fail fail = { 0 };
	struct hv *hv = NULL;

	assert_works(hv_open(uri, HV_WRITE, &hv, &fail), &fail);
	return hv;
}

/* A domain of the test driver; @inside comes before its devices, which are @devices. The caller frees. */
static inline char *testhv_xml(const char *name, const char *uuid, const char *inside,
			       const char *devices)
{
	return text_format("<domain type='test' "
			   "xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>"
			   "<name>%s</name><uuid>%s</uuid><memory>1024</memory><vcpu>4</vcpu>"
			   "<os><type>hvm</type></os>%s<devices>%s</devices></domain>",
			   name, uuid, inside, devices);
}

/* A device of such a domain: a function of the host. */
#define TESTHV_HOSTDEV(bus, slot, function)                                                        \
	"<hostdev mode='subsystem' type='pci' managed='yes'><source>"                              \
	"<address domain='0' bus='" bus "' slot='" slot "' function='" function                    \
	"'/></source></hostdev>"

/* Whoever runs the test. */
static inline unsigned testhv_uid(void)
{
	CLEANUP(owner) struct owner *owner = owner_of_caller();

	return owner->uid;
}

/* gpuvm's metadata of a VM of @uid, with more in it. The caller frees. */
static inline char *testhv_metadata(unsigned uid, const char *more)
{
	return text_format("<metadata><g:vm xmlns:g='urn:gpuvm:vm:1'>"
			   "<g:owner uid='%u' name='alice'/>%s</g:vm></metadata>",
			   uid, more);
}

static inline void testhv_define(struct hv *hv, const char *xml)
{
	struct fail fail = { 0 };

	assert_works(hv_define(hv, xml, &fail), &fail);
}

static inline void testhv_start(struct hv *hv, const char *uuid)
{
	struct fail fail = { 0 };

	assert_int_equal(hv_start(hv, uuid, NULL, &fail), 0);
}

static inline bool testhv_is_active(struct hv *hv, const char *uuid)
{
	struct fail fail = { 0 };
	bool active = false;

	assert_int_equal(hv_is_active(hv, uuid, &active, &fail), 0);
	return active;
}

/* All domains and their definitions in one text, to be compared. The caller frees. */
static inline char *testhv_everything(struct hv *hv)
{
	CLEANUP(hv_domains) struct hv_domains *domains = NULL;
	struct fail fail = { 0 };
	char *text = NULL;

	assert_int_equal(hv_domains_read(hv, &domains, &fail), 0);
	for (size_t i = 0; i < domains->count; i++)
		text_add(&text, "%s %s\n", hv_state_name(domains->domains[i].state),
			 domains->domains[i].xml);
	return text;
}

/* The URI of a host of @domains alone, described in @directory. The caller frees. */
static inline char *testhv_node(const char *directory, const char *domains)
{
	CLEANUP(text) char *text = text_format("<node>%s</node>", domains);
	CLEANUP(text) char *path = scratch_write(directory, "node.xml", text);

	return text_format("test://%s", path);
}

#endif
