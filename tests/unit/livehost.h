/* SPDX-License-Identifier: MIT */
/*
 * For unit tests of whole starts: a host's snapshot made the live host by chroot(2), with libvirt's test driver
 * (testhv.h). The driver takes gpuvm's XML, but for the domain's type; a VM named "unwanted" it refuses.
 */
#ifndef GPUVM_TESTS_LIVEHOST_H
#define GPUVM_TESTS_LIVEHOST_H

#include <pwd.h>
#include <string.h>

#include "tests/unit/hosts.h"
#include "tests/unit/records.h"
#include "tests/unit/testhv.h"
#include "vmm/launch.h"
#include "vmm/lease.h"

#define LIVEHOST_LEASES "/leases"
#define LIVEHOST_BOOT   "a-boot"

/* A VM with one GPU, which the keys @gpu choose; or with any. */
#define LIVEHOST_SPEC_WITH(name, gpu, image, network)                                              \
	"[vm]\nname = " name "\nvcpus = 4\nmemory = 4 GiB\n[gpu]\n" gpu "\n[disk]\nimage = " image \
	"\n[network]\nsource = " network "\n"
#define LIVEHOST_SPEC(name, image) LIVEHOST_SPEC_WITH(name, "match = any", image, "none")

virDomainPtr virDomainDefineXMLFlags(virConnectPtr connection, const char *xml, unsigned flags)
{
	const char *type = strstr(xml, "<domain type=\"kvm\"");
	CLEANUP(text) char *text = NULL;

	assert_int_equal(flags, 0);
	if (strstr(xml, "<name>unwanted</name>") != NULL)
		return virDomainDefineXML(connection, "");
	if (type == NULL)
		return virDomainDefineXML(connection, xml);
	text = text_format("%.*s<domain type='test'%s", (int)(type - xml), xml,
			   type + strlen("<domain type=\"kvm\""));
	return virDomainDefineXML(connection, text);
}

/* In gpuvm's metadata: what the VM was started from. */
#define LIVEHOST_METADATA(spec) "<g:spec file='vm.ini' directory='/'>" spec "</g:spec>"

static inline struct launch_options livehost_options(void)
{
	return (struct launch_options){ .uri = TESTHV, .lease_directory = LIVEHOST_LEASES };
}

/* How many starts are under way. */
static inline size_t livehost_claims(void)
{
	CLEANUP(lease_records) struct lease_records *records = lease_scan(LIVEHOST_LEASES);

	return records->count;
}

/* The path of a spec of the VM @name, whose GPU the keys @gpu choose. The caller frees. */
static inline char *livehost_spec_with(const char *name, const char *gpu)
{
	CLEANUP(text)
	char *text = text_format(LIVEHOST_SPEC_WITH("%s", "%s", "/%s.qcow2", "none"), name, gpu,
				 name);
	CLEANUP(text) char *image = text_format("%s.qcow2", name);

	/* No two VMs have the same. */
	if (!text_equal(name, "vm"))
		free(scratch_write("", image, ""));
	return scratch_write("", "vm.ini", text);
}

static inline char *livehost_spec(const char *name)
{
	return livehost_spec_with(name, "match = any");
}

/* What a start of @target has done, which works. The caller frees. */
static inline struct launch *livehost_start(const char *target)
{
	const struct launch_options options = livehost_options();
	struct launch *launch = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	assert_works(launch_start(&options, target, &launch, &fail), &fail);
	return launch;
}

static inline void livehost_furnish(const char *directory)
{
	CLEANUP(text) char *dev = text_format("%s/dev", directory);
	CLEANUP(text) char *leases = text_format("%s" LIVEHOST_LEASES, directory);
	CLEANUP(text) char *random = text_format("%s/proc/sys/kernel/random", directory);

	(void)mkdir(dev, 0755);
	(void)mkdir(random, 0755);
	free(scratch_write(random, "boot_id", LIVEHOST_BOOT "\n"));
	assert_int_equal(mkdir(leases, 0755), 0);
	free(scratch_write(dev, "kvm", ""));
	free(scratch_write(directory, "vm.qcow2", ""));
	records_make(directory);
}

struct livehost_group {
	const char *host;
	const struct CMUnitTest *tests;
	size_t count;
	CMFixtureFunction setup; /* NULL: none */
};

/* Runs in a process of its own, as there is no way back; it takes what is loaded on demand along. */
static inline void livehost_enter(const struct livehost_group *group)
{
	CLEANUP(root) struct root *root = hosts_open(group->host);

	(void)getpwuid(0);
	hv_close(testhv_open(TESTHV));
	livehost_furnish(root->dir);
	if (chroot(root->dir) != 0 || chdir("/") != 0)
		_exit(1);
	_exit(_cmocka_run_group_tests("live", group->tests, group->count, group->setup, NULL));
}

static inline void on_a_live_host(void **state)
{
	const struct livehost_group *group = *state;
	pid_t child;
	int status = 0;

	if (!scratch_is_root())
		skip();
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		livehost_enter(group);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* As cmocka_run_group_tests(), with tests/hosts/HOST.host as the live one. Skips unless root. */
#define LIVEHOST_RUN_TESTS_ON(host, tests, setup)                                                  \
	livehost_run_tests(&(struct livehost_group){ host, tests, COUNT(tests), setup })

#define LIVEHOST_RUN_TESTS(tests, setup) LIVEHOST_RUN_TESTS_ON("gpu8", tests, setup)

static inline int livehost_run_tests(struct livehost_group *group)
{
	const struct CMUnitTest whole[] = { cmocka_unit_test_prestate(on_a_live_host, group) };

	return cmocka_run_group_tests(whole, NULL, NULL);
}

#endif
