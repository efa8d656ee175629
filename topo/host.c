// SPDX-License-Identifier: MIT
#include "topo/host.h"

#include <stdlib.h>
#include <string.h>

#include "topo/cmdline.h"
#include "topo/iommu.h"
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

/* Whether there is one, and what to do if not. */
static void read_iommu(const struct root *root, struct host *host)
{
	CLEANUP(cmdline) struct cmdline *cmdline = cmdline_read(root);
	CLEANUP(iommu) struct iommu *iommu = iommu_read(root, cmdline);

	host->has_iommu = iommu->state == IOMMU_ON;
	host->iommu_hint = STEAL(iommu->hint);
}

int host_read(const struct root *root, struct host **ret_host, struct fail *fail)
{
	CLEANUP(host) struct host *host = mem_alloc(1, sizeof *host);

	host->live = root->live;
	if (device_list_read(root, &host->devices, fail) < 0 ||
	    machine_read(root, &host->machine, fail) < 0)
		return -1;
	host->gpus = gpu_list_build(host->devices);
	host->has_vfio_pci = has_vfio_pci(root);
	host->has_kvm = has_kvm(root);
	read_iommu(root, host);
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
