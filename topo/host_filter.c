// SPDX-License-Identifier: MIT
#include "topo/host_filter.h"

#include <ctype.h>
#include <hwloc/bitmap.h>
#include <stdlib.h>
#include <string.h>

#include "topo/cmdline.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define DEVICES "/sys/bus/pci/devices"

/* Calls @keep with each line; it appends to *@ret what it wants. False ends the reading. */
typedef bool line_filter(void *data, char *line, char **ret);

static char *filter(const char *text, line_filter *keep, void *data)
{
	CLEANUP(text) char *copy = mem_strdup(text);
	char *rest = copy;
	char *kept = NULL;
	char *line;

	while ((line = strsep(&rest, "\n")) != NULL && keep(data, line, &kept))
		;
	return kept;
}

/* Whether @line is "KEY:" or "KEY   :" of one of the NULL-terminated @keys. */
static bool has_key(const char *line, const char *const *keys)
{
	for (; *keys != NULL; keys++) {
		size_t length = strlen(*keys);

		if (strncmp(line, *keys, length) == 0 &&
		    line[length + strspn(line + length, " \t")] == ':')
			return true;
	}
	return false;
}

static bool keep_cpuinfo(void *data, char *line, char **ret)
{
	static const char *const keys[] = { "processor", "vendor_id",     "cpu family",
					    "model",     "model name",    "stepping",
					    "flags",     "address sizes", NULL };

	(void)data;
	if (has_key(line, keys))
		text_add(ret, "%s\n", line);
	return *line != '\0';
}

char *host_filter_cpuinfo(const struct root *root, const char *text)
{
	(void)root;
	return filter(text, keep_cpuinfo, NULL);
}

static bool keep_meminfo(void *data, char *line, char **ret)
{
	static const char *const keys[] = { "MemTotal",       "MemFree",      "Active(file)",
					    "Inactive(file)", "Dirty",        "Writeback",
					    "CommitLimit",    "Committed_AS", NULL };
	const char *key = line;

	(void)data;
	/* "Node 0 MemTotal:" in sysfs, "MemTotal:" in proc */
	if (text_starts(key, "Node ")) {
		key += strlen("Node ");
		key += strspn(key, "0123456789");
		key += *key == ' ';
	}
	if (has_key(key, keys))
		text_add(ret, "%s\n", line);
	return true;
}

char *host_filter_meminfo(const struct root *root, const char *text)
{
	(void)root;
	return filter(text, keep_meminfo, NULL);
}

static bool keep_mount(void *data, char *line, char **ret)
{
	const char *device = strsep(&line, " ");
	const char *point = strsep(&line, " ");
	const char *type = strsep(&line, " ");

	(void)data;
	/* Mount options may hold credentials. */
	if (type != NULL && text_starts(device, "/dev/"))
		text_add(ret, "%s %s %s rw 0 0\n", device, point, type);
	return true;
}

char *host_filter_mounts(const struct root *root, const char *text)
{
	(void)root;
	return filter(text, keep_mount, NULL);
}

static bool keep_name(void *data, char *line, char **ret)
{
	const char *name = strstr(line, " : ");

	(void)data;
	if (name != NULL)
		text_add(ret, "%.*s0-0%s\n", (int)strspn(line, " "), line, name);
	return true;
}

char *host_filter_iomem(const struct root *root, const char *text)
{
	(void)root;
	return filter(text, keep_name, NULL);
}

static bool keep_swap(void *data, char *line, char **ret)
{
	(void)data;
	if (text_starts(line, "/dev/"))
		text_add(ret, "%s\n", line);
	return true;
}

char *host_filter_swaps(const struct root *root, const char *text)
{
	(void)root;
	return filter(text, keep_swap, NULL);
}

static bool keep_route(void *data, char *line, char **ret)
{
	(void)data;
	if (!text_starts(line, "Iface"))
		text_add(ret, "%.*s\n", (int)strcspn(line, " \t"), line);
	return true;
}

char *host_filter_route(const struct root *root, const char *text)
{
	(void)root;
	return filter(text, keep_route, NULL);
}

static bool keep_inet6(void *data, char *line, char **ret)
{
	const char *name = strrchr(line, ' ');

	(void)data;
	if (name != NULL)
		text_add(ret, "0 0 0 0 0%s\n", name);
	return true;
}

char *host_filter_inet6(const struct root *root, const char *text)
{
	(void)root;
	return filter(text, keep_inet6, NULL);
}

static bool keep_vfio(void *data, char *line, char **ret)
{
	(void)data;
	if (strstr(line, "/vfio-pci.ko") != NULL)
		text_add(ret, "%s\n", line);
	return true;
}

char *host_filter_vfio(const struct root *root, const char *text)
{
	(void)root;
	return filter(text, keep_vfio, NULL);
}

/* Vendor << 16 | device of every function, and vendor << 16 | 0xffff of every vendor. */
struct present {
	uint32_t *ids;
	size_t count;
	uint32_t vendor; /* of the lines that follow */
};

static bool is_present(const struct present *present, uint32_t id)
{
	for (size_t i = 0; i < present->count; i++)
		if (present->ids[i] == id)
			return true;
	return false;
}

static void add_present(struct present *present, uint32_t id)
{
	if (!is_present(present, id))
		*MEM_APPEND(present->ids, present->count) = id;
}

