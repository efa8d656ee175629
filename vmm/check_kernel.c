// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/check_internal.h"
#include "vmm/preflight.h"

#define MODPROBE "/etc/modprobe.d"

void check_vfio(const struct check *check, struct findings *findings)
{
	CLEANUP(text) char *release = root_text(check->root, "/proc/sys/kernel/osrelease");
	CLEANUP(text)
	char *source = text_format("/lib/modules/%s/modules.dep", release == NULL ? "*" : release);

	if (!check->host->has_vfio_pci)
		check_add(findings, FINDING_FAILED, NULL, source,
			  mem_strdup("it is neither loaded nor installed for the running kernel"),
			  mem_strdup("boot a kernel with CONFIG_VFIO_PCI (Debian: sudo apt install "
				     "linux-image-amd64), then reboot"));
	else if (root_exists(check->root, "/sys/bus/pci/drivers/vfio-pci"))
		check_add(findings, FINDING_OK, NULL, "/sys/bus/pci/drivers/vfio-pci",
			  mem_strdup("it is loaded"), NULL);
	else
		check_add(findings, FINDING_OK, NULL, source,
			  mem_strdup("libvirt loads it when the first VM starts"), NULL);
}

/* How many cards of the id "10de:2684" there are, and whether the host's screen is on one. */
static size_t count_cards(const struct check *check, const char *id, bool *ret_console)
{
	unsigned vendor, device;
	size_t count = 0;

	if (sscanf(id, "%4x:%4x", &vendor, &device) != 2)
		return 0;
	for (size_t i = 0; i < check->host->devices->count; i++) {
		const struct device *one = &check->host->devices->devices[i];

		if (one->vendor_id != vendor || one->device_id != device)
			continue;
		count++;
		*ret_console = *ret_console || device_is_console(one);
	}
	return count;
}

static void judge_id(const struct check *check, const char *id, const char *source,
		     struct findings *findings)
{
	bool has_console = false;
	size_t count = count_cards(check, id, &has_console);
	CLEANUP(text) char *safe = text_printable(id, 32);

	if (count < 2 && !has_console)
		return;
	check_add(findings, FINDING_WARNING, NULL, source,
		  text_format("ids=%s takes %zu functions%s", safe, count,
			      has_console ? ", that of the host's screen too" : ""),
		  text_format("take ids= out of %s and bind by address instead: "
			      "sudo gpuvm setup-host ADDRESS   (addresses: gpuvm gpus)",
			      source));
}

static void judge_ids(const struct check *check, const char *ids, const char *source,
		      struct findings *findings)
{
	CLEANUP(text) char *copy = mem_strdup(ids);
	char *rest = copy;
	char *id;

	while ((id = strsep(&rest, ", \t")) != NULL)
		judge_id(check, id, source, findings);
}

/* modprobe.d(5): options MODULE OPTION...; @line is cut. */
static void judge_line(const struct check *check, char *line, const char *source,
		       struct findings *findings)
{
	char *rest = NULL;
	const char *command = strtok_r(line, " \t", &rest);
	const char *module = strtok_r(NULL, " \t", &rest);
	const char *word;

	if (!text_equal(command, "options") ||
	    !(text_equal(module, "vfio-pci") || text_equal(module, "vfio_pci")))
		return;
	while ((word = strtok_r(NULL, " \t", &rest)) != NULL)
		if (text_starts(word, "ids="))
			judge_ids(check, word + strlen("ids="), source, findings);
}

static void judge_files(const struct check *check, struct findings *findings)
{
	CLEANUP(root_names) char **names = root_names(check->root, MODPROBE);

	for (char **name = names; *name != NULL; name++) {
		CLEANUP(text) char *source = text_format(MODPROBE "/%s", *name);
		CLEANUP(text) char *text = root_text(check->root, MODPROBE "/%s", *name);
		const char *suffix = strrchr(*name, '.');
		char *rest = text_equal(suffix, ".conf") ? text : NULL;
		char *line;

		while ((line = strsep(&rest, "\n")) != NULL)
			judge_line(check, text_trim(line), source, findings);
	}
}

void check_vfio_ids(const struct check *check, struct findings *findings)
{
	static const char *const keys[] = { "vfio_pci.ids", "pci_stub.ids" };
	size_t before = findings->count;

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const struct cmdline_argument *last = cmdline_last(check->cmdline, keys[i], NULL);

		if (last != NULL && last->value != NULL)
			judge_ids(check, last->value, CMDLINE_FILE, findings);
	}
	judge_files(check, findings);
	if (findings->count > before)
		return;
	if (check->cmdline->is_known)
		check_add(findings, FINDING_OK, NULL, CMDLINE_FILE ", " MODPROBE,
			  mem_strdup("no ids= names two cards, or the host's screen"), NULL);
	else
		check_add_unread(findings, CMDLINE_FILE);
}

