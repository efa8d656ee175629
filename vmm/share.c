// SPDX-License-Identifier: MIT
#include "vmm/share.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

static const char *const descriptor_folders[] = {
	"/etc/qemu/vhost-user",
	"/usr/share/qemu/vhost-user",
};

static void json_cleanup(json_t **json)
{
	json_decref(*json);
}

/* Whether the descriptor names a virtiofsd that is there. */
static bool names_virtiofsd(const struct root *root, const char *folder, const char *name)
{
	CLEANUP(text) char *text = root_text(root, "%s/%s", folder, name);
	CLEANUP(json) json_t *json = text == NULL ? NULL : json_loads(text, 0, NULL);
	const char *binary = json_string_value(json_object_get(json, "binary"));

	return text_equal(json_string_value(json_object_get(json, "type")), "fs") &&
	       binary != NULL && binary[0] == '/' && root_exists(root, "%s", binary);
}

static bool has_virtiofsd(const struct root *root)
{
	for (size_t i = 0; i < sizeof descriptor_folders / sizeof *descriptor_folders; i++) {
		const char *folder = descriptor_folders[i];
		CLEANUP(root_names) char **names = root_names(root, "%s", folder);

		for (char **name = names; *name != NULL; name++)
			if (names_virtiofsd(root, folder, *name))
				return true;
	}
	return false;
}

static int check_daemon(const struct spec *spec, const struct root *root, struct fail *fail)
{
	const struct spec_share *share = &spec->shares[0];

	if (has_virtiofsd(root))
		return 0;
	fail_add(fail, FAIL_HOST, "%s source = %s: this host has no virtiofsd to serve it",
		 share->label, share->source);
	fail_cause(fail, "no descriptor in %s names one that is installed", descriptor_folders[1]);
	fail_hint(fail, "sudo apt install virtiofsd   (Debian 12: qemu-system-common)");
	return fail_at(fail, spec->file, share->line);
}

static int check_source(const struct spec *spec, const struct spec_share *share, struct fail *fail)
{
	struct stat info;

	if (stat(share->source, &info) == 0 ? S_ISDIR(info.st_mode) : errno == EACCES)
		return 0;
	fail_add(fail, FAIL_SPEC, "%s source = %s: there is no such folder", share->label,
		 share->source);
	if (stat(share->source, &info) == 0)
		fail_cause(fail, "it is a file; virtiofs serves folders");
	else
		fail_cause(fail, "%s", strerror(errno));
	fail_hint(fail, "make it, or correct the path");
	return fail_at(fail, spec->file, share->line);
}

/* A mount option in the guest would be the guest's own to change. */
static int check_readonly(const struct spec *spec, const struct spec_share *share,
			  unsigned long libvirt_version, struct fail *fail)
{
	CLEANUP(text) char *source = NULL;

	if (!share->readonly || libvirt_version >= SHARE_READONLY_LIBVIRT)
		return 0;
	source = text_shell(share->source);
	fail_add(fail, FAIL_HOST,
		 "%s readonly = yes: this host cannot keep the guest from writing to %s",
		 share->label, share->source);
	fail_cause(fail, "virtiofs is read-only from libvirt 11.0 on, and this is %lu.%lu",
		   libvirt_version / 1000000, libvirt_version / 1000 % 1000);
	fail_hint(fail,
		  "show it read-only on the host, and share that with readonly = no: "
		  "sudo mkdir -p /srv/readonly && sudo mount -o bind,ro %s /srv/readonly",
		  source);
	return fail_at(fail, spec->file, share->line);
}

int share_check(const struct spec *spec, const struct root *root, unsigned long libvirt_version,
		struct fail *fail)
{
	if (spec->share_count > 0 && check_daemon(spec, root, fail) < 0)
		return -1;
	for (size_t i = 0; i < spec->share_count; i++)
		if (check_source(spec, &spec->shares[i], fail) < 0 ||
		    check_readonly(spec, &spec->shares[i], libvirt_version, fail) < 0)
			return -1;
	return 0;
}

char *share_mount_point(const struct spec_share *share)
{
	return text_format("/mnt/%s", share->target);
}

char *share_mount_command(const struct spec_share *share)
{
	return text_format("mkdir -p /mnt/%s && mount -t virtiofs %s%s /mnt/%s", share->target,
			   share->readonly ? "-o ro " : "", share->target, share->target);
}
