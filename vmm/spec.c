// SPDX-License-Identifier: MIT
#include "vmm/spec.h"

#include <errno.h>
#include <libgen.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/ini.h"
#include "vmm/spec_check.h"
#include "vmm/spec_keys.h"

#define MISTAKES_MOST 20 /* of one file that are told in a run */

/* Some other file: no section of a spec, but lines that are no INI either. */
static bool is_no_spec(const struct ini *ini, const struct keys_parts *parts)
{
	bool is_malformed = false;

	for (size_t i = 0; i < parts->count; i++)
		if (parts->items[i].line > 0)
			return false;
	for (size_t i = 0; i < ini->entry_count; i++)
		is_malformed |= ini->entries[i].is_malformed;
	return is_malformed;
}

/* One word instead of one on each line. */
static int refuse_file(const char *file, struct fail *fail)
{
	CLEANUP(text) char *sections = NULL;

	for (const struct keys_section *row = spec_keys()->sections; row->name != NULL; row++)
		if (row->required)
			text_add(&sections, "%s[%s]", sections == NULL ? "" : ", ", row->name);
	fail_done(fail);
	fail_add(fail, FAIL_SPEC, "not a spec: it has none of the sections %s", sections);
	fail_hint(fail, "see what one has: gpuvm help spec   or begin with a sample: cp "
			"/usr/share/doc/gpuvm/examples/one-gpu.ini FILE.ini");
	return fail_at(fail, file, 0);
}

/* @ini may have been refused in part: its errors are in @fail, and all others come to them. */
static int read_ini(const struct ini *ini, const char *directory, struct spec **ret_spec,
		    struct fail *fail)
{
	CLEANUP(spec) struct spec *spec = mem_alloc(1, sizeof *spec);
	CLEANUP(keys_parts) struct keys_parts parts = { 0 };

	spec->file = mem_strdup(ini->file);
	spec->directory = mem_strdup(directory);
	spec->text = mem_strdup(ini->text);
	keys_read(spec_keys(), ini, spec->directory, spec, &parts, fail);
	if (is_no_spec(ini, &parts))
		return refuse_file(ini->file, fail);
	spec_check(spec, &parts, fail);
	fail_sort(fail);
	fail_cap(fail, MISTAKES_MOST);
	if (fail->kind != FAIL_NONE)
		return -1;
	*ret_spec = STEAL(spec);
	return 0;
}

int spec_read(const char *path, struct spec **ret_spec, struct fail *fail)
{
	CLEANUP(text) char *copy = mem_strdup(path);
	CLEANUP(text) char *directory = NULL;
	CLEANUP(ini) struct ini *ini = NULL;

	ini_read(path, &ini, fail);
	if (ini == NULL)
		return -1;
	directory = realpath(dirname(copy), NULL);
	if (directory == NULL) {
		fail_add(fail, FAIL_FAIL, "the spec's folder cannot be resolved");
		fail_cause(fail, "%s", strerror(errno));
		return fail_at(fail, path, 0);
	}
	return read_ini(ini, directory, ret_spec, fail);
}

int spec_parse(const char *file, const char *directory, const char *text, struct spec **ret_spec,
	       struct fail *fail)
{
	CLEANUP(ini) struct ini *ini = NULL;

	ini_parse_text(file, text, strlen(text), &ini, fail);
	if (ini == NULL)
		return -1;
	return read_ini(ini, directory, ret_spec, fail);
}

static void cloud_init_done(struct spec_cloud_init *cloud_init)
{
	free(cloud_init->user);
	free(cloud_init->ssh_key_file);
	free(cloud_init->hostname);
	for (size_t i = 0; i < cloud_init->package_count; i++)
		free(cloud_init->packages[i]);
	free(cloud_init->packages);
	free(cloud_init->user_data);
}

void spec_free(struct spec *spec)
{
	if (spec == NULL)
		return;
	for (size_t i = 0; i < spec->gpu_count; i++) {
		free(spec->gpus[i].label);
		free(spec->gpus[i].match);
		for (size_t j = 0; j < spec->gpus[i].address_count; j++)
			free(spec->gpus[i].addresses[j]);
		free(spec->gpus[i].addresses);
	}
	for (size_t i = 0; i < spec->disk_count; i++) {
		free(spec->disks[i].label);
		free(spec->disks[i].image);
		free(spec->disks[i].pool);
	}
	for (size_t i = 0; i < spec->share_count; i++) {
		free(spec->shares[i].label);
		free(spec->shares[i].source);
		free(spec->shares[i].target);
	}
	free(spec->shares);
	free(spec->gpus);
	free(spec->disks);
	free(spec->file);
	free(spec->directory);
	free(spec->text);
	free(spec->name);
	free(spec->firmware_code);
	free(spec->firmware_vars);
	free(spec->network_source);
	cloud_init_done(&spec->cloud_init);
	hwloc_bitmap_free(spec->pin);
	hwloc_bitmap_free(spec->emulator);
	free(spec);
}
