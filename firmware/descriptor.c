// SPDX-License-Identifier: MIT
#include "firmware/descriptor.h"

#include <fnmatch.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

/* libvirt makes a versioned name of "q35" before it looks for firmware; any version serves the patterns. */
#define MACHINE "pc-q35-7.2"

static const char *const folders[] = {
	"/usr/share/qemu/firmware",
	"/etc/qemu/firmware", /* the administrator's: replaces the distribution's of the same name */
};

static void json_cleanup(json_t **json)
{
	json_decref(*json);
}

struct entry {
	char *name, *folder;
};

struct entries {
	struct entry *entries;
	size_t count;
};

static void entries_done(struct entries *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->entries[i].name);
	free(list->entries);
}

static struct entry *find(struct entries *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (text_equal(list->entries[i].name, name))
			return &list->entries[i];
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void list_all(const struct root *root, struct entries *list)
{
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		CLEANUP(root_names) char **names = root_names(root, "%s", folders[i]);

		for (char **name = names; *name != NULL; name++) {
			struct entry *entry = find(list, *name);

			if (**name == '.')
				continue;
			if (entry == NULL) {
				entry = MEM_APPEND(list->entries, list->count);
				entry->name = mem_strdup(*name);
			}
			entry->folder = (char *)folders[i];
		}
	}
	if (list->count > 1)
		qsort(list->entries, list->count, sizeof *list->entries, by_name);
}

static bool array_has(const json_t *array, const char *word)
{
	const json_t *item;
	size_t i;

	json_array_foreach(array, i, item)
	{
		if (text_equal(json_string_value(item), word))
			return true;
	}
	return false;
}

static bool targets_q35(const json_t *targets)
{
	const json_t *target;
	size_t i;

	json_array_foreach(targets, i, target)
	{
		const json_t *machines = json_object_get(target, "machines");
		const json_t *machine;
		size_t j;

		if (!text_equal(json_string_value(json_object_get(target, "architecture")),
				"x86_64"))
			continue;
		json_array_foreach(machines, j, machine)
		{
			if (json_is_string(machine) &&
			    fnmatch(json_string_value(machine), MACHINE, 0) == 0)
				return true;
		}
	}
	return false;
}

static const char *filename(const json_t *mapping, const char *image)
{
	return json_string_value(json_object_get(json_object_get(mapping, image), "filename"));
}

/* The descriptor in @json if it is UEFI for q35 from split flash, else NULL. */
static struct descriptor *parse(const json_t *json)
{
	const json_t *mapping = json_object_get(json, "mapping");
	const json_t *features = json_object_get(json, "features");
	const char *mode = json_string_value(json_object_get(mapping, "mode"));
	const char *executable = filename(mapping, "executable");
	const char *nvram_template = filename(mapping, "nvram-template");
	struct descriptor *descriptor;

	if (!array_has(json_object_get(json, "interface-types"), "uefi") ||
	    !targets_q35(json_object_get(json, "targets")) ||
	    !text_equal(json_string_value(json_object_get(mapping, "device")), "flash"))
		return NULL;
	/* libvirt takes "stateless" and "combined" only for a domain that asks for it */
	if ((mode != NULL && !text_equal(mode, "split")) || executable == NULL ||
	    nvram_template == NULL)
		return NULL;
	descriptor = mem_alloc(1, sizeof *descriptor);
	descriptor->executable = text_printable(executable, 0);
	descriptor->nvram_template = text_printable(nvram_template, 0);
	descriptor->secure_boot = array_has(features, "secure-boot");
	descriptor->enrolled_keys = array_has(features, "enrolled-keys");
	descriptor->requires_smm = array_has(features, "requires-smm");
	return descriptor;
}

static struct descriptor *read_one(const struct root *root, const struct entry *entry)
{
	CLEANUP(text) char *text = root_text(root, "%s/%s", entry->folder, entry->name);
	__attribute__((cleanup(json_cleanup)))
	json_t *json = text == NULL ? NULL : json_loads(text, 0, NULL);
	struct descriptor *descriptor = json == NULL ? NULL : parse(json);

	if (descriptor != NULL)
		descriptor->file = text_format("%s/%s", entry->folder, entry->name);
	return descriptor;
}

static int refuse(const struct entries *list, bool secure_boot, struct fail *fail)
{
	CLEANUP(text) char *names = NULL;

	for (size_t i = 0; i < list->count; i++) {
		CLEANUP(text) char *name = text_printable(list->entries[i].name, 80);

		text_join(&names, ", ", name);
	}
	fail_add(fail, FAIL_HOST, "no UEFI firmware for x86_64 q35 %s Secure Boot",
		 secure_boot ? "with" : "without");
	if (names == NULL)
		fail_cause(fail, "%s and %s: no descriptors", folders[0], folders[1]);
	else
		fail_cause(fail, "%s and %s: none fits of %s", folders[0], folders[1], names);
	return fail_hint(fail, "apt install ovmf");
}

int descriptor_select(const struct root *root, bool secure_boot, struct descriptor **ret_descriptor,
		      struct fail *fail)
{
	__attribute__((cleanup(entries_done))) struct entries list = { 0 };

	list_all(root, &list);
	for (size_t i = 0; i < list.count; i++) {
		CLEANUP(descriptor) struct descriptor *found = read_one(root, &list.entries[i]);

		if (found == NULL || found->secure_boot != secure_boot ||
		    (secure_boot && !found->enrolled_keys))
			continue;
		*ret_descriptor = STEAL(found);
		return 0;
	}
	return refuse(&list, secure_boot, fail);
}

char *descriptor_malformed(const struct root *root)
{
	__attribute__((cleanup(entries_done))) struct entries list = { 0 };

	list_all(root, &list);
	for (size_t i = 0; i < list.count; i++) {
		const struct entry *entry = &list.entries[i];
		CLEANUP(text) char *text = root_text(root, "%s/%s", entry->folder, entry->name);
		__attribute__((cleanup(json_cleanup)))
		json_t *json = text == NULL ? NULL : json_loads(text, 0, NULL);

		/* An empty file masks one of the same name. */
		if (text != NULL && *text != '\0' && !json_is_object(json))
			return text_format("%s/%s", entry->folder, entry->name);
	}
	return NULL;
}

void descriptor_free(struct descriptor *descriptor)
{
	if (descriptor == NULL)
		return;
	free(descriptor->file);
	free(descriptor->executable);
	free(descriptor->nvram_template);
	free(descriptor);
}
