// SPDX-License-Identifier: MIT
/* What libvirt and QEMU of this host lack. Sources: libvirt NEWS.rst and formatdomain.rst, QEMU's ChangeLog. */
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/package.h"
#include "vmm/base/text.h"
#include "vmm/check_internal.h"
#include "vmm/snapshot.h"

/* As hv_libvirt_version counts. */
#define VERSION(major, minor, micro) ((major)*1000000ul + (minor)*1000ul + (micro))

struct feature {
	unsigned long since;
	const char *without; /* what goes without it, on an older one */
};

static const struct feature libvirt_features[] = {
	{ VERSION(9, 3, 0), "a limit of address bits (maxphysaddr limit)" },
	{ VERSION(9, 7, 0), "virtual functions on a vendor's VFIO driver" },
	{ VERSION(10, 0, 0), "vendors' VFIO drivers chosen by themselves" },
	{ VERSION(11, 0, 0), "[share] readonly = yes" },
	{ 0, NULL },
};

static const struct feature qemu_features[] = {
	{ VERSION(8, 1, 0), "resizable BARs shown to the guest" },
	{ VERSION(9, 2, 0),
	  "large BARs mapped at once: a start with several of them takes minutes" },
	{ 0, NULL },
};

#define LEAST_LIBVIRT VERSION(9, 0, 0)
#define LEAST_QEMU    VERSION(7, 2, 0)

static char *version_format(unsigned long version)
{
	return text_format("%lu.%lu.%lu", version / 1000000, version / 1000 % 1000, version % 1000);
}

static void from_packages(struct check *check)
{
	CLEANUP(text) char *libvirt = package_version(check->root, "libvirt-daemon-driver-qemu");
	CLEANUP(text) char *qemu = package_version(check->root, "qemu-system-x86");

	check->libvirt_version = package_number(libvirt);
	check->qemu_version = package_number(qemu);
	if (libvirt != NULL || qemu != NULL)
		check->version_source = PACKAGE_DATABASE;
}

void check_versions(struct check *check)
{
	CLEANUP(snapshot_libvirt) struct snapshot_libvirt *libvirt = NULL;
	CLEANUP(fail) struct fail malformed = { 0 };

	check->libvirt_version = check->subject->libvirt_version;
	check->qemu_version = check->subject->qemu_version;
	check->version_source = "libvirt";
	if (check->libvirt_version != 0)
		return;
	if (!check->root->live && snapshot_libvirt_read(check->root, &libvirt, &malformed) == 0 &&
	    libvirt != NULL && libvirt->libvirt_version != 0) {
		check->libvirt_version = libvirt->libvirt_version;
		check->qemu_version = libvirt->qemu_version;
		check->version_source = "/gpuvm/libvirt.json";
		return;
	}
	check->version_source = NULL;
	from_packages(check);
}

static void judge(const struct check *check, unsigned long version, unsigned long least,
		  const struct feature *features, const char *package, struct findings *findings)
{
	CLEANUP(text) char *shown = version_format(version);
	CLEANUP(text) char *oldest = version_format(least);
	char *lacks = NULL;

	if (version == 0) {
		check_add(findings, FINDING_NOT_CHECKED, NULL, check->version_source,
			  mem_strdup("its version is not told"), NULL);
		return;
	}
	if (version < least) {
		check_add(
			findings, FINDING_FAILED, NULL, check->version_source,
			text_format("version %s, gpuvm needs %s", shown, oldest),
			text_format("upgrade to Debian 12 or later: sudo apt install %s", package));
		return;
	}
	for (; features->without != NULL; features++) {
		CLEANUP(text) char *since = version_format(features->since);

		if (version < features->since)
			text_add(&lacks, "%s%s (from %s)", lacks == NULL ? "" : ", ",
				 features->without, since);
	}
	if (lacks == NULL)
		check_add(findings, FINDING_OK, NULL, check->version_source,
			  text_format("version %s", shown), NULL);
	else
		check_add(findings, FINDING_WARNING, NULL, check->version_source,
			  text_format("version %s, without: %s", shown, lacks),
			  mem_strdup("nothing, if you need none of that; else Debian 13 has newer "
				     "ones"));
	free(lacks);
}

void check_libvirt(const struct check *check, struct findings *findings)
{
	const struct fail *unknown = check->subject->libvirt_unknown;

	if (unknown != NULL && unknown->item_count > 0)
		check_add_fail(findings, NULL, NULL, unknown);
	else
		judge(check, check->libvirt_version, LEAST_LIBVIRT, libvirt_features,
		      "libvirt-daemon-system", findings);
}

void check_qemu(const struct check *check, struct findings *findings)
{
	judge(check, check->qemu_version, LEAST_QEMU, qemu_features, "qemu-system-x86", findings);
}
