// SPDX-License-Identifier: MIT
#include "firmware/version.h"

#include <string.h>

#include "tests/unit/hosts.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define STATUS       "var/lib/dpkg/status\t"
#define LIST         "var/lib/dpkg/info/ovmf.list\t"
#define IMAGE        "/usr/share/OVMF/OVMF_CODE_4M.fd"
#define OVMF(state, version)                                                                       \
	"Package: ovmf\\nStatus: " state "\\nArchitecture: all\\nVersion: " version "\\n\\n"
#define OTHER     "Package: ovmf-ia32\\nStatus: install ok installed\\nVersion: 2099.11-1\\n\\n"
#define INSTALLED "install ok installed"

static void a_package_tells_its_release(void **state)
{
	static const struct {
		const char *text;
		unsigned release;
		enum version_knob knob;
	} cases[] = {
		{ "2022.11-6+deb12u2", 202211, VERSION_KNOB_GROWS },
		{ "2025.02-8+deb13u1", 202502, VERSION_KNOB_DECIDES },
		{ "2025.02-8+deb13u1~bpo12+1", 202502, VERSION_KNOB_DECIDES },
		{ "2025.02-2", 202502, VERSION_KNOB_DECIDES },
		{ "2025.02-1", 202502, VERSION_KNOB_GROWS }, /* debian/changelog: patched in -2 */
		{ "2024.11-5", 202411, VERSION_KNOB_GROWS },
		{ "2025.05-1", 202505, VERSION_KNOB_DECIDES },
		{ "1:2025.08-1", 202508, VERSION_KNOB_DECIDES },
		{ "2024.02-2ubuntu0.4", 202402, VERSION_KNOB_UNKNOWN },
		{ "2022.02-3ubuntu0.22.04.3", 202202, VERSION_KNOB_GROWS },
		{ "2023.05", 202305, VERSION_KNOB_UNKNOWN },
		{ "2020.11-2+deb11u2", 202011, VERSION_KNOB_GROWS },
		{ "2022.11~rc1-1", 202211, VERSION_KNOB_GROWS },
		{ "0~20191122.bd85bf54-2", 0, VERSION_KNOB_UNKNOWN },
		{ "2022.13-1", 0, VERSION_KNOB_UNKNOWN },
		{ "2022.00-1", 0, VERSION_KNOB_UNKNOWN },
		{ "2022.1-1", 0, VERSION_KNOB_UNKNOWN },
		{ "2022.111-1", 0, VERSION_KNOB_UNKNOWN },
		{ "202211-1", 0, VERSION_KNOB_UNKNOWN },
		{ "-2022.11", 0, VERSION_KNOB_UNKNOWN },
		{ "edk2-stable202211", 0, VERSION_KNOB_UNKNOWN },
		{ "", 0, VERSION_KNOB_UNKNOWN },
		{ ":", 0, VERSION_KNOB_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct version version = { .release = 1 };

		version_parse(cases[i].text, &version);
		if (version.release != cases[i].release || version.knob != cases[i].knob)
			fail_msg("%s: %u, %d", cases[i].text, version.release, version.knob);
	}
}

static void the_package_of_the_image_counts(void **state)
{
	static const struct {
		const char *about, *lines, *image;
		const char *package; /* NULL: unknown */
	} cases[] = {
		{ "installed", STATUS OVMF(INSTALLED, "2022.11-6"), IMAGE, "ovmf 2022.11-6" },
		{ "held", STATUS OVMF("hold ok installed", "2022.11-6"), IMAGE, "ovmf 2022.11-6" },
		{ "beside others", STATUS OTHER OVMF(INSTALLED, "2022.11-6") OTHER, IMAGE,
		  "ovmf 2022.11-6" },
		{ "for Xen", STATUS OVMF(INSTALLED, "2022.11-6"), "/usr/share/ovmf/OVMF.fd",
		  "ovmf 2022.11-6" },
		{ "removed", STATUS OVMF("deinstall ok config-files", "2022.11-6"), IMAGE, NULL },
		{ "half of it", STATUS OVMF("install ok half-installed", "2022.11-6"), IMAGE,
		  NULL },
		{ "others only", STATUS OTHER, IMAGE, NULL },
		{ "no database", "sys/class/\n", IMAGE, NULL },
		{ "no version", STATUS "Package: ovmf\\nStatus: " INSTALLED "\\n\\n" OTHER, IMAGE,
		  NULL },
		{ "one's own", STATUS OVMF(INSTALLED, "2022.11-6"), "/srv/OVMF_CODE.fd", NULL },
		{ "none", STATUS OVMF(INSTALLED, "2022.11-6"), NULL, NULL },
		{ "in the list", STATUS OVMF(INSTALLED, "2022.11-6") "\n" LIST "/.\\n" IMAGE "\\n",
		  IMAGE, "ovmf 2022.11-6" },
		{ "put there by somebody",
		  STATUS OVMF(INSTALLED, "2022.11-6") "\n" LIST "/.\\n" IMAGE ".old\\n", IMAGE,
		  NULL },
		{ "hostile", STATUS OVMF(INSTALLED, "2022.11-6\x1b[2J"), IMAGE, "ovmf 2022.11-6" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *lines = text_format("sys/\n%s", cases[i].lines);
		CLEANUP(root) struct root *root = hosts_write("package", lines);
		CLEANUP(version) struct version *version = version_read(root, cases[i].image);

		if (cases[i].package == NULL
			    ? version->package != NULL || version->release != 0
			    : version->package == NULL ||
				      !text_starts(version->package, cases[i].package))
			fail_msg("%s: %s", cases[i].about, version->package);
		assert_true(version->package == NULL || strchr(version->package, '\x1b') == NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_package_tells_its_release),
		cmocka_unit_test(the_package_of_the_image_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
