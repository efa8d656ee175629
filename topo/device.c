// SPDX-License-Identifier: MIT
#include "topo/device.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <pci/pci.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "topo/console.h"
#include "topo/device_names.h"
#include "topo/use.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define DEVICES "/sys/bus/pci/devices"

#define RESOURCE_IO     0x00000100u /* include/linux/ioport.h, the third column of "resource" */
#define RESOURCE_MEMORY 0x00000200u
#define HEADER_TYPE_AT  0x0e /* PCI Local Bus 3.0, 6.1 */

static bool read_hex(const char **text, unsigned fewest, unsigned most, unsigned *ret)
{
	unsigned count = 0;

	*ret = 0;
	for (; count < most && isxdigit((unsigned char)**text); count++, (*text)++) {
		int digit = tolower((unsigned char)**text);

		*ret = *ret * 16 + (unsigned)(isdigit(digit) ? digit - '0' : digit - 'a' + 10);
	}
	return count >= fewest;
}

static bool skip(const char **text, char mark)
{
	if (**text != mark)
		return false;
	(*text)++;
	return true;
}

struct address {
	unsigned domain, bus, slot, function;
};

static bool parse(const char *text, struct address *ret)
{
	struct address at = { 0 };
	const char *colon = strchr(text, ':');
	bool has_domain = colon != NULL && strchr(colon + 1, ':') != NULL;

	if (has_domain && !(read_hex(&text, 4, 5, &at.domain) && skip(&text, ':')))
		return false;
	if (!(read_hex(&text, 2, 2, &at.bus) && skip(&text, ':')) ||
	    !(read_hex(&text, 2, 2, &at.slot) && skip(&text, '.')) ||
	    !read_hex(&text, 1, 1, &at.function) || *text != '\0')
		return false;
	if (at.slot > 0x1f || at.function > 7)
		return false;
	*ret = at;
	return true;
}

bool device_parse_address(const char *text, char ret_address[DEVICE_ADDRESS_BYTES])
{
	struct address at;

	if (!parse(text, &at))
		return false;
	snprintf(ret_address, DEVICE_ADDRESS_BYTES, "%04x:%02x:%02x.%x", at.domain & 0xfffff,
		 at.bus & 0xff, at.slot, at.function);
	return true;
}

/* Names in sysfs are canonical: anything else in the directory is no function of the kernel's. */
static bool parse_name(const char *name, struct address *ret)
{
	char canonical[DEVICE_ADDRESS_BYTES];

	return device_parse_address(name, canonical) && text_equal(name, canonical) &&
	       parse(name, ret);
}

/* @text, which this takes, safe to show: a snapshot is somebody else's. */
static char *shown(char *text)
{
	char *result = text == NULL ? NULL : text_printable(text, 256);

	free(text);
	return result;
}

/* One line of "resource": first and last address, flags. Not sscanf, which costs more than the read. */
static bool read_range(const char *line, uint64_t ret[3])
{
	for (unsigned i = 0; i < 3; i++) {
		char *end;

		ret[i] = strtoull(line, &end, 16);
		if (end == line)
			return false;
		line = end;
	}
	return true;
}

/* The lowest bits of the flags are those of the BAR itself. */
static void read_bar(const uint64_t range[3], struct device_bar *bar)
{
	uint64_t flags = range[2];
	bool is_io = (flags & (RESOURCE_IO | PCI_BASE_ADDRESS_SPACE_IO)) != 0;

	if (range[1] <= range[0])
		return;
	bar->size_bytes = range[1] - range[0] + 1;
	bar->is_memory = (flags & RESOURCE_MEMORY) != 0 && !is_io;
	bar->address = range[0] & (is_io ? PCI_ADDR_IO_MASK : PCI_ADDR_MEM_MASK);
	bar->is_64bit = bar->is_memory && (flags & PCI_BASE_ADDRESS_MEM_TYPE_64) != 0;
	bar->is_prefetchable = bar->is_memory && (flags & PCI_BASE_ADDRESS_MEM_PREFETCH) != 0;
}

static bool read_bars(const struct root *root, struct device *device)
{
	CLEANUP(text) char *text = root_text(root, DEVICES "/%s/resource", device->address);
	char *rest = text;
	char *line;

	for (unsigned i = 0; (line = strsep(&rest, "\n")) != NULL; i++) {
		uint64_t range[3];

		if (!read_range(line, range))
			return false;
		if (i < DEVICE_BARS)
			read_bar(range, &device->bars[i]);
	}
	return text != NULL;
}

/*
 * What every function has; false if it vanished meanwhile. libpci would do, but ends the process on a
 * missing file and leaks on a malformed one, so each would have to be read before it as well.
 */
static bool read_numbers(const struct root *root, struct device *device)
{
	const char *name = device->address;
	int64_t vendor = root_number(root, -1, DEVICES "/%s/vendor", name);
	int64_t id = root_number(root, -1, DEVICES "/%s/device", name);
	int64_t class = root_number(root, -1, DEVICES "/%s/class", name);

	if (vendor < 0 || id < 0 || class < 0 || !read_bars(root, device))
		return false;
	device->vendor_id = (uint16_t)vendor;
	device->device_id = (uint16_t)id;
	device->class_id = (uint16_t)(class >> 8);
	return true;
}

