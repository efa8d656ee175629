/* SPDX-License-Identifier: MIT */
/*
 * Which release of edk2 an OVMF image was built from: the rules of the 64-bit window (window.h) changed from
 * release to release. Nothing in an image tells (its volumes are compressed), so the package database behind the
 * root does. There is no table of checksums: an image that no package owns has no release that could be looked up.
 */
#ifndef GPUVM_FIRMWARE_VERSION_H
#define GPUVM_FIRMWARE_VERSION_H

#include "vmm/base/cleanup.h"
#include "vmm/base/root.h"

/* What opt/ovmf/X-PciMmio64Mb does to the window. */
enum version_knob {
	VERSION_KNOB_UNKNOWN, /* one of the two; a distribution may have taken the newer one into an older release */
	VERSION_KNOB_GROWS, /* no more than makes it larger than it is by itself */
	VERSION_KNOB_DECIDES, /* is its size, a smaller one too; edk2 commit 9ac1704af6, edk2-stable202505, and
			       * Debian's edk2 from 2025.02-2 on (debian/changelog) */
};

struct version {
	unsigned release; /* year and month of the edk2-stable release, 202211; 0: unknown */
	enum version_knob knob;
	char *package; /* "ovmf 2022.11-6+deb12u2"; NULL: no package of a known kind owns the image */
};

/*
 * The release of the image at @executable, a path on the host. Debian's and Ubuntu's package ovmf is known by
 * where it puts its images, by /var/lib/dpkg/status, and by its list of files if the root has that. Anything else
 * is unknown. Cannot fail. Release with version_free().
 */
struct version *version_read(const struct root *root, const char *executable);
void version_free(struct version *version);
CLEANUP_DEFINE(version, struct version, version_free)

/* Fills release and knob of @ret_version from a package's version ("2025.02-8+deb13u1"); unknown if it is not one
 * of edk2's. */
void version_parse(const char *text, struct version *ret_version);

#endif
