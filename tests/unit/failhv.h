/* SPDX-License-Identifier: MIT */
/*
 * For unit tests: a libvirt whose call number N fails. The linker's --wrap (tests/meson.build) puts each function
 * below between vmm/hv*.c and the test driver; the tests' own calls pass too, and count only while it is armed.
 *
 * It also moves the functions of a domain between drivers, as managed='yes' does, by the links of the live
 * host's sysfs (livehost.h): to vfio-pci when the domain starts, and back when it ends or they are reattached.
 * Those of a domain named "keeps..." stay on vfio-pci when it ends.
 */
#ifndef GPUVM_TESTS_FAILHV_H
#define GPUVM_TESTS_FAILHV_H

#include <dirent.h>
#include <string.h>

#include "tests/unit/livehost.h"
#include "tests/unit/teststorage.h"
#include "vmm/guest.h"

enum failhv_mode {
	FAILHV_REFUSED, /* it fails */
	FAILHV_LOST,    /* it does what it is asked, and its answer is lost */
	FAILHV_HALFWAY, /* as refused; a start leaves the devices detached, as a daemon that dies does */
	FAILHV_GONE, /* it fails, and so does every call after it: the daemon is gone */
	FAILHV_RESTARTED, /* as half way, and so does every call until a new connection: another daemon */
	FAILHV_MODES,
	FAILHV_KILLED_BEFORE = FAILHV_MODES, /* gpuvm is killed in place of the call */
	FAILHV_KILLED_AFTER,                 /* it is done, and gpuvm is killed */
};

static const char *const failhv_mode_names[] = { "refused",     "answer lost",      "half way",
						 "daemon gone", "daemon restarted", "killed before",
						 "killed after" };

/* What it knows, ended by NULL. */
static const char *const failhv_calls[] = {
	"virConnectListAllDomains",
	"virConnectListAllStoragePools",
	"virConnectOpen",
	"virDomainCreateWithFlags",
	"virDomainDefineXMLFlags",
	"virDomainDestroy",
	"virDomainGetState",
	"virDomainGetXMLDesc",
	"virDomainIsActive",
	"virDomainIsPersistent",
	"virDomainLookupByName",
	"virDomainLookupByUUIDString",
	"virDomainMemoryStats",
	"virDomainSetMetadata",
	"virDomainShutdownFlags",
	"virDomainUndefineFlags",
	"virNetworkIsActive",
	"virNetworkLookupByName",
	"virNodeDeviceFree",
	"virNodeDeviceLookupByName",
	"virNodeDeviceReAttach",
	"virStoragePoolBuild",
	"virStoragePoolCreate",
	"virStoragePoolDefineXML",
	"virStoragePoolGetXMLDesc",
	"virStoragePoolIsActive",
	"virStoragePoolLookupByName",
	"virStoragePoolLookupByVolume",
	"virStoragePoolRefresh",
	"virStoragePoolSetAutostart",
	"virStoragePoolUndefine",
	"virStorageVolCreateXML",
	"virStorageVolDelete",
	"virStorageVolGetXMLDesc",
	"virStorageVolLookupByName",
	"virStorageVolLookupByPath",
	"virStorageVolResize",
	"virStorageVolUpload",
	"virStreamFinish",
	"virStreamSend",
	NULL,
};

struct failhv {
	enum failhv_mode mode;
	unsigned at; /* the call that fails, from 1; 0: not armed */
	unsigned calls;
	const char *failed;             /* the first that did; NULL: none */
	virConnectPtr asked_for_nobody; /* not NULL: the error is that there is no such domain */
	void (*dies)(const char *call); /* the last that a killed process does; may be NULL */
};

static struct failhv failhv;

static inline void failhv_arm(enum failhv_mode mode, unsigned at)
{
	failhv = (struct failhv){ .mode = mode, .at = at };
}

static inline void failhv_disarm(void)
{
	failhv.at = 0;
}

virDomainPtr __real_virDomainLookupByName(virConnectPtr connection, const char *name);

/* Whether a call that fails is done all the same. */
static inline bool failhv_is_done(void)
{
	return failhv.mode == FAILHV_LOST || failhv.mode == FAILHV_KILLED_AFTER;
}

static inline void failhv_die(void)
{
	failhv_disarm();
	if (failhv.dies != NULL)
		failhv.dies(failhv.failed);
	raise(SIGKILL);
}

