// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/init_internal.h"

static bool is_image(const char *name)
{
	static const char *const endings[] = { ".qcow2", ".raw", ".img" };
	size_t length = strlen(name);

	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		size_t tail = strlen(endings[i]);

		if (length > tail && text_equal(name + length - tail, endings[i]))
			return true;
	}
	return false;
}

/* Where QEMU may read them. Folders that the caller may not list have none. */
void init_find_images(struct init *init)
{
	static const char *const folders[] = { "/var/lib/libvirt/images", "/srv/libvirt/images" };

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		CLEANUP(root_names) char **names = root_names(init->root, "%s", folders[i]);

		for (char **name = names; *name != NULL; name++) {
			CLEANUP(text) char *path = text_format("%s/%s", folders[i], *name);
			CLEANUP(fail) struct fail unusable = { 0 };

			if (is_image(*name) &&
			    init_draft_check("disk", "image", path, &unusable) == 0)
				*MEM_APPEND(init->images, init->image_count) = STEAL(path);
		}
	}
}

int init_set_gpu(struct init *init, const char *text, bool is_given, struct fail *fail)
{
	CLEANUP(fail) struct fail no_addresses = { 0 };

	if (init_draft_check("gpu", "address", text, &no_addresses) == 0) {
		init_draft_set(&init->draft, "gpu", "address", text, is_given);
		return 0;
	}
	if (init_draft_check("gpu", "match", text, fail) < 0)
		return -1;
	init_draft_set(&init->draft, "gpu", "match", text, is_given);
	return 0;
}

/* Free GPUs that go only together with @gpu, itself included. */
static size_t group_size(const struct init *init, const struct gpu *gpu)
{
	size_t count = 0;

	for (size_t i = 0; i < init->gpu_count; i++)
		count += gpu_same_group(init->gpus[i], gpu);
	return count;
}

/* The first of those that match which goes alone, or in the smallest group; NULL if none is free. */
static const struct gpu *first_gpu(const struct init *init, const char *match)
{
	const struct gpu *first = NULL;

	for (size_t i = 0; i < init->gpu_count; i++)
		if (gpu_matches(init->gpus[i], match) &&
		    (first == NULL || group_size(init, init->gpus[i]) < group_size(init, first)))
			first = init->gpus[i];
	return first;
}

/* Any of the first one's model: should somebody take that one meanwhile, its like will do. */
void init_default_gpu(struct init *init)
{
	struct init_draft *draft = &init->draft;
	const char *match = init_draft_get(draft, "gpu", "match");
	const struct gpu *gpu = first_gpu(init, match == NULL ? "any" : match);
	CLEANUP(text)
	char *count = text_format("%zu", gpu == NULL ? 1 : group_size(init, gpu));
	CLEANUP(text) char *ids = mem_strdup("any");

	if (init_draft_get(draft, "gpu", "address") != NULL)
		return;
	if (gpu != NULL) {
		free(ids);
		ids = text_format("%04x:%04x", gpu->device->vendor_id, gpu->device->device_id);
	}
	if (match == NULL)
		init_draft_set(draft, "gpu", "match", ids, false);
	if (init_draft_get(draft, "gpu", "count") == NULL)
		init_draft_set(draft, "gpu", "count", count, false);
}

/* Those that the draft's words mean. */
static struct init_share share_of_words(const struct init *init, size_t count)
{
	const char *match = init_draft_get(&init->draft, "gpu", "match");
	const struct gpu **gpus = NULL;
	struct init_share share;
	size_t gpu_count = 0;

	for (size_t i = 0; i < init->gpu_count; i++)
		if (gpu_matches(init->gpus[i], match))
			*MEM_APPEND(gpus, gpu_count) = init->gpus[i];
	share = init_share_sum(&init->on, gpus, gpu_count, count);
	free(gpus);
	return share;
}

static struct init_share share_of_addresses(const struct init *init, const char *text)
{
	CLEANUP(text) char *copy = mem_strdup(text);
	const struct gpu **gpus = NULL;
	struct init_share share;
	size_t count = 0;
	char *rest = NULL;

	for (char *word = strtok_r(copy, ", ", &rest); word != NULL;
	     word = strtok_r(NULL, ", ", &rest)) {
		char address[DEVICE_ADDRESS_BYTES];
		const struct gpu *gpu = device_parse_address(word, address)
						? gpu_find(init->host->gpus, address)
						: NULL;

		if (gpu != NULL)
			*MEM_APPEND(gpus, count) = gpu;
	}
	share = init_share_sum(&init->on, gpus, count, count == 0 ? 1 : count);
	free(gpus);
	return share;
}

struct init_share init_default_share(const struct init *init)
{
	const char *addresses = init_draft_get(&init->draft, "gpu", "address");
	const char *text = init_draft_get(&init->draft, "gpu", "count");
	unsigned long long count = 1;

	if (addresses != NULL)
		return share_of_addresses(init, addresses);
	if (!text_number(text, &count) || count == 0)
		count = 1;
	return share_of_words(init, count);
}

int init_set_image(struct init *init, const char *text, bool is_given, struct fail *fail)
{
	CLEANUP(text) char *folder = getcwd(NULL, 0);
	CLEANUP(text) char *path = mem_strdup(text);

	/* What is typed is meant from here, wherever the spec is written to. */
	if (*text != '/' && *text != '~' && *text != '\0' && folder != NULL) {
		free(path);
		path = text_format("%s/%s", folder, text);
	}
	if (init_draft_check("disk", "image", path, fail) < 0)
		return -1;
	init_draft_set(&init->draft, "disk", "image", path, is_given);
	return 0;
}

/* The one called as the VM, or the only one: another could be another VM's. */
char *init_default_image(const struct init *init)
{
	const char *name = init_draft_get(&init->draft, "vm", "name");
	CLEANUP(text) char *stem = text_format("/%s.", name);

	for (size_t i = 0; i < init->image_count; i++)
		if (text_starts(strrchr(init->images[i], '/'), stem))
			return mem_strdup(init->images[i]);
	if (init->image_count == 1)
		return mem_strdup(init->images[0]);
	return text_format("/var/lib/libvirt/images/%s.qcow2", name);
}
