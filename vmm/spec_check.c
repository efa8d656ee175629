// SPDX-License-Identifier: MIT
#include "vmm/spec_check.h"

#include <string.h>

#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/spec_keys.h"

static void check_count(struct spec *spec, const struct keys_part *part, struct fail *fail)
{
	struct spec_gpu *gpu = &spec->gpus[part->position];
	const struct keys_value *count = keys_read_value(part, "count");

	if (count == NULL) {
		gpu->count = gpu->address_count == 0 ? 1 : (unsigned)gpu->address_count;
	} else if (gpu->count != 0 && gpu->address_count != 0 && gpu->count != gpu->address_count) {
		keys_value_refuse(count, fail, "address names %zu", gpu->address_count);
		fail_hint(fail, "write count = %zu, or leave count out", gpu->address_count);
	}
}

/* Finds @address in the parts before @last, and in @last before its position @before. */
static const struct keys_part *find_address(const struct spec *spec, const struct keys_parts *parts,
					    const struct keys_part *last, size_t before,
					    const char *address)
{
	for (const struct keys_part *part = parts->items; part <= last; part++) {
		const struct spec_gpu *gpu;

		if (part->row->target != SPEC_TARGET_GPU)
			continue;
		gpu = &spec->gpus[part->position];
		for (size_t i = 0; i < (part == last ? before : gpu->address_count); i++)
			if (strcmp(gpu->addresses[i], address) == 0)
				return part;
	}
	return NULL;
}

static void check_addresses(const struct spec *spec, const struct keys_parts *parts,
			    const struct keys_part *part, struct fail *fail)
{
	const struct spec_gpu *gpu = &spec->gpus[part->position];

	for (size_t i = 0; i < gpu->address_count; i++) {
		const struct keys_part *first = find_address(spec, parts, part, i,
							     gpu->addresses[i]);

		if (first == NULL)
			continue;
		keys_value_refuse(keys_read_value(part, "address"), fail, "%s is written twice",
				  gpu->addresses[i]);
		if (first != part)
			fail_cause(fail, "also in %s, line %u", first->label,
				   keys_read_value(first, "address")->line);
	}
}

/* Nobody loses his screen to words. */
static void check_boot_vga(const struct spec *spec, const struct keys_part *part, struct fail *fail)
{
	const struct spec_gpu *gpu = &spec->gpus[part->position];

	if (!gpu->allow_boot_vga || keys_read_value(part, "address") != NULL)
		return;
	keys_value_refuse(keys_read_value(part, "allow_boot_vga"), fail,
			  "only a GPU that address names may be the host's console");
	fail_hint(fail, "write address = and the GPU that gpuvm gpus shows, or leave "
			"allow_boot_vga out");
}

/* Whether @key is there, well written or not. */
static bool is_there(const struct keys_part *part, const char *key)
{
	for (size_t i = 0; i < part->value_count; i++)
		if (text_equal(part->values[i].row->key, key))
			return true;
	return false;
}

/* What is not written is blank, so a disk says at least how large it is. */
static void check_disk(const struct spec *spec, const struct keys_part *part, struct fail *fail)
{
	const struct keys_value *pool = keys_read_value(part, "pool");

	if (!is_there(part, "image") && !is_there(part, "size") && !part->is_repeated &&
	    !part->is_guess) {
		fail_add(fail, FAIL_SPEC, "%s: image or size is missing", part->label);
		fail_at(fail, spec->file, part->line);
		fail_hint(fail, "add image = and the path of a disk image, or size = 200 GiB for a "
				"blank disk");
	} else if (pool != NULL && !is_there(part, "size") &&
		   !text_equal(pool->text, pool->row->fallback)) {
		keys_value_refuse(pool, fail, "a pool is where gpuvm makes disks: it needs a size");
		fail_hint(fail, "add size = 200 GiB, or leave pool out: the image is used where "
				"it is");
	}
}

/* Any number of disks can be made on one image, as nothing writes to it. */
static void check_image(const struct spec *spec, const struct keys_parts *parts,
			const struct keys_part *part, struct fail *fail)
{
	const struct spec_disk *disk = &spec->disks[part->position];

	for (const struct keys_part *other = parts->items; other < part; other++) {
		const struct spec_disk *before = &spec->disks[other->position];

		if (other->row->target != SPEC_TARGET_DISK || disk->image == NULL ||
		    !text_equal(disk->image, before->image) ||
		    (disk->size_bytes != 0 && before->size_bytes != 0))
			continue;
		keys_value_refuse(keys_read_value(part, "image"), fail,
				  "the image is a disk of this VM already");
		fail_cause(fail, "%s, line %u", other->label,
			   keys_read_value(other, "image")->line);
		return;
	}
}

