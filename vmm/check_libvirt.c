// SPDX-License-Identifier: MIT
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/check_internal.h"

#define GROUP_FILE "/etc/group"
#define TEMPLATE   "/etc/apparmor.d/libvirt/TEMPLATE.qemu"
#define APPARMOR   "/sys/module/apparmor/parameters/enabled"
#define SELINUX    "/sys/fs/selinux/enforce"

/* The value of the last line "KEY=value" that is no comment, without quotes; NULL: there is none. */
static char *shell_value(const char *text, const char *key)
{
	CLEANUP(text) char *copy = mem_strdup(text);
	char *rest = copy;
	char *value = NULL;
	char *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		line = text_trim(line);
		if (!text_starts(line, key) || line[strlen(key)] != '=')
			continue;
		line += strlen(key) + 1;
		line += strspn(line, "\"'");
		free(value);
		value = mem_strndup(line, strcspn(line, "\"' \t#"));
	}
	return value;
}

void check_libvirt_guests(const struct check *check, struct findings *findings)
{
	static const char *const files[] = { "/etc/default/libvirt-guests",
					     "/etc/sysconfig/libvirt-guests" };

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		CLEANUP(text) char *text = root_text(check->root, "%s", files[i]);
		CLEANUP(text) char *value = text == NULL ? NULL : shell_value(text, "ON_SHUTDOWN");

		if (text == NULL)
			continue;
		if (text_equal(value, "suspend"))
			check_add(findings, FINDING_WARNING, NULL, files[i],
				  mem_strdup("ON_SHUTDOWN=suspend"),
				  text_format("write ON_SHUTDOWN=shutdown in %s, or have gpuvm end "
					      "its VMs: sudo systemctl enable --now gpuvm-shutdown",
					      files[i]));
		else
			check_add(findings, FINDING_OK, NULL, files[i],
				  text_format("ON_SHUTDOWN=%s",
					      value == NULL ? "shutdown (not written)" : value),
				  NULL);
		return;
	}
	check_add(findings, FINDING_OK, NULL, files[0], mem_strdup("there is no such service"),
		  NULL);
}

void check_confinement(const struct check *check, struct findings *findings)
{
	CLEANUP(text) char *apparmor = root_text(check->root, APPARMOR);
	int64_t selinux = root_number(check->root, -1, SELINUX);

	if (selinux == 1)
		check_add(findings, FINDING_WARNING, NULL, SELINUX,
			  mem_strdup("SELinux is enforced, with which gpuvm was never tried"),
			  mem_strdup("if QEMU may not open something: sudo ausearch -m avc -c "
				     "qemu-system-x86"));
	else if (!text_equal(apparmor, "Y"))
		check_add(findings, FINDING_OK, NULL, APPARMOR,
			  mem_strdup("neither AppArmor nor SELinux confines QEMU"), NULL);
	else if (root_exists(check->root, TEMPLATE) || errno == EACCES)
		check_add(findings, FINDING_OK, NULL, TEMPLATE,
			  mem_strdup("AppArmor, with libvirt's profile of a VM"), NULL);
	else
		check_add(findings, FINDING_WARNING, NULL, TEMPLATE,
			  mem_strdup("AppArmor is on, but libvirt's profile of a VM is not there"),
			  mem_strdup("sudo apt install --reinstall libvirt-daemon-system   (the "
				     "profile of a VM is libvirt-UUID; see: sudo aa-status)"));
}

/* Whether the running process has @gid, which is only so after a new login. */
static bool has_group(gid_t gid)
{
	int count = getgroups(0, NULL);
	gid_t *groups = mem_alloc((size_t)(count < 0 ? 0 : count), sizeof *groups);
	bool found = getegid() == gid;

	count = getgroups(count < 0 ? 0 : count, groups);
	for (int i = 0; i < count; i++)
		found = found || groups[i] == gid;
	free(groups);
	return found;
}

/* The number of the group "libvirt" behind the root; -1: there is none. */
static long group_id(const char *groups)
{
	const char *line = text_starts(groups, "libvirt:") ? groups : strstr(groups, "\nlibvirt:");
	const char *second = line == NULL ? NULL : strchr(strchr(line, ':') + 1, ':');

	return second == NULL ? -1 : strtol(second + 1, NULL, 10);
}

void check_group(const struct check *check, struct findings *findings)
{
	CLEANUP(text) char *groups = root_bytes(check->root, NULL, GROUP_FILE);
	long gid = groups == NULL ? -1 : group_id(groups);

	if (groups == NULL)
		check_add_unread(findings, GROUP_FILE);
	else if (gid < 0)
		check_add(findings, FINDING_WARNING, NULL, GROUP_FILE,
			  mem_strdup("there is no group libvirt"),
			  mem_strdup("sudo apt install libvirt-daemon-system"));
	else if (!check->root->live)
		check_add(
			findings, FINDING_OK, NULL, GROUP_FILE,
			mem_strdup(
				"there is a group libvirt; who is in it a snapshot does not tell"),
			NULL);
	else if (geteuid() == 0)
		check_add(findings, FINDING_OK, NULL, GROUP_FILE, mem_strdup("you are root"), NULL);
	else if (has_group((gid_t)gid))
		check_add(findings, FINDING_OK, NULL, GROUP_FILE, mem_strdup("you are"), NULL);
	else
		check_add(findings, FINDING_WARNING, NULL, GROUP_FILE,
			  mem_strdup("you are not, or were not when you logged in"),
			  mem_strdup("sudo adduser $USER libvirt   then log in again"));
}
