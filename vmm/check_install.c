// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "firmware/descriptor.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/check_internal.h"
#include "vmm/hook_state.h"
#include "vmm/lease.h"
#include "vmm/record.h"

#define MAKE_DIRECTORIES "sudo systemd-tmpfiles --create gpuvm.conf"

/* A snapshot tells neither when the hook came nor when the daemon started. */
static void judge_kept_hook(const struct check *check, struct findings *findings)
{
	if (root_exists(check->root, "%s", GPUVM_HOOK))
		check_add(
			findings, FINDING_OK, NULL, GPUVM_HOOK,
			mem_strdup("it is installed; whether libvirt's daemon was restarted since "
				   "is seen on the host alone"),
			NULL);
	else
		check_add(findings, FINDING_WARNING, NULL, GPUVM_HOOK,
			  mem_strdup("it is not installed"),
			  text_format("sudo install -D -m 0755 "
				      "/usr/share/doc/gpuvm/examples/50-gpuvm %s && sudo systemctl "
				      "restart libvirtd",
				      GPUVM_HOOK));
}

void check_hook(const struct check *check, struct findings *findings)
{
	CLEANUP(hook_state) struct hook_state *hook = NULL;

	if (!check->root->live) {
		judge_kept_hook(check, findings);
		return;
	}
	hook = hook_state_read(check->root);
	if (hook->activity == HOOK_ACTIVE)
		check_add(findings, FINDING_OK, NULL, GPUVM_HOOK,
			  mem_strdup("libvirt's daemon has started after it was installed"), NULL);
	else if (hook->activity == HOOK_NOT_VISIBLE || hook->activity == HOOK_DAEMON_NOT_SEEN)
		check_add(findings, FINDING_NOT_CHECKED, NULL, GPUVM_HOOK, mem_strdup(hook->reason),
			  mem_strdup(hook->remedy));
	else
		check_add(findings, FINDING_WARNING, NULL, GPUVM_HOOK, mem_strdup(hook->reason),
			  mem_strdup(hook->remedy));
}

/* A directory behind the root; false: a row says that it is missing. */
static bool judge_directory(const struct check *check, const char *path, struct findings *findings)
{
	if (root_exists(check->root, "%s", path) || errno == EACCES)
		return true;
	check_add(findings, FINDING_FAILED, NULL, path, text_format("%s does not exist", path),
		  mem_strdup(MAKE_DIRECTORIES));
	return false;
}

void check_directories(const struct check *check, struct findings *findings)
{
	CLEANUP(fail) struct fail fail = { 0 };
	bool are_there;

	if (!check->root->live && !root_exists(check->root, LEASE_DIRECTORY) &&
	    !root_exists(check->root, RECORD_DIRECTORY)) {
		check_add(findings, FINDING_NOT_CHECKED, NULL, LEASE_DIRECTORY,
			  mem_strdup("the snapshot has nothing of gpuvm's own"), NULL);
		return;
	}
	are_there = judge_directory(check, LEASE_DIRECTORY, findings);
	for (int i = 0; i < RECORD_KINDS; i++) {
		CLEANUP(text)
		char *path = text_format(RECORD_DIRECTORY "/%s",
					 record_kind_name((enum record_kind)i));

		are_there = judge_directory(check, path, findings) && are_there;
	}
	if (!are_there)
		return;
	if (check->root->live && record_check(check->root, &fail) < 0)
		check_add(findings, FINDING_NOT_CHECKED, NULL, RECORD_DIRECTORY,
			  text_format("%s: %s", fail.items[0].what, fail.items[0].cause),
			  mem_strdup(fail.items[0].hint));
	else
		check_add(findings, FINDING_OK, NULL, LEASE_DIRECTORY ", " RECORD_DIRECTORY,
			  mem_strdup("they are there"), NULL);
}

/* libvirt 9.0 starts no UEFI domain at all while a descriptor is no JSON. */
static void judge_malformed(const struct check *check, struct findings *findings)
{
	CLEANUP(text) char *file = descriptor_malformed(check->root);

	if (file != NULL)
		check_add(
			findings, FINDING_WARNING, NULL, file,
			mem_strdup("it is no JSON: while it is there libvirt may find no firmware"),
			text_format("mend it, or have it overruled by an empty file: sudo touch "
				    "/etc/qemu/firmware/%s",
				    strrchr(file, '/') + 1));
}

static void judge_one(const struct check *check, bool secure_boot, enum finding_state if_none,
		      struct findings *findings)
{
	CLEANUP(descriptor) struct descriptor *found = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	if (descriptor_select(check->root, secure_boot, &found, &fail) == 0) {
		check_add(findings, FINDING_OK, secure_boot ? "Secure Boot" : "no Secure Boot",
			  found->file, mem_strdup(found->executable), NULL);
		return;
	}
	check_add_fail(findings, secure_boot ? "Secure Boot" : "no Secure Boot",
		       "/usr/share/qemu/firmware", &fail)
		->state = if_none;
}

void check_firmware(const struct check *check, struct findings *findings)
{
	const struct spec *spec = check->vm == NULL ? NULL : check->vm->spec;

	judge_malformed(check, findings);
	if (spec != NULL && spec->firmware_code != NULL) {
		check_add(findings, FINDING_OK, NULL, spec->firmware_code,
			  mem_strdup("the spec names it"), NULL);
		return;
	}
	if (spec == NULL || !spec->secure_boot)
		judge_one(check, false, FINDING_FAILED, findings);
	if (spec == NULL || spec->secure_boot)
		judge_one(check, true, spec == NULL ? FINDING_WARNING : FINDING_FAILED, findings);
}