/* A port's configuration space is not read: while the function below is reset the kernel keeps readers waiting, minutes
 * if it does not come back (pci_wait_cfg in drivers/pci/access.c, pci_bus_lock in pci.c of Linux 6.12). */
static bool is_bridge(const struct root *root, const char *name, uint16_t class_id)
{
	CLEANUP(text) char *config = NULL;
	size_t length = 0;

	if (class_id >> 8 != DEVICE_CLASS_BRIDGE || class_id == DEVICE_CLASS_PCI_BRIDGE)
		return class_id == DEVICE_CLASS_PCI_BRIDGE;
	config = root_bytes(root, &length, DEVICES "/%s/config", name);
	return config != NULL && length > HEADER_TYPE_AT && (config[HEADER_TYPE_AT] & 0x7f) != 0;
}

static int read_group(const struct root *root, const char *name)
{
	CLEANUP(text) char *group = root_link_name(root, DEVICES "/%s/iommu_group", name);
	unsigned long long number;

	if (group == NULL || !text_number(group, &number) || number > INT_MAX)
		return -1;
	return (int)number;
}

static char *read_override(const struct root *root, const char *name)
{
	CLEANUP(text) char *text = root_text(root, DEVICES "/%s/driver_override", name);

	if (text == NULL || *text == '\0' || text_equal(text, "(null)"))
		return NULL;
	return shown(STEAL(text));
}

/*
 * The place in the tree of bridges is the place in /sys/devices, where the kernel's link leads: its
 * components that are functions, back to the host bridge's "pci0000:80". All are of one domain, so path
 * leaves it out. Not realpath, which asks for every component of every function's path.
 */
static void read_place(const struct root *root, struct device *device)
{
	CLEANUP(text) char *link = root_path(root, DEVICES "/%s", device->address);
	char target[PATH_MAX];
	ssize_t length = readlink(link, target, sizeof target - 1);
	struct address at;
	char *slash;

	target[length < 0 ? 0 : length] = '\0';
	device->path = mem_strdup(strchr(device->address, ':') + 1);
	while ((slash = strrchr(target, '/')) != NULL) {
		*slash = '\0';
		slash = strrchr(target, '/');
		if (slash == NULL || !parse_name(slash + 1, &at)) {
			device->on_root_bus = device->parent[0] == '\0' && slash != NULL &&
					      text_starts(slash, "/pci");
			return;
		}
		if (device->parent[0] == '\0')
			memcpy(device->parent, slash + 1, strlen(slash + 1) + 1);
		char *longer = text_format("%s/%s", strchr(slash + 1, ':') + 1, device->path);

		free(device->path);
		device->path = longer;
	}
}

static void read_attributes(const struct root *root, struct device *device)
{
	const char *name = device->address;
	int64_t node = root_number(root, -1, DEVICES "/%s/numa_node", name);

	device->driver = shown(root_link_name(root, DEVICES "/%s/driver", name));
	device->driver_override = read_override(root, name);
	device->reset_methods = shown(root_text(root, DEVICES "/%s/reset_method", name));
	device->iommu_group = read_group(root, name);
	device->numa_node = node < 0 || node > INT_MAX ? -1 : (int)node;
	device->is_bridge = is_bridge(root, name, device->class_id);
	device->is_virtual_function = root_exists(root, DEVICES "/%s/physfn", name);
	/* The kernel shows it for VGA controllers alone. */
	device->is_boot_vga = device->class_id == DEVICE_CLASS_VGA &&
			      root_number(root, 0, DEVICES "/%s/boot_vga", name) == 1;
	/* The kernel shows link attributes for exactly the functions with a PCI Express capability. */
	device->is_pcie = root_exists(root, DEVICES "/%s/max_link_speed", name);
	read_place(root, device);
}

static void read_one(const struct root *root, const struct address *at, const char *name,
		     struct device_list *list)
{
	struct device device = { .domain = (uint16_t)at->domain,
				 .bus = (uint8_t)at->bus,
				 .slot = (uint8_t)at->slot,
				 .function = (uint8_t)at->function,
				 .names = list->names };

	memcpy(device.address, name, strlen(name) + 1);
	if (!read_numbers(root, &device))
		return;
	read_attributes(root, &device);
	*MEM_APPEND(list->devices, list->count) = device;
}

static int by_address(const void *a, const void *b)
{
	return strcmp(((const struct device *)a)->address, ((const struct device *)b)->address);
}

int device_list_read(const struct root *root, struct device_list **ret_list, struct fail *fail)
{
	CLEANUP(device_list) struct device_list *list = mem_alloc(1, sizeof *list);
	CLEANUP(root_names) char **names = root_names(root, DEVICES);

	if (device_names_open(root, &list->names, fail) < 0)
		return -1;
	for (char **name = names; *name != NULL; name++) {
		struct address at;

		if (parse_name(*name, &at) && at.domain <= UINT16_MAX)
			read_one(root, &at, *name, list);
	}
	if (list->count > 1)
		qsort(list->devices, list->count, sizeof *list->devices, by_address);
	console_read(root, list);
	use_read(root, list);
	*ret_list = STEAL(list);
	return 0;
}