static void check_tag(const struct spec *spec, const struct keys_parts *parts,
		      const struct keys_part *part, struct fail *fail)
{
	const char *tag = spec->shares[part->position].target;

	for (const struct keys_part *other = parts->items; other < part; other++) {
		if (other->row->target != SPEC_TARGET_SHARE || tag == NULL ||
		    !text_equal(tag, spec->shares[other->position].target))
			continue;
		keys_value_refuse(keys_read_value(part, "target"), fail,
				  "another share of this VM has that tag");
		fail_cause(fail, "%s, line %u", other->label,
			   keys_read_value(other, "target")->line);
		return;
	}
}

/*
 * Whether a pair of files enforces Secure Boot is in the keys enrolled in the template, which only the
 * descriptors that libvirt chooses by can tell: gpuvm would promise what it cannot see.
 */
static void check_secure_boot(const struct spec *spec, const struct keys_parts *parts,
			      struct fail *fail)
{
	if (!spec->secure_boot || spec->firmware_code == NULL)
		return;
	keys_value_refuse(keys_read_find(parts, "firmware", "secure_boot"), fail,
			  "cannot be promised for files named by uefi");
	fail_hint(fail, "write uefi = auto");
}

static void check_pages(const struct spec *spec, const struct keys_parts *parts, struct fail *fail)
{
	CLEANUP(text) char *near = NULL;

	if (spec->hugepages != PLACE_PAGES_1_GIB || spec->memory_bytes % SIZE_GIB == 0)
		return;
	near = size_format((spec->memory_bytes + SIZE_GIB - 1) / SIZE_GIB * SIZE_GIB);
	keys_value_refuse(keys_read_find(parts, "vm", "memory"), fail,
			  "not a multiple of the page size");
	fail_cause(fail, "[numa] hugepages = 1 GiB, line %u", spec->hugepages_line);
	fail_hint(fail, "write %s", near);
}

/* A CPU runs one vCPU and nothing else, so both lists are sets, and apart. */
static void check_cpus(const struct spec *spec, const struct keys_parts *parts, struct fail *fail)
{
	const struct keys_value *pin = keys_read_find(parts, "cpu", "pin");
	int count = spec->pin == NULL ? 0 : hwloc_bitmap_weight(spec->pin);

	if (spec->pin == NULL)
		return;
	if (spec->vcpus != 0 && (unsigned)count != spec->vcpus) {
		keys_value_refuse(pin, fail, "%d CPU%s for %u vCPU%s", count, count == 1 ? "" : "s",
				  spec->vcpus, spec->vcpus == 1 ? "" : "s");
		fail_cause(fail, "[vm] vcpus = %u, line %u", spec->vcpus, spec->vcpus_line);
		fail_hint(fail, "write vcpus = %d, or as many CPUs as vcpus", count);
	}
	if (spec->emulator != NULL && hwloc_bitmap_intersects(spec->pin, spec->emulator)) {
		CLEANUP(text) char *both = NULL;
		hwloc_bitmap_t common = hwloc_bitmap_dup(spec->pin);

		hwloc_bitmap_and(common, common, spec->emulator);
		both = machine_cpus_format(common);
		hwloc_bitmap_free(common);
		keys_value_refuse(keys_read_find(parts, "cpu", "emulator"), fail, "pin has %s too",
				  both);
		fail_cause(fail, "[cpu] pin, line %u: a CPU that runs a vCPU runs nothing else",
			   spec->pin_line);
	}
}

/* A section without a key asks for all that it does by itself. Who may not log in needs no account. */
static void check_cloud_init(struct spec *spec, const struct keys_part *part, struct fail *fail)
{
	const struct keys_value *user = keys_read_value(part, "user");

	spec->cloud_init.is_written = part->line > 0;
	spec->cloud_init.line = part->line;
	if (user == NULL || spec->cloud_init.ssh_key != SPEC_SSH_KEY_NONE)
		return;
	keys_value_refuse(user, fail, "an account without a key: nobody could log in");
	fail_cause(fail, "[cloud-init] ssh_key = none, line %u", spec->cloud_init.ssh_key_line);
	fail_hint(fail, "write ssh_key = auto or a file, or leave user out");
}

int spec_check(struct spec *spec, const struct keys_parts *parts, struct fail *fail)
{
	size_t before = fail->item_count;

	for (size_t i = 0; i < parts->count; i++) {
		const struct keys_part *part = &parts->items[i];

		switch ((enum spec_target)part->row->target) {
		case SPEC_TARGET_GPU:
			check_count(spec, part, fail);
			check_addresses(spec, parts, part, fail);
			check_boot_vga(spec, part, fail);
			break;
		case SPEC_TARGET_DISK:
			check_disk(spec, part, fail);
			check_image(spec, parts, part, fail);
			break;
		case SPEC_TARGET_SHARE:
			check_tag(spec, parts, part, fail);
			break;
		case SPEC_TARGET_SPEC:
			if (text_equal(part->row->name, "cloud-init"))
				check_cloud_init(spec, part, fail);
			break;
		}
	}
	check_secure_boot(spec, parts, fail);
	check_pages(spec, parts, fail);
	check_cpus(spec, parts, fail);
	return fail->item_count == before ? 0 : -1;
}
