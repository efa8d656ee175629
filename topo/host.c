// SPDX-License-Identifier: MIT
#include "topo/host.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

/* Whether /lib/modules lists vfio-pci for the running kernel, loadable or built in. */
static bool vfio_pci_is_installed(const struct root *root)
{
	static const char *const lists[] = { "modules.dep", "modules.builtin" };
	CLEANUP(text) char *release = root_text(root, "/proc/sys/kernel/osrelease");

	for (size_t i = 0; release != NULL && i < sizeof lists / sizeof *lists; i++) {
		CLEANUP(text)
		char *list = root_bytes(root, NULL, "/lib/modules/%s/%s", release, lists[i]);

		if (list != NULL && strstr(list, "/vfio-pci.ko") != NULL)
			return true;
	}
	return false;
}

static bool has_vfio_pci(const struct root *root)
{
	return root_exists(root, "/sys/bus/pci/drivers/vfio-pci") ||
	       root_exists(root, "/sys/module/vfio_pci") || vfio_pci_is_installed(root);
}

static bool has_kvm(const struct root *root)
{
	if (root->live)
		return root_exists(root, "/dev/kvm");
	return root_exists(root, "/sys/module/kvm_intel") ||
	       root_exists(root, "/sys/module/kvm_amd");
}

static bool has_iommu(const struct root *root)
{
	CLEANUP(root_names) char **groups = root_names(root, "/sys/kernel/iommu_groups");

	return groups[0] != NULL;
}

/* The firmware's table tells whose turn it is: without it the switch is in the firmware's setup. */
static char *iommu_hint(const struct root *root)
{
	CLEANUP(text) char *cpuinfo = root_text(root, "/proc/cpuinfo");
	bool is_amd = cpuinfo != NULL && strstr(cpuinfo, "AuthenticAMD") != NULL;

	if (is_amd && root_exists(root, "/sys/firmware/acpi/tables/IVRS"))
		return mem_strdup(
			"remove amd_iommu=off and iommu=off from the kernel's command line "
			"and reboot");
	if (is_amd)
		return mem_strdup("enable IOMMU (AMD-Vi) in the firmware's setup and reboot");
	if (root_exists(root, "/sys/firmware/acpi/tables/DMAR"))
		return mem_strdup("add intel_iommu=on to the kernel's command line and reboot");
	return mem_strdup("enable VT-d in the firmware's setup, add intel_iommu=on to the kernel's "
			  "command line, and reboot");
}

int host_read(const struct root *root, struct host **ret_host, struct fail *fail)
{
	CLEANUP(host) struct host *host = mem_alloc(1, sizeof *host);

	host->live = root->live;
	if (device_list_read(root, &host->devices, fail) < 0 ||
	    machine_read(root, &host->machine, fail) < 0)
		return -1;
	host->gpus = gpu_list_build(host->devices);
	host->has_iommu = has_iommu(root);
	host->has_vfio_pci = has_vfio_pci(root);
	host->has_kvm = has_kvm(root);
	host->iommu_hint = iommu_hint(root);
	*ret_host = STEAL(host);
	return 0;
}

void host_free(struct host *host)
{
	if (host == NULL)
		return;
	gpu_list_free(host->gpus);
	device_list_free(host->devices);
	machine_free(host->machine);
	free(host->iommu_hint);
	free(host);
}

int host_gpu_node(const struct host *host, const struct gpu *gpu)
{
	const struct machine *machine = host->machine;
	int node = gpu->device->numa_node;

	if (node >= 0 && machine_node(machine, (unsigned)node) != NULL)
		return node;
	return machine->node_count == 1 ? (int)machine->nodes[0].os_index : -1;
}
