// SPDX-License-Identifier: MIT
#include "vmm/cli/refused.h"

#include <stddef.h>

#include "vmm/base/text.h"

#define STATE_IN_GPU   "the state inside a passed-through GPU can be neither read nor written"
#define STATE_INSTEAD  "save your work in the guest, then: gpuvm stop NAME"
#define MOVE_INSTEAD   "copy the disk and the spec to the other host, then there: gpuvm start SPEC"
#define FIXED_GPUS     "the GPUs of a VM are fixed while it runs: its PCIe ports cannot be hot-plugged"
#define FIXED_SIZE     "vCPUs are pinned and all memory is locked for the GPU's DMA at start"
#define CHANGE_INSTEAD "change the spec, then: gpuvm stop NAME && gpuvm start SPEC"
#define PAUSE_REASON   "pausing stops the vCPUs but not the GPU, which goes on writing to memory"

static const struct refused_verb verbs[] = {
	{ "migrate", STATE_IN_GPU, MOVE_INSTEAD },
	{ "live-migrate", STATE_IN_GPU, MOVE_INSTEAD },
	{ "save", STATE_IN_GPU, STATE_INSTEAD },
	{ "managedsave", STATE_IN_GPU, STATE_INSTEAD },
	{ "restore", STATE_IN_GPU, STATE_INSTEAD },
	{ "hibernate", STATE_IN_GPU, STATE_INSTEAD },
	{ "snapshot-create", STATE_IN_GPU, "stop the VM, then snapshot its disk image" },
	{ "checkpoint", STATE_IN_GPU, STATE_INSTEAD },
	{ "suspend", PAUSE_REASON, STATE_INSTEAD },
	{ "pause", PAUSE_REASON, STATE_INSTEAD },
	{ "resume", PAUSE_REASON, "a VM that another tool paused: gpuvm stop --force NAME" },
	{ "attach", FIXED_GPUS, CHANGE_INSTEAD },
	{ "attach-device", FIXED_GPUS, CHANGE_INSTEAD },
	{ "attach-disk", FIXED_GPUS, CHANGE_INSTEAD },
	{ "attach-interface", FIXED_GPUS, CHANGE_INSTEAD },
	{ "detach", FIXED_GPUS, CHANGE_INSTEAD },
	{ "detach-device", FIXED_GPUS, CHANGE_INSTEAD },
	{ "hotplug", FIXED_GPUS, CHANGE_INSTEAD },
	{ "hot-add", FIXED_GPUS, CHANGE_INSTEAD },
	{ "setmem", FIXED_SIZE, CHANGE_INSTEAD },
	{ "setmaxmem", FIXED_SIZE, CHANGE_INSTEAD },
	{ "setvcpus", FIXED_SIZE, CHANGE_INSTEAD },
	{ "vcpupin", FIXED_SIZE, CHANGE_INSTEAD },
	{ "resize", FIXED_SIZE, CHANGE_INSTEAD },
	{ NULL, NULL, NULL },
};

const struct refused_verb *refused_verbs(void)
{
	return verbs;
}

const struct refused_verb *refused_find(const char *verb)
{
	for (const struct refused_verb *row = verbs; row->verb != NULL; row++)
		if (text_equal(row->verb, verb))
			return row;
	return NULL;
}