/* Some error of libvirt's own: the library lets nobody else set one. */
static inline void failhv_raise(void)
{
	if (failhv.mode >= FAILHV_MODES)
		failhv_die();
	if (failhv.asked_for_nobody == NULL)
		assert_int_equal(virConnectRef(NULL), -1);
	else
		assert_null(__real_virDomainLookupByName(failhv.asked_for_nobody, "nobody"));
}

/* Counts a call; whether it is to fail. */
static inline bool failhv_fails(const char *name)
{
	bool lasts = failhv.mode == FAILHV_GONE || failhv.mode == FAILHV_RESTARTED;

	if (failhv.mode == FAILHV_RESTARTED && failhv.failed != NULL &&
	    text_equal(name, "virConnectOpen"))
		failhv_disarm();
	if (failhv.at == 0)
		return false;
	failhv.calls++;
	if (failhv.calls < failhv.at || (failhv.calls > failhv.at && !lasts))
		return false;
	if (failhv.failed == NULL)
		failhv.failed = name;
	return true;
}

static inline char *failhv_driver_link(const char *address)
{
	return text_format("/sys/bus/pci/devices/%s/driver", address);
}

/* Every function's driver, a line each, to be compared. The caller frees. */
static inline char *failhv_drivers(void)
{
	CLEANUP(dir) DIR *dir = opendir("/sys/bus/pci/devices");
	const struct dirent *entry;
	CLEANUP(text) char *text = mem_strdup("");

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		CLEANUP(text) char *link = failhv_driver_link(entry->d_name);
		char target[256] = "";

		if (readlink(link, target, sizeof target - 1) > 0)
			text_add(&text, "%s %s\n", entry->d_name, strrchr(target, '/') + 1);
	}
	return STEAL(text);
}

static char *failhv_home;

/* Where every function is at this moment is where libvirt brings it back to: the setup of a group of tests. */
static inline int failhv_remember(void **state)
{
	(void)state;
	free(failhv_home);
	failhv_home = failhv_drivers();
	return 0;
}

#define FAILHV_DECLARE(type, name, parameters)                                                     \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;

