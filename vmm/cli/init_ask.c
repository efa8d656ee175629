// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/cli/init_internal.h"
#include "vmm/cli/out.h"

/* Tells what is wrong with an answer, before it is asked again. */
static void complain(struct fail *wrong)
{
	out_fail(wrong, false);
	fail_done(wrong);
}

static int end_of_input(struct fail *fail)
{
	fail_add(fail, FAIL_USAGE, "nothing was written: the questions were not answered");
	return fail_hint(fail, "gpuvm help init   lists the options that answer them");
}

/* Until the answer is one that the spec's reader takes. */
static int ask(struct init *init, const char *section, const char *key, const char *question,
	       const char *fallback, struct fail *fail)
{
	while (init_draft_find(&init->draft, section, key) == NULL) {
		CLEANUP(text) char *answer = out_ask(question, fallback);
		CLEANUP(fail) struct fail wrong = { 0 };

		if (answer == NULL)
			return end_of_input(fail);
		if (init_draft_check(section, key, answer, &wrong) < 0)
			complain(&wrong);
		else
			init_draft_set(&init->draft, section, key, answer, true);
	}
	return 0;
}

static int ask_name(struct init *init, struct fail *fail)
{
	if (ask(init, "vm", "name", "name of the VM", "gpu-vm", fail) < 0)
		return -1;
	while (init->path == NULL) {
		CLEANUP(fail) struct fail wrong = { 0 };

		if (ask(init, "vm", "name", "name of the VM", NULL, fail) < 0)
			return -1;
		if (init_choose_path(init, &wrong) == 0)
			continue;
		complain(&wrong);
		init_draft_set(&init->draft, "vm", "name", NULL, false);
	}
	return 0;
}

/* "1,3" as the addresses of the first and third GPU shown, or NULL. The caller frees. */
static char *addresses_of(const struct init *init, const char *answer)
{
	CLEANUP(text) char *copy = mem_strdup(answer);
	CLEANUP(text) char *addresses = NULL;
	char *rest = NULL;

	for (char *word = strtok_r(copy, ", ", &rest); word != NULL;
	     word = strtok_r(NULL, ", ", &rest)) {
		unsigned long long number;

		if (!text_number(word, &number) || number == 0 || number > init->gpu_count)
			return NULL;
		text_join(&addresses, ", ", init->gpus[number - 1]->device->address);
	}
	return STEAL(addresses);
}

static void show_gpus(const struct init *init)
{
	out_note("GPUs that are free:");
	for (size_t i = 0; i < init->gpu_count; i++) {
		const struct device *device = init->gpus[i]->device;
		int node = host_gpu_node(init->host, init->gpus[i]);
		CLEANUP(text) char *title = device_title(device);
		CLEANUP(text) char *safe = text_printable(title, 60);
		CLEANUP(text)
		char *near = node < 0 ? mem_strdup("node unknown") : text_format("node %d", node);

		out_note("  %zu  %s  %s [%04x:%04x], %s", i + 1, device->address, safe,
			 device->vendor_id, device->device_id, near);
	}
}

/* What init would choose by itself for @key of [gpu], beside what is chosen. The caller frees. */
static char *own_choice(struct init *init, const char *key)
{
	const char *match = init_draft_get(&init->draft, "gpu", "match");
	struct init_draft asked = init->draft;
	char *text;

	init->draft = (struct init_draft){ 0 };
	if (match != NULL)
		init_draft_set(&init->draft, "gpu", "match", match, true);
	init_default_gpu(init);
	text = mem_strdup(init_draft_get(&init->draft, "gpu", key));
	init_draft_done(&init->draft);
	init->draft = asked;
	return text;
}

/* Sets what @answer means, if it means a GPU of this host. */
static int take_gpu(struct init *init, const char *answer, struct fail *fail)
{
	CLEANUP(text) char *addresses = addresses_of(init, answer);
	const char *match;

	init_draft_set(&init->draft, "gpu", "address", NULL, false);
	init_draft_set(&init->draft, "gpu", "match", NULL, false);
	if (init_set_gpu(init, addresses == NULL ? answer : addresses, true, fail) < 0)
		return -1;
	match = init_draft_get(&init->draft, "gpu", "match");
	for (size_t i = 0; match != NULL && i < init->gpu_count; i++)
		if (gpu_matches(init->gpus[i], match))
			return 0;
	if (match == NULL)
		return 0;
	fail_add(fail, FAIL_USAGE, "none of these is number or name \"%s\"", match);
	return -1;
}

static int ask_which(struct init *init, struct fail *fail)
{
	CLEANUP(text) char *fallback = own_choice(init, "match");

	show_gpus(init);
	for (;;) {
		CLEANUP(text)
		char *answer = out_ask("which: numbers, or words that name any of a kind",
				       fallback);
		CLEANUP(fail) struct fail wrong = { 0 };

		if (answer == NULL)
			return end_of_input(fail);
		if (take_gpu(init, answer, &wrong) == 0)
			return 0;
		complain(&wrong);
	}
}

static int ask_count(struct init *init, struct fail *fail)
{
	CLEANUP(text) char *fallback = NULL;

	if (init_draft_get(&init->draft, "gpu", "address") != NULL)
		return 0;
	fallback = own_choice(init, "count");
	return ask(init, "gpu", "count", "how many of them", fallback, fail);
}

static int ask_sizes(struct init *init, struct fail *fail)
{
	struct init_share share = init_default_share(init);
	CLEANUP(text) char *vcpus = text_format("%u", share.vcpus);
	CLEANUP(text) char *memory = size_format(share.memory_bytes);

	if (ask(init, "vm", "vcpus", "vCPUs; a fair part of those near the GPU is", vcpus, fail) <
	    0)
		return -1;
	if (ask(init, "vm", "memory", "memory; a fair part of what is free there is", memory,
		fail) < 0)
		return -1;
	return ask(init, "numa", "hugepages", "huge pages: auto, no, 2 MiB or 1 GiB", "auto", fail);
}

static int ask_image(struct init *init, struct fail *fail)
{
	CLEANUP(text) char *fallback = init_default_image(init);

	if (init_draft_find(&init->draft, "disk", "image") != NULL)
		return 0;
	if (init->image_count > 0)
		out_note("Disk images:");
	for (size_t i = 0; i < init->image_count; i++) {
		CLEANUP(text) char *safe = text_printable(init->images[i], 0);

		out_note("  %zu  %s", i + 1, safe);
	}
	for (;;) {
		CLEANUP(text)
		char *answer = out_ask(init->image_count > 0 ? "disk image: a number, or its path"
							     : "disk image",
				       fallback);
		CLEANUP(fail) struct fail wrong = { 0 };
		unsigned long long number;
		const char *path = answer;

		if (answer == NULL)
			return end_of_input(fail);
		if (text_number(answer, &number) && number > 0 && number <= init->image_count)
			path = init->images[number - 1];
		if (init_set_image(init, path, true, &wrong) == 0)
			return 0;
		complain(&wrong);
	}
}

int init_ask(struct init *init, struct fail *fail)
{
	bool has_gpu = init_draft_get(&init->draft, "gpu", "match") != NULL ||
		       init_draft_get(&init->draft, "gpu", "address") != NULL;

	if (ask_name(init, fail) < 0)
		return -1;
	if (init->gpu_count > 0 &&
	    ((!has_gpu && ask_which(init, fail) < 0) || ask_count(init, fail) < 0))
		return -1;
	init_default_gpu(init);
	if (ask_sizes(init, fail) < 0)
		return -1;
	return ask_image(init, fail);
}
