// SPDX-License-Identifier: MIT
#include "vmm/preflight.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

int preflight_host(const struct host *host, struct fail *fail)
{
	if (!host->has_kvm) {
		fail_add(fail, FAIL_HOST, "this host cannot run VMs at full speed: no KVM");
		fail_cause(fail, "%s",
			   host->live ? "/dev/kvm does not exist"
				      : "neither kvm_intel nor kvm_amd is loaded");
		fail_hint(fail, "enable VT-x or SVM in the firmware's settings, then: sudo "
				"modprobe kvm_intel || sudo modprobe kvm_amd");
		return fail_finding(fail, "kvm");
	}
	if (!host->has_vfio_pci) {
		fail_add(fail, FAIL_HOST, "this host's kernel has no vfio-pci driver");
		fail_cause(fail, "the module is neither loaded nor installed");
		fail_hint(fail, "boot a kernel with CONFIG_VFIO_PCI (Debian: sudo apt "
				"install linux-image-amd64)");
		return fail_finding(fail, "vfio");
	}
	return 0;
}

/* The account that QEMU runs as, by the names that distributions give it. */
static const struct passwd *qemu_account(void)
{
	static const char *const names[] = { "libvirt-qemu", "qemu" };
	const struct passwd *account = NULL;

	for (size_t i = 0; account == NULL && i < sizeof names / sizeof *names; i++)
		account = getpwnam(names[i]);
	return account;
}

static bool account_in_group(const struct passwd *account, gid_t gid)
{
	const struct group *group = getgrgid(gid);

	if (account->pw_gid == gid)
		return true;
	for (char **member = group == NULL ? NULL : group->gr_mem;
	     member != NULL && *member != NULL; member++)
		if (text_equal(*member, account->pw_name))
			return true;
	return false;
}

static bool may_traverse(const char *directory, const struct passwd *account)
{
	struct stat info;

	if (stat(directory, &info) != 0)
		return true;
	/* An ACL may say more than the mode does. */
	if (getxattr(directory, "system.posix_acl_access", NULL, 0) > 0)
		return true;
	if (info.st_uid == account->pw_uid)
		return info.st_mode & S_IXUSR;
	if (account_in_group(account, info.st_gid))
		return info.st_mode & S_IXGRP;
	return info.st_mode & S_IXOTH;
}

/* The first folder above @path that QEMU's user may not enter, or NULL. The caller frees. */
static char *closed_folder(const char *path)
{
	const struct passwd *account = qemu_account();
	CLEANUP(text) char *folder = mem_strdup(path);

	if (account == NULL)
		return NULL;
	for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (!may_traverse(folder, account))
			return STEAL(folder);
		*slash = '/';
	}
	return NULL;
}

static int check_image(const struct spec *spec, const struct spec_disk *disk, bool *ret_is_block,
		       struct fail *fail)
{
	CLEANUP(text) char *closed = NULL;
	CLEANUP(text) char *image = NULL;
	struct stat info;

	if (stat(disk->image, &info) != 0 && errno != EACCES) {
		fail_add(fail, FAIL_SPEC, "%s image = %s: there is no such disk image", disk->label,
			 disk->image);
		fail_cause(fail, "%s", strerror(errno));
		if (strstr(disk->image, " #") != NULL)
			fail_hint(fail, "a comment behind a value starts with ;");
		else
			fail_hint(fail,
				  "put a bootable UEFI disk image there, or correct the path");
		return fail_at(fail, spec->file, disk->line);
	} else if (errno == EACCES) {
		*ret_is_block = text_starts(disk->image, "/dev/");
	} else if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode)) {
		fail_add(fail, FAIL_SPEC, "%s image = %s: neither a file nor a block device",
			 disk->label, disk->image);
		return fail_at(fail, spec->file, disk->line);
	} else {
		*ret_is_block = S_ISBLK(info.st_mode);
	}
	closed = closed_folder(disk->image);
	if (closed == NULL)
		return 0;
	image = text_shell(disk->image);
	fail_add(fail, FAIL_HOST, "%s image = %s: QEMU cannot reach this folder", disk->label,
		 disk->image);
	fail_cause(fail, "the user that QEMU runs as (%s) may not enter %s",
		   qemu_account()->pw_name, closed);
	fail_hint(fail, "move it, and say so in the spec: sudo mv %s /var/lib/libvirt/images/",
		  image);
	return fail_at(fail, spec->file, disk->line);
}

int preflight_images(const struct spec *spec, bool *ret_is_block, struct fail *fail)
{
	for (size_t i = 0; i < spec->disk_count; i++) {
		errno = 0;
		if (spec->disks[i].image != NULL &&
		    check_image(spec, &spec->disks[i], &ret_is_block[i], fail) < 0)
			return -1;
	}
	return 0;
}

static int check_bridge(const struct spec *spec, const struct root *root, struct fail *fail)
{
	if (root_exists(root, "/sys/class/net/%s/bridge", spec->network_source))
		return 0;
	fail_add(fail, FAIL_HOST, "[network] source = bridge:%s: there is no such bridge",
		 spec->network_source);
	fail_cause(fail, "/sys/class/net/%s/bridge does not exist", spec->network_source);
	fail_hint(fail, "see what there is: ip link show type bridge");
	return fail_at(fail, spec->file, spec->network_line);
}

static int refuse_network(const struct spec *spec, enum hv_network state, const struct hv *hv,
			  struct fail *fail)
{
	const char *source = spec->network_source;
	CLEANUP(text) char *uri = text_shell(hv_uri(hv));

	fail_add(fail, FAIL_HOST, "[network] source = %s: libvirt's network \"%s\" is %s", source,
		 source, state == HV_NETWORK_ABSENT ? "not defined" : "not active");
	fail_at(fail, spec->file, spec->network_line);
	if (state == HV_NETWORK_ABSENT)
		return fail_hint(fail,
				 "see what there is: virsh -c %s net-list --all   or write: "
				 "source = none",
				 uri);
	return fail_hint(fail, "virsh -c %s net-start %s && virsh -c %s net-autostart %s", uri,
			 source, uri, source);
}

int preflight_network(const struct spec *spec, const struct root *root, struct hv *hv,
		      struct fail *fail)
{
	enum hv_network state = HV_NETWORK_ACTIVE;

	if (spec->network == SPEC_NETWORK_NONE)
		return 0;
	if (spec->network == SPEC_NETWORK_BRIDGE)
		return check_bridge(spec, root, fail);
	if (hv_network_state(hv, spec->network_source, &state, fail) < 0)
		return -1;
	return state == HV_NETWORK_ACTIVE ? 0 : refuse_network(spec, state, hv, fail);
}
