// SPDX-License-Identifier: MIT
#include "topo/boot.h"

#include <stdlib.h>
#include <string.h>

#include "topo/memory.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define NODES "/sys/devices/system/node"

static bool intel_is_default(const struct root *root, const char *release)
{
	CLEANUP(text) char *config = NULL;

	if (release == NULL || strchr(release, '/') != NULL)
		return false;
	config = root_bytes(root, NULL, "/boot/config-%s", release);
	return config != NULL &&
	       (strstr(config, "\nCONFIG_INTEL_IOMMU_DEFAULT_ON=y") != NULL ||
		strstr(config, "\nCONFIG_INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF=y") != NULL);
}

struct boot *boot_read(const struct root *root)
{
	struct boot *boot = mem_alloc(1, sizeof *boot);
	CLEANUP(root_names) char **groups = root_names(root, "/sys/kernel/iommu_groups");

	boot->arguments = root_text(root, "/proc/cmdline");
	boot->release = root_text(root, "/proc/sys/kernel/osrelease");
	boot->has_groups = *groups != NULL;
	boot->has_dmar = root_exists(root, "/sys/firmware/acpi/tables/DMAR");
	boot->has_ivrs = root_exists(root, "/sys/firmware/acpi/tables/IVRS");
	boot->intel_is_default = intel_is_default(root, boot->release);
	return boot;
}

void boot_free(struct boot *boot)
{
	if (boot == NULL)
		return;
	free(boot->arguments);
	free(boot->release);
	free(boot);
}

uint64_t boot_node_bytes(const struct root *root, unsigned node)
{
	struct machine_node memory = { .os_index = node };

	if (!root_exists(root, NODES "/node%u", node) && (node > 0 || root_exists(root, NODES)))
		return 0;
	memory_read(root, &memory);
	free(memory.pages);
	return memory.memory_total_bytes;
}
