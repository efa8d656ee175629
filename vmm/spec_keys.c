// SPDX-License-Identifier: MIT
#include "vmm/spec_keys.h"

#include <string.h>

#include "vmm/base/size.h"
#include "vmm/base/text.h"

/* Choices are stored as their position, which therefore is the enum's value. */
static const char *const policies[] = {
	[PLACE_REQUIRED] = "required",
	[PLACE_SOCKET] = "socket",
	[PLACE_PREFERRED] = "preferred",
	NULL,
};

static const char *const hugepages[] = {
	[PLACE_PAGES_AUTO] = "auto",
	[PLACE_PAGES_NO] = "no",
	[PLACE_PAGES_2_MIB] = "2 MiB",
	[PLACE_PAGES_1_GIB] = "1 GiB",
	NULL,
};

static const char *const formats[] = {
	[SPEC_DISK_AUTO] = "auto",
	[SPEC_DISK_RAW] = "raw",
	[SPEC_DISK_QCOW2] = "qcow2",
	NULL,
};

static const struct spec_section_row sections[] = {
	{ .name = "vm", .required = true, .doc = "the machine: its name, CPUs and memory" },
	{ .name = "gpu",
	  .target = SPEC_TARGET_GPU,
	  .repeatable = true,
	  .required = true,
	  .doc = "GPUs to give to the VM; [gpu:NAME] adds another request" },
	{ .name = "numa", .doc = "where CPUs and memory may lie, seen from the GPUs" },
	{ .name = "firmware", .doc = "the UEFI firmware" },
	{ .name = "disk",
	  .target = SPEC_TARGET_DISK,
	  .repeatable = true,
	  .required = true,
	  .doc = "a disk image, the first one boots; [disk:NAME] adds another" },
	{ .name = "network", .doc = "the network card" },
	{ .name = NULL },
};

static const struct spec_key_row keys[] = {
	{ .section = "vm",
	  .key = "name",
	  .type = SPEC_NAME,
	  .required = true,
	  .offset = offsetof(struct spec, name),
	  .example = "train",
	  .doc = "the VM's name: a-z 0-9 . _ -, starts with a letter or digit, up to 63" },
	{ .section = "vm",
	  .key = "vcpus",
	  .type = SPEC_COUNT,
	  .min = 1,
	  .max = 1024,
	  .required = true,
	  .offset = offsetof(struct spec, vcpus),
	  .line_offset = offsetof(struct spec, vcpus_line),
	  .example = "16",
	  .doc = "virtual CPUs, each pinned to a host CPU of its own" },
	{ .section = "vm",
	  .key = "memory",
	  .type = SPEC_SIZE,
	  .unit = "bytes",
	  .min = 256 * SIZE_MIB,
	  .max = 64 * SIZE_TIB,
	  .step = 2 * SIZE_MIB,
	  .required = true,
	  .offset = offsetof(struct spec, memory_bytes),
	  .line_offset = offsetof(struct spec, memory_line),
	  .example = "128 GiB",
	  .doc = "guest memory, all of it taken at the start (VFIO pins it)" },
	{ .section = "vm",
	  .key = "autostart",
	  .type = SPEC_BOOLEAN,
	  .fallback = "no",
	  .offset = offsetof(struct spec, autostart),
	  .example = "yes",
	  .doc = "whether gpuvm's systemd unit starts the VM after boot, planned anew" },
	{ .section = "gpu",
	  .key = "count",
	  .type = SPEC_COUNT,
	  .min = 1,
	  .max = 256,
	  .offset = offsetof(struct spec_gpu, count),
	  .line_offset = offsetof(struct spec_gpu, line),
	  .example = "2",
	  .doc = "how many GPUs; not written: as many as there are addresses, else 1" },
	{ .section = "gpu",
	  .key = "match",
	  .type = SPEC_MATCH,
	  .offset = offsetof(struct spec_gpu, match),
	  .example = "10de:2330",
	  .doc = "which GPUs: vendor:device, words of the name (H100), or any; not written: any" },
	{ .section = "gpu",
	  .key = "address",
	  .type = SPEC_ADDRESSES,
	  .offset = offsetof(struct spec_gpu, addresses),
	  .line_offset = offsetof(struct spec_gpu, line),
	  .example = "0000:17:00.0, 0000:65:00.0",
	  .doc = "exactly these GPUs, by PCI address; match, if written, must hold for each" },
	{ .section = "numa",
	  .key = "policy",
	  .type = SPEC_CHOICE,
	  .fallback = "required",
	  .choices = policies,
	  .offset = offsetof(struct spec, policy),
	  .line_offset = offsetof(struct spec, policy_line),
	  .example = "socket",
	  .doc = "CPUs and memory on each GPU's own node, on its socket, or near if possible" },
	{ .section = "numa",
	  .key = "hugepages",
	  .type = SPEC_CHOICE,
	  .fallback = "auto",
	  .choices = hugepages,
	  .offset = offsetof(struct spec, hugepages),
	  .line_offset = offsetof(struct spec, hugepages_line),
	  .example = "1 GiB",
	  .doc = "the size of memory pages; auto: the largest that the node has enough of" },
	{ .section = "firmware",
	  .key = "uefi",
	  .type = SPEC_FIRMWARE,
	  .fallback = "auto",
	  .offset = offsetof(struct spec, firmware_code),
	  .line_offset = offsetof(struct spec, firmware_line),
	  .example = "/usr/share/OVMF/OVMF_CODE_4M.fd, /usr/share/OVMF/OVMF_VARS_4M.fd",
	  .doc = "auto: libvirt chooses; or the code image and the template of its variables" },
	{ .section = "firmware",
	  .key = "secure_boot",
	  .type = SPEC_BOOLEAN,
	  .fallback = "no",
	  .offset = offsetof(struct spec, secure_boot),
	  .line_offset = offsetof(struct spec, firmware_line),
	  .example = "yes",
	  .doc = "whether the firmware checks signatures; needs uefi = auto" },
	{ .section = "disk",
	  .key = "image",
	  .type = SPEC_PATH,
	  .required = true,
	  .offset = offsetof(struct spec_disk, image),
	  .line_offset = offsetof(struct spec_disk, line),
	  .example = "/var/lib/libvirt/images/train.qcow2",
	  .doc = "the image; a relative path starts at the spec's folder" },
	{ .section = "disk",
	  .key = "format",
	  .type = SPEC_CHOICE,
	  .fallback = "auto",
	  .choices = formats,
	  .offset = offsetof(struct spec_disk, format),
	  .example = "raw",
	  .doc = "auto: qcow2 if the image's name ends in .qcow2, else raw; never by content" },
	{ .section = "network",
	  .key = "source",
	  .type = SPEC_NETWORK,
	  .fallback = "default",
	  .offset = offsetof(struct spec, network),
	  .line_offset = offsetof(struct spec, network_line),
	  .example = "bridge:br0",
	  .doc = "a libvirt network, bridge:NAME for a bridge of the host, or none" },
	{ .key = NULL },
};

