/* SPDX-License-Identifier: MIT */
/* What the init*.c files share: one spec on its way. */
#ifndef GPUVM_CLI_INIT_INTERNAL_H
#define GPUVM_CLI_INIT_INTERNAL_H

#include <stdbool.h>

#include "topo/host.h"
#include "vmm/base/root.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/init_draft.h"
#include "vmm/cli/init_share.h"
#include "vmm/policy.h"
#include "vmm/usage.h"

struct init {
	const struct cli *cli;
	bool asks; /* somebody answers on a terminal */
	struct root *root;
	struct host *host;
	struct policy *policy;
	struct usage *usage;
	struct place_taken taken;
	struct init_host on;     /* the same, for shares */
	const struct gpu **gpus; /* that words could choose now, and that are safe to give away */
	size_t gpu_count;
	char **images; /* disk images in the usual places */
	size_t image_count;
	struct init_draft draft;
	char *path; /* of the spec; "-": standard output */
};

/* Fills init.images. */
void init_find_images(struct init *init);

/* Sets [gpu] by @text: PCI addresses, else words. FAIL_USAGE. */
int init_set_gpu(struct init *init, const char *text, bool is_given, struct fail *fail);

/* Sets [disk] image; a relative path starts at the working folder. FAIL_USAGE. */
int init_set_image(struct init *init, const char *text, bool is_given, struct fail *fail);

/* init's own choice for what is not set yet: the GPU; then what depends on it. */
void init_default_gpu(struct init *init);
struct init_share init_default_share(const struct init *init);
char *init_default_image(const struct init *init); /* the caller frees */

/* Sets init.path for the name in the draft, and refuses what is there already (FAIL_USAGE). */
int init_choose_path(struct init *init, struct fail *fail);

/* Asks for all that is not set yet. FAIL_USAGE at the end of the input. */
int init_ask(struct init *init, struct fail *fail);

/* Writes @text to init.path at once, or not at all. */
int init_write(const struct init *init, const char *text, struct fail *fail);

#endif
