// SPDX-License-Identifier: MIT
#include "vmm/base/deadline.h"
#include "vmm/base/text.h"
#include "vmm/launch_internal.h"
#include "vmm/wait.h"

static void watch(struct launch *launch, unsigned timeout_s, const char *last)
{
	launch->deadline = deadline_begin(&(struct deadline_words){
		.timeout_s = timeout_s,
		.last = last,
		.exit_code = fail_kind_row(FAIL_HV)->exit_code,
	});
}

void launch_watch_end(struct launch *launch)
{
	deadline_end(STEAL(launch->deadline));
}

/* A hung VM or driver would keep the gate shut for everybody: it opens with the end of this process. */
void launch_watch_choice(struct launch *launch)
{
	unsigned timeout_s = launch->options.choose_timeout_s == 0
				     ? LAUNCH_CHOOSE_TIMEOUT_S
				     : launch->options.choose_timeout_s;
	CLEANUP(text) char *words = hv_timeout_words(timeout_s);

	watch(launch, timeout_s, words);
}

static unsigned start_timeout_s(const struct launch *launch)
{
	const struct placement *placement = launch->placement;
	struct wait_size size = { .memory_bytes = launch->spec->memory_bytes,
				  .gpu_count = (unsigned)placement->gpu_count };

	if (launch->options.start_timeout_s != 0)
		return launch->options.start_timeout_s;
	for (size_t i = 0; i < placement->gpu_count; i++)
		size.bar_bytes += gpu_bar64_bytes(placement->gpus[i].gpu);
	return wait_timeout_s(&size);
}

void launch_watch_start(struct launch *launch)
{
	unsigned timeout_s = start_timeout_s(launch);
	CLEANUP(text) char *word = text_shell(launch->spec->name);
	CLEANUP(text)
	char *words = text_format(
		"\ngpuvm: VM \"%s\" does not start\n"
		"  cause: not within %u s: libvirt waits for QEMU, and QEMU for the kernel, as while "
		"a GPU's reset hangs: sudo dmesg | grep -i vfio\n"
		"  hint: gpuvm stop --force %s\n",
		launch->spec->name, timeout_s, word);

	watch(launch, timeout_s, words);
}
