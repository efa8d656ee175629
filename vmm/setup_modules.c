// SPDX-License-Identifier: MIT
/* vfio-pci before the drivers of the host, for the functions of the chosen GPUs. */
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/setup_internal.h"

#define MODULES_LOAD "/etc/modules-load.d/gpuvm.conf"
#define MODPROBE     "/etc/modprobe.d/gpuvm.conf"
#define INITRAMFS    "/etc/initramfs-tools/hooks/gpuvm"
#define DRACUT       "/etc/dracut.conf.d/gpuvm.conf"
#define AWAKE        "options vfio-pci disable_idle_d3=1\n"
#define NO_NOUVEAU   "blacklist nouveau\n"

enum {
	NVIDIA = 0x10de,
};

/* Sources: modules-load.d(5), modprobe.d(5), initramfs-tools(7), dracut.conf(5), udev(7). */
static const char hook[] =
	"#!/bin/sh\n" SETUP_MARK
	"# vfio-pci, and the rule that gives it its devices, before any other driver.\n"
	"[ \"$1\" != prereqs ] || exit 0\n"
	". /usr/share/initramfs-tools/hook-functions\n"
	"force_load vfio-pci\n"
	"[ -e " SETUP_RULES " ] || exit 0\n"
	"mkdir -p \"$DESTDIR/etc/udev/rules.d\"\n"
	"cp -p " SETUP_RULES " \"$DESTDIR/etc/udev/rules.d/\"\n";

static const char dracut[] = SETUP_MARK "force_drivers+=\" vfio-pci \"\n"
					"install_items+=\" " SETUP_RULES " \"\n";

/* Whether there are GPUs to bind, by this run or one before it. */
static bool has_rules(struct setup *setup, int *ret_result, struct fail *fail)
{
	const struct setup_edit *edit = setup_edit(setup, SETUP_RULES, fail);

	*ret_result = edit == NULL ? -1 : 0;
	return setup->chosen_count > 0 || (edit != NULL && edit->after.exists);
}

static int set(struct setup *setup, const char *path, const char *text, mode_t mode, unsigned needs,
	       struct fail *fail)
{
	struct setup_edit *edit = setup_edit(setup, path, fail);

	if (edit == NULL)
		return -1;
	setup_edit_ensure(edit, text, mode, needs);
	return 0;
}

int setup_modules_load(struct setup *setup, struct fail *fail)
{
	int result = 0;

	/* Else libvirt loads the module when it needs it. */
	if (!has_rules(setup, &result, fail))
		return result;
	return set(setup, MODULES_LOAD, SETUP_MARK "vfio-pci\n", 0644, 0, fail);
}

static bool is_chosen(const struct setup *setup, const struct gpu *gpu)
{
	for (size_t i = 0; i < setup->chosen_count; i++)
		if (setup->chosen[i] == gpu)
			return true;
	return false;
}

/* What a rule for the function is known by. The caller frees. */
static char *key_of(const char *address)
{
	return text_format("KERNEL==\"%s\"", address);
}

/* Whether a run before this has chosen it. */
static bool is_ruled(const struct gpu *gpu, const char *rules)
{
	CLEANUP(text) char *key = key_of(gpu->device->address);

	return rules != NULL && strstr(rules, key) != NULL;
}

/* nouveau is of no use to a host all of whose NVIDIA GPUs are for VMs; else a card that stays may need it. */
static bool needs_no_nouveau(const struct setup *setup, const char *rules)
{
	bool has_nvidia = false;

	for (size_t i = 0; i < setup->gpus->count; i++) {
		const struct gpu *gpu = &setup->gpus->gpus[i];

		if (gpu->device->vendor_id != NVIDIA)
			continue;
		if (!is_chosen(setup, gpu) && !is_ruled(gpu, rules))
			return false;
		has_nvidia = true;
	}
	return has_nvidia;
}