/* Arguments of old guides. */
static const struct {
	const char *key, *value; /* a value among those that commas separate; NULL: any */
	bool only_last;          /* each one replaces those before */
	const char *says, *hint;
} old[] = {
	{ "amd_iommu", "on", false, "is no value that the kernel knows: AMD-Vi is on by itself",
	  "take amd_iommu=on off the kernel's command line" },
	{ "vfio_iommu_type1.allow_unsafe_interrupts", "1", true,
	  "lets VFIO go on without interrupt remapping, also once it is there",
	  "take it off, and enable interrupt remapping in the firmware's setup" },
	{ "vfio_iommu_type1.allow_unsafe_interrupts", "Y", true,
	  "lets VFIO go on without interrupt remapping, also once it is there",
	  "take it off, and enable interrupt remapping in the firmware's setup" },
	{ "vfio_iommu_type1.allow_unsafe_interrupts", "y", true,
	  "lets VFIO go on without interrupt remapping, also once it is there",
	  "take it off, and enable interrupt remapping in the firmware's setup" },
	{ "vfio_iommu_type1.allow_unsafe_interrupts", "on", true,
	  "lets VFIO go on without interrupt remapping, also once it is there",
	  "take it off, and enable interrupt remapping in the firmware's setup" },
	{ "video", "efifb:off", false,
	  "is of old guides: newer kernels make the framebuffer elsewhere",
	  "if the host's screen is to leave the GPU: initcall_blacklist=sysfb_init instead" },
	{ "rd.driver.pre", "vfio_virqfd", false,
	  "names a module that there is not from Linux 6.2 on",
	  "take vfio_virqfd off the kernel's command line" },
	{ "intremap", "off", true, "switches interrupt remapping off", "take intremap=off off" },
	{ "nox2apic", NULL, true, "switches x2APIC off, and interrupt remapping may go with it",
	  "take nox2apic off" },
	{ "iommu", "soft", false, "makes the kernel use bounce buffers instead of the IOMMU",
	  "take iommu=soft off" },
};

/* Keys said twice: those of the IOMMU may add something each time, unless one of them switches it off. */
static const struct {
	const char *key;
	bool only_off; /* two values that merely differ are fine */
} twice[] = {
	{ "intel_iommu", true }, { "amd_iommu", true },     { "iommu", true },
	{ "intremap", true },    { "vfio_pci.ids", false },
};

static bool has_value(const struct cmdline_argument *argument, const char *value)
{
	CLEANUP(text) char *copy = argument->value == NULL ? NULL : mem_strdup(argument->value);
	char *rest = copy;
	const char *part;

	while ((part = strsep(&rest, ",")) != NULL)
		if (text_equal(part, value))
			return true;
	return value == NULL;
}

static const struct cmdline_argument *find_old(const struct check *check, size_t row)
{
	const struct cmdline_argument *argument = cmdline_last(check->cmdline, old[row].key, NULL);

	while (argument != NULL && !has_value(argument, old[row].value))
		argument = old[row].only_last
				   ? NULL
				   : cmdline_last(check->cmdline, old[row].key, argument);
	return argument;
}

static void judge_old(const struct check *check, struct findings *findings)
{
	for (size_t i = 0; i < sizeof old / sizeof *old; i++) {
		const struct cmdline_argument *argument = find_old(check, i);

		if (argument != NULL)
			check_add(findings, FINDING_WARNING, NULL, CMDLINE_FILE,
				  text_format("%s %s", argument->word, old[i].says),
				  mem_strdup(old[i].hint));
	}
}

static bool is_off(const struct cmdline_argument *argument)
{
	return argument->value != NULL && text_starts(argument->value, "off");
}

static bool contradicts(const struct cmdline_argument *before, const struct cmdline_argument *last,
			bool only_off)
{
	return only_off ? is_off(before) != is_off(last) : !text_equal(before->word, last->word);
}

static void judge_twice(const struct check *check, struct findings *findings)
{
	for (size_t i = 0; i < sizeof twice / sizeof *twice; i++) {
		const char *key = twice[i].key;
		const struct cmdline_argument *last = cmdline_last(check->cmdline, key, NULL);
		const struct cmdline_argument *before = last;

		while (before != NULL && !contradicts(before, last, twice[i].only_off))
			before = cmdline_last(check->cmdline, key, before);
		if (before != NULL)
			check_add(
				findings, FINDING_WARNING, NULL, CMDLINE_FILE,
				text_format("%s and then %s: the last counts", before->word,
					    last->word),
				text_format("take %s off the kernel's command line", before->word));
	}
}

void check_arguments(const struct check *check, struct findings *findings)
{
	size_t before = findings->count;

	if (!check->cmdline->is_known) {
		check_add_unread(findings, CMDLINE_FILE);
		return;
	}
	judge_old(check, findings);
	judge_twice(check, findings);
	if (findings->count == before)
		check_add(findings, FINDING_OK, NULL, CMDLINE_FILE,
			  mem_strdup("nothing to be mended"), NULL);
}