static bool keep_id(void *data, char *line, char **ret)
{
	struct present *present = data;
	bool is_device = *line == '\t';
	const char *digits = line + is_device;
	char *end;
	unsigned long id;

	/* "C 03  Display controller": the classes, at the end */
	if (text_starts(line, "C "))
		return false;
	if (!isxdigit((unsigned char)*digits))
		return true;
	id = strtoul(digits, &end, 16);
	if (end != digits + 4)
		return true;
	if (!is_device)
		present->vendor = (uint32_t)id << 16;
	if (is_present(present, present->vendor | (is_device ? (uint32_t)id : 0xffff)))
		text_add(ret, "%s\n", line);
	return true;
}

char *host_filter_pci_ids(const struct root *root, const char *text)
{
	CLEANUP(root_names) char **names = root_names(root, DEVICES);
	struct present present = { 0 };
	char *kept;

	for (char **name = names; *name != NULL; name++) {
		int64_t vendor = root_number(root, -1, DEVICES "/%s/vendor", *name);
		int64_t device = root_number(root, -1, DEVICES "/%s/device", *name);

		if (vendor < 0 || vendor > 0xffff || device < 0 || device > 0xffff)
			continue;
		add_present(&present, (uint32_t)(vendor << 16 | device));
		add_present(&present, (uint32_t)(vendor << 16 | 0xffff));
	}
	kept = filter(text, keep_id, &present);
	free(present.ids);
	return kept;
}

static bool keep_package(void *data, char *line, char **ret)
{
	static const char *const wanted[] = { "libvirt", "qemu", "ovmf" };
	static const char *const keys[] = { "Status", "Architecture", "Version", NULL };
	bool *is_wanted = data;

	if (text_starts(line, "Package: ")) {
		*is_wanted = false;
		for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
			*is_wanted = *is_wanted ||
				     text_starts(line + strlen("Package: "), wanted[i]);
		if (*is_wanted)
			text_add(ret, "%s%s\n", *ret == NULL ? "" : "\n", line);
	} else if (*is_wanted && has_key(line, keys)) {
		text_add(ret, "%s\n", line);
	}
	return true;
}

char *host_filter_packages(const struct root *root, const char *text)
{
	bool is_wanted = false;

	(void)root;
	return filter(text, keep_package, &is_wanted);
}

char *host_filter_cmdline(const struct root *root, const char *text)
{
	(void)root;
	return cmdline_filter(text);
}

char *host_filter_interrupts(const struct root *root, const char *text)
{
	static const char *const chips[] = { " IR-PCI-MSI", " IR-IO-APIC", " PCI-MSI", " IO-APIC" };
	char *kept = NULL;

	(void)root;
	for (size_t i = 0; i < sizeof chips / sizeof *chips; i++)
		if (strstr(text, chips[i]) != NULL)
			text_add(&kept, "0: %s\n", chips[i]);
	return kept == NULL ? mem_strdup("\n") : kept;
}

/* Keeps the lines that begin with one of the NULL-terminated words that @data is. */
static bool keep_beginning(void *data, char *line, char **ret)
{
	const char *const *words = data;

	for (; *words != NULL; words++)
		if (text_starts(line, *words)) {
			text_add(ret, "%s\n", line);
			break;
		}
	return true;
}

/* A file without such a line is kept too: that it is there counts. */
static char *keep_lines(const char *text, const char *const *words)
{
	char *kept = filter(text, keep_beginning, (void *)words);

	return kept == NULL ? mem_strdup("\n") : kept;
}

char *host_filter_config(const struct root *root, const char *text)
{
	static const char *const words[] = { "CONFIG_INTEL_IOMMU=",
					     "CONFIG_INTEL_IOMMU_DEFAULT_ON=",
					     "CONFIG_INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF=", NULL };

	(void)root;
	return keep_lines(text, words);
}

/* Blanks of any number and kind separate the words (modprobe.d(5)). */
static bool keep_vfio_options(void *data, char *line, char **ret)
{
	CLEANUP(text) char *copy = mem_strdup(line);
	char *rest = NULL;
	const char *command = strtok_r(copy, " \t", &rest);
	const char *module = strtok_r(NULL, " \t", &rest);

	(void)data;
	if (text_equal(command, "options") &&
	    (text_equal(module, "vfio-pci") || text_equal(module, "vfio_pci")))
		text_add(ret, "%s\n", line);
	return true;
}

char *host_filter_modprobe(const struct root *root, const char *text)
{
	(void)root;
	return filter(text, keep_vfio_options, NULL);
}

char *host_filter_guests(const struct root *root, const char *text)
{
	static const char *const words[] = { "ON_SHUTDOWN=", NULL };

	(void)root;
	return keep_lines(text, words);
}

static bool keep_group(void *data, char *line, char **ret)
{
	(void)data;
	if (text_starts(line, "libvirt:"))
		text_add(ret, "%.*s:\n", (int)(strrchr(line, ':') - line), line);
	return true;
}

char *host_filter_group(const struct root *root, const char *text)
{
	char *kept = filter(text, keep_group, NULL);

	(void)root;
	return kept == NULL ? mem_strdup("\n") : kept;
}

char *host_filter_status(const struct root *root, const char *text)
{
	static const char *const words[] = { "Name:", "Uid:", "CapEff:", NULL };

	(void)root;
	if (!text_starts(text, "Name:\tlibvirtd\n") && !text_starts(text, "Name:\tvirtqemud\n"))
		return NULL;
	return keep_lines(text, words);
}

char *host_filter_nvidia(const struct root *root, const char *text)
{
	static const char *const words[] = { "Device Minor:", NULL };

	(void)root;
	return keep_lines(text, words);
}

char *host_filter_fabric(const struct root *root, const char *text)
{
	static const char *const words[] = { "FABRIC_MODE=", NULL };

	(void)root;
	return keep_lines(text, words);
}
