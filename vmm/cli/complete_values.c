// SPDX-License-Identifier: MIT
#include "vmm/cli/complete_values.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "topo/gpu.h"
#include "vmm/base/mem.h"
#include "vmm/base/root.h"
#include "vmm/base/text.h"
#include "vmm/check.h"
#include "vmm/cli/out.h"
#include "vmm/guest.h"
#include "vmm/hv.h"
#include "vmm/spec.h"

#define SAYS_MOST_BYTES 70

void complete_offer(const struct complete *on, const char *candidate, const char *says)
{
	CLEANUP(text) char *safe = says == NULL ? NULL : text_printable(says, SAYS_MOST_BYTES);

	if (!text_starts(candidate, on->typed))
		return;
	out_line("%s%s%s%s", on->before, candidate, safe == NULL ? "" : "\t",
		 safe == NULL ? "" : safe);
}

static void commands(const struct complete *on)
{
	for (const struct cli_command *row = cli_commands(); row->name != NULL; row++)
		if (!row->hidden)
			complete_offer(on, row->name, row->summary);
}

/* What is of a line: a name with anything else in it would not come back through a shell as it was. */
static bool is_plain(const char *name)
{
	CLEANUP(text) char *printable = text_printable(name, 0);

	return text_equal(name, printable) && *name != '-' && strpbrk(name, "\\\n\t") == NULL;
}

static bool ends_in(const char *name, const char *ending)
{
	size_t length = strlen(name);
	size_t tail = strlen(ending);

	return length > tail && text_equal(name + length - tail, ending);
}

/* Folders, and files that end in @ending; NULL: folders only. */
static void files(const struct complete *on, const char *ending)
{
	const char *slash = strrchr(on->typed, '/');
	size_t length = slash == NULL ? 0 : (size_t)(slash - on->typed) + 1;
	CLEANUP(text) char *folder = mem_strndup(on->typed, length);
	CLEANUP(root) struct root *root = NULL;
	CLEANUP(root_names) char **names = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	if (root_open(NULL, &root, &fail) < 0)
		return;
	names = root_names(root, "%s", length == 0 ? "." : folder);
	for (char **name = names; *name != NULL; name++) {
		CLEANUP(text) char *path = text_format("%s%s", folder, *name);
		CLEANUP(text) char *below = text_format("%s/", path);
		struct stat about;

		if (!is_plain(*name) || (**name == '.' && on->typed[length] != '.') ||
		    stat(path, &about) != 0)
			continue;
		if (S_ISDIR(about.st_mode))
			complete_offer(on, below, NULL);
		else if (ending != NULL && ends_in(*name, ending))
			complete_offer(on, path, NULL);
	}
}

static void specs(const struct complete *on)
{
	files(on, ".ini");
}

static void any_files(const struct complete *on)
{
	files(on, "");
}

static void folders(const struct complete *on)
{
	files(on, NULL);
}

/* Other people's domains are called anything: only what gpuvm itself would call a VM is offered. */
static void vms(const struct complete *on)
{
	CLEANUP(hv) struct hv *hv = NULL;
	CLEANUP(hv_domains) struct hv_domains *domains = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	/* The name of a new VM is nobody's yet. */
	if (on->command == NULL || !on->command->live_only)
		return;
	/* libvirt may not answer in time; what was offered so far counts. */
	fflush(stdout);
	if (hv_open(on->uri == NULL ? HV_URI_DEFAULT : on->uri, HV_READ, &hv, &fail) < 0 ||
	    hv_domains_read(hv, &domains, &fail) < 0)
		return;
	for (size_t i = 0; i < domains->count; i++) {
		const struct hv_domain *domain = &domains->domains[i];
		CLEANUP(guest) struct guest *guest = NULL;
		CLEANUP(fail) struct fail unreadable = { 0 };

		if (spec_name_is_valid(domain->name) &&
		    guest_parse(domain->xml, &guest, &unreadable) == 0 && guest->is_ours)
			complete_offer(on, domain->name, hv_state_name(domain->state));
	}
}

/* An archive is not unpacked for this. */
static bool is_folder(const char *path)
{
	struct stat about;

	return path == NULL || (stat(path, &about) == 0 && S_ISDIR(about.st_mode));
}

/* Behind a comma another one; and the short form for whoever types it. */
static void gpus(const struct complete *on)
{
	const char *comma = strrchr(on->typed, ',');
	const char *typed = comma == NULL ? on->typed : comma + 1;
	CLEANUP(text) char *before = mem_strndup(on->typed, (size_t)(typed - on->typed));
	CLEANUP(root) struct root *root = NULL;
	CLEANUP(device_list) struct device_list *devices = NULL;
	CLEANUP(gpu_list) struct gpu_list *list = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	if (!is_folder(on->root_directory) || root_open(on->root_directory, &root, &fail) < 0 ||
	    device_list_read(root, &devices, &fail) < 0)
		return;
	list = gpu_list_build(devices);
	for (size_t i = 0; i < list->count; i++) {
		const struct device *device = list->gpus[i].device;
		bool is_short = *typed != '\0' && !text_starts(device->address, typed) &&
				text_starts(device->address, "0000:");
		CLEANUP(text) char *title = device_title(device);
		CLEANUP(text)
		char *candidate = text_format("%s%s", before, device->address + (is_short ? 5 : 0));

		complete_offer(on, candidate, title);
	}
}

/* Findings that a start may be forced over. */
static void findings(const struct complete *on)
{
	const char *comma = strrchr(on->typed, ',');
	size_t length = comma == NULL ? 0 : (size_t)(comma - on->typed) + 1;
	CLEANUP(text) char *before = mem_strndup(on->typed, length);

	for (const struct check_about *row = check_table(); row->id != NULL; row++) {
		CLEANUP(text) char *candidate = text_format("%s%s", before, row->id);

		if (row->weight == CHECK_STOPS)
			complete_offer(on, candidate, row->title);
	}
}

bool complete_values(const struct complete *on, const char *kind)
{
	static const struct {
		const char *kind;
		void (*offer)(const struct complete *on);
	} kinds[] = {
		{ "SPEC", specs },  { "NAME", vms },       { "GPU", gpus },
		{ "DIR", folders }, { "FILE", any_files }, { "COMMAND", commands },
		{ "ID", findings },
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (text_equal(kinds[i].kind, kind)) {
			kinds[i].offer(on);
			return true;
		}
	}
	return false;
}