/* A call that asks. */
#define FAILHV_ASK(type, name, parameters, arguments, failure)                                     \
	FAILHV_DECLARE(type, name, parameters)                                                     \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		if (!failhv_fails(#name))                                                          \
			return __real_##name arguments;                                            \
		failhv_raise();                                                                    \
		return failure;                                                                    \
	}

/* A call that changes @domain: @done is run once it has, @half if it fails half way. */
#define FAILHV_DO(name, parameters, arguments, done, half)                                         \
	FAILHV_DECLARE(int, name, parameters)                                                      \
	int __wrap_##name parameters                                                               \
	{                                                                                          \
		bool fails = failhv_fails(#name);                                                  \
                                                                                                   \
		if (!fails || failhv_is_done()) {                                                  \
			int result = __real_##name arguments;                                      \
                                                                                                   \
			if (result == 0) {                                                         \
				done;                                                              \
			}                                                                          \
			if (!fails)                                                                \
				return result;                                                     \
		} else if (failhv.mode == FAILHV_HALFWAY || failhv.mode == FAILHV_RESTARTED) {     \
			half;                                                                      \
		}                                                                                  \
		failhv_raise();                                                                    \
		return -1;                                                                         \
	}

FAILHV_ASK(virConnectPtr, virConnectOpen, (const char *uri), (uri), NULL)
FAILHV_ASK(int, virConnectListAllDomains,
	   (virConnectPtr connection, virDomainPtr **domains, unsigned flags),
	   (connection, domains, flags), -1)
FAILHV_ASK(int, virDomainGetState, (virDomainPtr domain, int *state, int *reason, unsigned flags),
	   (domain, state, reason, flags), -1)
FAILHV_ASK(char *, virDomainGetXMLDesc, (virDomainPtr domain, unsigned flags), (domain, flags),
	   NULL)
FAILHV_ASK(int, virDomainIsActive, (virDomainPtr domain), (domain), -1)
FAILHV_ASK(int, virDomainIsPersistent, (virDomainPtr domain), (domain), -1)
FAILHV_ASK(virDomainPtr, virDomainLookupByName, (virConnectPtr connection, const char *name),
	   (connection, name), NULL)
FAILHV_ASK(virDomainPtr, virDomainLookupByUUIDString, (virConnectPtr connection, const char *uuid),
	   (connection, uuid), NULL)
FAILHV_ASK(int, virDomainMemoryStats,
	   (virDomainPtr domain, virDomainMemoryStatPtr stats, unsigned count, unsigned flags),
	   (domain, stats, count, flags), -1)
FAILHV_ASK(virNetworkPtr, virNetworkLookupByName, (virConnectPtr connection, const char *name),
	   (connection, name), NULL)
FAILHV_ASK(int, virNetworkIsActive, (virNetworkPtr network), (network), -1)

FAILHV_DECLARE(virDomainPtr, virDomainDefineXMLFlags,
	       (virConnectPtr connection, const char *xml, unsigned flags))
virDomainPtr __wrap_virDomainDefineXMLFlags(virConnectPtr connection, const char *xml,
					    unsigned flags)
{
	bool fails = failhv_fails("virDomainDefineXMLFlags");
	virDomainPtr domain = fails && !failhv_is_done()
				      ? NULL
				      : __real_virDomainDefineXMLFlags(connection, xml, flags);

	if (!fails)
		return domain;
	if (domain != NULL)
		virDomainFree(domain);
	failhv_raise();
	return NULL;
}

/* Where libvirt found @address, by failhv_remember(); "": on no driver. */
static inline void failhv_bring_home(const char *address)
{
	const char *line = strstr(failhv_home == NULL ? "" : failhv_home, address);
	char driver[64] = "";

	if (line != NULL)
		sscanf(line + strlen(address), " %63[^\n]", driver);
	hosts_bind("", address, driver);
}

/* Whatever happened, all is as it was remembered. */
static inline void failhv_restore(void)
{
	char address[16], driver[64];

	for (const char *line = failhv_home; sscanf(line, "%15s %63s", address, driver) == 2;
	     line = strchr(line, '\n') + 1)
		hosts_bind("", address, driver);
}

static inline void failhv_move(virDomainPtr domain, bool to_vfio)
{
	CLEANUP(guest) struct guest *guest = NULL;
	CLEANUP(text) char *xml = __real_virDomainGetXMLDesc(domain, 0);
	struct fail fail = { 0 };

	assert_non_null(xml);
	assert_int_equal(guest_parse(xml, &guest, &fail), 0);
	for (size_t i = 0; i < guest->hostdev_count; i++)
		if (to_vfio)
			hosts_bind("", guest->hostdevs[i], "vfio-pci");
		else
			failhv_bring_home(guest->hostdevs[i]);
}

static inline void failhv_ended(virDomainPtr domain)
{
	if (__real_virDomainIsActive(domain) == 0 &&
	    !text_starts(virDomainGetName(domain), "keeps"))
		failhv_move(domain, false);
}

FAILHV_DO(virDomainCreateWithFlags, (virDomainPtr domain, unsigned flags), (domain, flags),
	  failhv_move(domain, true), failhv_move(domain, true))
FAILHV_DO(virDomainShutdownFlags, (virDomainPtr domain, unsigned flags), (domain, flags),
	  failhv_ended(domain), )
FAILHV_DO(virDomainDestroy, (virDomainPtr domain), (domain), failhv_ended(domain), )
FAILHV_DO(virDomainSetMetadata,
	  (virDomainPtr domain, int type, const char *metadata, const char *key, const char *uri,
	   unsigned flags),
	  (domain, type, metadata, key, uri, flags), , )
FAILHV_DO(virDomainUndefineFlags, (virDomainPtr domain, unsigned flags), (domain, flags), , )

FAILHV_ASK(int, virConnectListAllStoragePools,
	   (virConnectPtr connection, virStoragePoolPtr **pools, unsigned flags),
	   (connection, pools, flags), -1)
FAILHV_ASK(virStoragePoolPtr, virStoragePoolLookupByName,
	   (virConnectPtr connection, const char *name), (connection, name), NULL)
FAILHV_ASK(virStoragePoolPtr, virStoragePoolLookupByVolume, (virStorageVolPtr volume), (volume),
	   NULL)
FAILHV_ASK(char *, virStoragePoolGetXMLDesc, (virStoragePoolPtr pool, unsigned flags),
	   (pool, flags), NULL)
FAILHV_ASK(int, virStoragePoolIsActive, (virStoragePoolPtr pool), (pool), -1)
FAILHV_ASK(virStorageVolPtr, virStorageVolLookupByName, (virStoragePoolPtr pool, const char *name),
	   (pool, name), NULL)
FAILHV_ASK(virStorageVolPtr, virStorageVolLookupByPath,
	   (virConnectPtr connection, const char *path), (connection, path), NULL)
FAILHV_ASK(char *, virStorageVolGetXMLDesc, (virStorageVolPtr volume, unsigned flags),
	   (volume, flags), NULL)
FAILHV_ASK(int, virStreamSend, (virStreamPtr stream, const char *bytes, size_t length),
	   (stream, bytes, length), -1)
FAILHV_ASK(int, virStreamFinish, (virStreamPtr stream), (stream), -1)

/* A call that makes something of @type. */
#define FAILHV_MAKE(type, name, parameters, arguments, release)                                    \
	FAILHV_DECLARE(type, name, parameters)                                                     \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		bool fails = failhv_fails(#name);                                                  \
		type made = fails && !failhv_is_done() ? NULL : __real_##name arguments;           \
                                                                                                   \
		if (!fails)                                                                        \
			return made;                                                               \
		if (made != NULL)                                                                  \
			release(made);                                                             \
		failhv_raise();                                                                    \
		return NULL;                                                                       \
	}

FAILHV_MAKE(virStoragePoolPtr, virStoragePoolDefineXML,
	    (virConnectPtr connection, const char *xml, unsigned flags), (connection, xml, flags),
	    virStoragePoolFree)
FAILHV_MAKE(virStorageVolPtr, virStorageVolCreateXML,
	    (virStoragePoolPtr pool, const char *xml, unsigned flags), (pool, xml, flags),
	    virStorageVolFree)
FAILHV_DO(virStoragePoolBuild, (virStoragePoolPtr pool, unsigned flags), (pool, flags), , )
FAILHV_DO(virStoragePoolCreate, (virStoragePoolPtr pool, unsigned flags), (pool, flags), , )
FAILHV_DO(virStoragePoolRefresh, (virStoragePoolPtr pool, unsigned flags), (pool, flags), , )
FAILHV_DO(virStoragePoolSetAutostart, (virStoragePoolPtr pool, int autostart), (pool, autostart),
	  , )
FAILHV_DO(virStoragePoolUndefine, (virStoragePoolPtr pool), (pool), , )
FAILHV_DO(virStorageVolDelete, (virStorageVolPtr volume, unsigned flags), (volume, flags), , )
FAILHV_DO(virStorageVolResize,
	  (virStorageVolPtr volume, unsigned long long capacity, unsigned flags),
	  (volume, capacity, flags), , )
FAILHV_DO(virStorageVolUpload,
	  (virStorageVolPtr volume, virStreamPtr stream, unsigned long long offset,
	   unsigned long long length, unsigned flags),
	  (volume, stream, offset, length, flags), , )

/* The driver knows no PCI devices: a device here is its name, "pci_0000_17_00_0". */
FAILHV_DECLARE(virNodeDevicePtr, virNodeDeviceLookupByName,
	       (virConnectPtr connection, const char *name))
virNodeDevicePtr __wrap_virNodeDeviceLookupByName(virConnectPtr connection, const char *name)
{
	(void)connection;
	if (!failhv_fails("virNodeDeviceLookupByName"))
		return (virNodeDevicePtr)(void *)mem_strdup(name);
	failhv_raise();
	return NULL;
}

FAILHV_DECLARE(int, virNodeDeviceReAttach, (virNodeDevicePtr device))
int __wrap_virNodeDeviceReAttach(virNodeDevicePtr device)
{
	unsigned part[4];
	char address[DEVICE_ADDRESS_BYTES];
	bool fails = failhv_fails("virNodeDeviceReAttach");

	assert_int_equal(sscanf((const char *)(void *)device, "pci_%4x_%2x_%2x_%1x", &part[0],
				&part[1], &part[2], &part[3]),
			 4);
	snprintf(address, sizeof address, "%04x:%02x:%02x.%x", part[0], part[1], part[2], part[3]);
	if (!fails || failhv_is_done())
		failhv_bring_home(address);
	if (!fails)
		return 0;
	failhv_raise();
	return -1;
}

FAILHV_DECLARE(int, virNodeDeviceFree, (virNodeDevicePtr device))
int __wrap_virNodeDeviceFree(virNodeDevicePtr device)
{
	free((void *)device);
	return 0;
}

/* Nothing here happens later: whoever waits is told that time has passed. */
FAILHV_DECLARE(int, nanosleep, (const struct timespec *wanted, struct timespec *left))
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
	(void)wanted;
	(void)left;
	return 0;
}

#endif
