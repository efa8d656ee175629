// SPDX-License-Identifier: MIT
/* What libvirt and QEMU of this host lack. Sources: libvirt NEWS.rst and formatdomain.rst, QEMU's ChangeLog. */
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/check_internal.h"
#include "vmm/snapshot.h"

#define PACKAGES "/var/lib/dpkg/status"

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

/* "1:7.2+dfsg-7+deb12u18" as 7002000. */
static unsigned long version_parse(const char *text)
{
	const char *colon = strchr(text, ':');
	unsigned long parts[3] = { 0 };
	char *end = (char *)(colon == NULL ? text : colon + 1);

	for (int i = 0; i < 3; i++) {
		parts[i] = strtoul(end, &end, 10);
		if (*end != '.')
			break;
		end++;
	}
	return VERSION(parts[0], parts[1] % 1000, parts[2] % 1000);
}

/* The version of an installed package; 0: it is not there. */
static unsigned long package_version(const char *status, const char *package)
{
	CLEANUP(text) char *first = text_format("Package: %s\n", package);
	const char *at = strstr(status, first);
	const char *version = at == NULL ? NULL : strstr(at, "\nVersion: ");
	const char *end = at == NULL ? NULL : strstr(at, "\n\n");

	return version == NULL || (end != NULL && version > end)
		       ? 0
		       : version_parse(version + strlen("\nVersion: "));
}

static void from_packages(struct check *check)
{
	CLEANUP(text) char *status = root_bytes(check->root, NULL, PACKAGES);

	if (status == NULL)
		return;
	check->libvirt_version = package_version(status, "libvirt-daemon");
	check->qemu_version = package_version(status, "qemu-system-x86");
	check->version_source = PACKAGES;
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