const struct spec_section_row *spec_sections(void)
{
	return sections;
}

const struct spec_key_row *spec_keys(void)
{
	return keys;
}

const char *spec_type_name(enum spec_type type)
{
	static const char *const names[] = {
		[SPEC_NAME] = "name",
		[SPEC_COUNT] = "whole number",
		[SPEC_SIZE] = "size with a unit (MiB, GiB, TiB)",
		[SPEC_BOOLEAN] = "yes | no",
		[SPEC_CHOICE] = "one word of a list",
		[SPEC_MATCH] = "vendor:device, words, or any",
		[SPEC_ADDRESSES] = "PCI addresses, comma separated",
		[SPEC_PATH] = "path",
		[SPEC_FIRMWARE] = "auto | CODE.fd, VARS.fd",
		[SPEC_NETWORK] = "NAME | bridge:NAME | none",
	};

	return names[type];
}

const struct spec_section_row *spec_keys_section(const char *name)
{
	for (const struct spec_section_row *row = sections; row->name != NULL; row++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

const struct spec_key_row *spec_keys_find(const char *section, const char *key)
{
	for (const struct spec_key_row *row = keys; row->key != NULL; row++)
		if (strcmp(row->section, section) == 0 && strcmp(row->key, key) == 0)
			return row;
	return NULL;
}

const struct spec_section_row *spec_keys_nearest_section(const char *name)
{
	const char *names[sizeof sections / sizeof *sections];
	const char *nearest;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		names[i] = sections[i].name;
	nearest = text_nearest(name, names);
	return nearest == NULL ? NULL : spec_keys_section(nearest);
}

int spec_keys_hint_section(const char *name, const char *label, struct fail *fail)
{
	const struct spec_section_row *nearest = spec_keys_nearest_section(name);
	CLEANUP(text) char *all = NULL;
	CLEANUP(text) char *shown = text_printable(label, 0);

	if (nearest != NULL)
		return fail_hint(fail, "write [%s%s]", nearest->name,
				 nearest->repeatable ? shown : "");
	for (const struct spec_section_row *row = sections; row->name != NULL; row++)
		text_add(&all, "%s[%s]", all == NULL ? "" : ", ", row->name);
	return fail_hint(fail, "the sections are %s", all);
}

/* The first row with @key, of any section. */
static const struct spec_key_row *find_anywhere(const char *key)
{
	const struct spec_key_row *row = keys;

	while (row->key != NULL && strcmp(row->key, key) != 0)
		row++;
	return row->key == NULL ? NULL : row;
}

/* The key nearest to @key among those of @section, or among those of all others. */
static const struct spec_key_row *nearest_key(const char *section, bool others, const char *key)
{
	const char *names[sizeof keys / sizeof *keys] = { NULL };
	const char *nearest;
	size_t count = 0;

	for (const struct spec_key_row *row = keys; row->key != NULL; row++)
		if ((strcmp(row->section, section) == 0) != others)
			names[count++] = row->key;
	nearest = text_nearest(key, names);
	if (nearest == NULL)
		return NULL;
	return others ? find_anywhere(nearest) : spec_keys_find(section, nearest);
}

const struct spec_key_row *spec_keys_nearest(const char *section, const char *key)
{
	return find_anywhere(key) != NULL ? NULL : nearest_key(section, false, key);
}

int spec_keys_hint_key(const char *section, const char *key, struct fail *fail)
{
	const struct spec_key_row *home = find_anywhere(key);
	const struct spec_key_row *own = spec_keys_nearest(section, key);
	const struct spec_key_row *other = nearest_key(section, true, key);
	CLEANUP(text) char *all = NULL;

	if (home != NULL)
		return fail_hint(fail, "%s belongs to [%s]", key, home->section);
	if (own != NULL)
		return fail_hint(fail, "write %s", own->key);
	if (other != NULL)
		return fail_hint(fail, "write %s, in [%s]", other->key, other->section);
	for (const struct spec_key_row *row = keys; row->key != NULL; row++)
		if (strcmp(row->section, section) == 0)
			text_join(&all, ", ", row->key);
	return fail_hint(fail, "the keys of [%s] are %s", section, all);
}
