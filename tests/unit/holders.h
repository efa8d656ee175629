/* SPDX-License-Identifier: MIT */
/* For unit tests: a host with a GPU that somebody may hold. */
#ifndef GPUVM_TESTS_HOLDERS_H
#define GPUVM_TESTS_HOLDERS_H

#include "tests/unit/processes.h"
#include "topo/holder.h"

#define HOLDERS_GPU   "0000:17:00.0"
#define HOLDERS_SOUND "0000:17:00.1"
#define HOLDERS_PCI   "sys/bus/pci/devices/"

/* Numbers that no real host gives, should a reader look past the root. */
#define HOLDERS_LINE(address, line) HOLDERS_PCI address "/" line "\n"
#define HOLDERS_HOST                                                                               \
	HOLDERS_LINE(HOLDERS_GPU, "drm/card77/dev\t226:77")                                        \
	HOLDERS_LINE(HOLDERS_GPU, "drm/renderD177/dev\t226:177")                                   \
	HOLDERS_LINE(HOLDERS_GPU, "drm/card77-DP-1/status\tdisconnected")                          \
	HOLDERS_LINE(HOLDERS_GPU, "graphics/fb7/dev\t29:7")                                        \
	HOLDERS_LINE(HOLDERS_GPU, "vfio-dev/vfio77/dev\t511:77")                                   \
	HOLDERS_LINE(HOLDERS_GPU, "accel/accel77/dev\t261:77")                                     \
	HOLDERS_LINE(HOLDERS_SOUND, "sound/card77/controlC77/dev\t116:77")                         \
	HOLDERS_LINE(HOLDERS_SOUND, "sound/card77/id\tHDMI")

/* A group of two: a GPU with its sound. */
struct holders_sample {
	struct device gpu_device, sound_device;
	struct gpu_member members[2];
	struct gpu gpu;
};

static inline void holders_sample_init(struct holders_sample *sample, const char *driver,
				       bool is_boot_vga)
{
	*sample = (struct holders_sample){
		.gpu_device = { .address = HOLDERS_GPU,
				.driver = (char *)driver,
				.iommu_group = 177,
				.is_boot_vga = is_boot_vga },
		.sound_device = { .address = HOLDERS_SOUND, .function = 1, .iommu_group = 177 },
	};
	sample->members[0] = (struct gpu_member){ &sample->gpu_device, GPU_MEMBER_FUNCTION };
	sample->members[1] = (struct gpu_member){ &sample->sound_device, GPU_MEMBER_FUNCTION };
	sample->gpu = (struct gpu){ .device = &sample->gpu_device,
				    .members = sample->members,
				    .member_count = 2 };
}

#endif