int setup_modules_options(struct setup *setup, struct fail *fail)
{
	struct setup_edit *edit = setup_edit(setup, MODPROBE, fail);
	CLEANUP(text) char *rules = root_bytes(setup->root, NULL, SETUP_RULES);
	CLEANUP(text) char *text = NULL;
	bool is_awake, no_nouveau;

	if (edit == NULL)
		return -1;
	/* What an earlier run set stays. */
	is_awake = setup->options->is_awake || strstr(edit->after.text, AWAKE) != NULL;
	no_nouveau = needs_no_nouveau(setup, rules) || strstr(edit->after.text, NO_NOUVEAU) != NULL;
	if (!is_awake && !no_nouveau)
		return 0;
	text = text_format(SETUP_MARK "%s%s", is_awake ? AWAKE : "", no_nouveau ? NO_NOUVEAU : "");
	setup_edit_ensure(edit, text, 0644, SETUP_REBOOT);
	return 0;
}

/*
 * By address, and only if the card is still there that was when the rule was written: addresses change with the
 * hardware. If vfio-pci is loaded already, the kernel is asked to look again (Documentation/ABI/testing/sysfs-bus-pci,
 * driver_override); if not, it takes its devices when it is.
 */
static char *rule_for(const struct device *device)
{
	return text_format(
		"ACTION==\"add\", SUBSYSTEM==\"pci\", KERNEL==\"%s\", "
		"ATTR{vendor}==\"0x%04x\", ATTR{device}==\"0x%04x\", "
		"ATTR{driver_override}=\"vfio-pci\", RUN{builtin}+=\"kmod load vfio-pci\", "
		"ATTR{subsystem/drivers_probe}=\"%s\"\n",
		device->address, device->vendor_id, device->device_id, device->address);
}

/* @text without the rules for @address. The caller frees. */
static char *without_rule(const char *text, const char *address)
{
	CLEANUP(text) char *key = key_of(address);
	char *kept = mem_strdup("");

	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		CLEANUP(text) char *line = NULL;

		length += text[length] == '\n';
		line = mem_strndup(text, length);
		if (strstr(line, key) == NULL)
			text_add(&kept, "%s", line);
		text += length;
	}
	return kept;
}

int setup_overrides(struct setup *setup, struct fail *fail)
{
	struct setup_edit *edit = setup_edit(setup, SETUP_RULES, fail);
	CLEANUP(text) char *text = NULL;

	if (edit == NULL)
		return -1;
	if (setup->chosen_count == 0)
		return 0;
	text = mem_strdup(edit->after.exists ? edit->after.text : SETUP_MARK);
	for (size_t i = 0; i < setup->devices->count; i++) {
		const struct device *device = &setup->devices->devices[i];
		CLEANUP(text) char *rule = rule_for(device);
		const struct gpu *gpu = gpu_find(setup->gpus, device->address);
		char *without;

		/* A rule that is there already stays at its place. */
		if (gpu == NULL || !is_chosen(setup, gpu) || device->is_bridge ||
		    strstr(text, rule) != NULL)
			continue;
		without = without_rule(text, device->address);
		free(text);
		text = text_format("%s%s", without, rule);
		free(without);
	}
	setup_edit_set(edit, STEAL(text), 0644, SETUP_UDEV | SETUP_REBOOT);
	return 0;
}

int setup_initramfs(struct setup *setup, struct fail *fail)
{
	int result = 0;
	bool has_changes = false;
	unsigned need = 0;

	if (!has_rules(setup, &result, fail))
		return result;
	if (root_exists(setup->root, "/etc/initramfs-tools"))
		need = SETUP_INITRAMFS;
	else if (root_exists(setup->root, "/etc/dracut.conf.d"))
		need = SETUP_DRACUT;
	if (need == SETUP_INITRAMFS)
		result = set(setup, INITRAMFS, hook, 0755, need | SETUP_REBOOT, fail);
	else if (need == SETUP_DRACUT)
		result = set(setup, DRACUT, dracut, 0644, need | SETUP_REBOOT, fail);
	else
		setup_note(setup->plan,
			   "No initramfs-tools and no dracut here: if drivers of GPUs are in the "
			   "initramfs, put vfio-pci and " SETUP_RULES " there too");
	/* The initramfs has copies of these two. */
	for (size_t i = 0; i < setup->plan->edit_count; i++) {
		struct setup_edit *edit = &setup->plan->edits[i];

		has_changes = !setup_file_same(&edit->before, &edit->after);
		if (has_changes &&
		    (text_equal(edit->path, SETUP_RULES) || text_equal(edit->path, MODPROBE)))
			edit->needs |= need;
	}
	return result;
}
