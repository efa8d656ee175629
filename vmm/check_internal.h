/* SPDX-License-Identifier: MIT */
/* What the check*.c files share: what is read once for all findings, and the functions of the table. */
#ifndef GPUVM_VMM_CHECK_INTERNAL_H
#define GPUVM_VMM_CHECK_INTERNAL_H

#include "topo/cmdline.h"
#include "topo/iommu.h"
#include "topo/pcie.h"
#include "vmm/check.h"

struct check {
	const struct check_subject *subject;
	const struct root *root; /* the subject's */
	const struct host *host;
	const struct check_vm *vm; /* NULL: none */
	struct cmdline *cmdline;   /* these three are NULL for CHECK_STOPS alone */
	struct iommu *iommu;
	struct pcie *pcie;
	const struct holder_list *holders;
	struct holder_list *own_holders; /* those, if they were read here */
	unsigned long libvirt_version, qemu_version;
	const char *version_source; /* where both were read; static; NULL: nowhere */
	const struct gpu *const *gpus;
	size_t gpu_count;
	const struct gpu *gpu; /* the one that is looked at; NULL: none */
};

/* A row with its three texts, of which @source is copied and @found and @hint are taken; NULL: none. */
struct finding *check_add(struct findings *findings, enum finding_state state, const char *subject,
			  const char *source, char *found, char *hint);

/* A row that says that @source cannot be read. */
void check_add_unread(struct findings *findings, const char *source);

/* Each item of @fail, which has one, as a row that failed; without @source it is the place in the user's file. The
 * last of them. */
struct finding *check_add_fail(struct findings *findings, const char *subject, const char *source,
			       const struct fail *fail);

/* Fills the versions of libvirt and QEMU: asked, of the snapshot, or of the package database. */
void check_versions(struct check *check);

/* The processor (check_cpu.c). */
check_finding check_kvm, check_machine_slice;
/* Isolation (check_iommu.c). */
check_finding check_iommu, check_interrupts, check_acs, check_iommu_width;
/* The kernel's modules and arguments (check_kernel.c). */
check_finding check_vfio, check_vfio_ids, check_arguments;
/* Memory (check_memory.c, check_pages.c). */
check_finding check_memory, check_memlock, check_pages, check_boot_pages, check_pin;
/* libvirt, QEMU and gpuvm's own (check_libvirt.c, check_versions.c, check_install.c). */
check_finding check_libvirt, check_qemu, check_libvirt_guests, check_confinement, check_group,
	check_hook, check_directories;
check_finding check_firmware;
/* Drivers and screens (check_drivers.c). */
check_finding check_persistenced, check_framebuffer, check_driver, check_holder, check_console;
/* One GPU (check_gpu.c, check_bars.c, check_power.c, check_shared.c). */
check_finding check_iommu_group, check_companions, check_reset, check_regions, check_answers,
	check_bars, check_rebar, check_power, check_width, check_speed, check_virtual_functions,
	check_mig, check_nvswitch, check_fabric;
/* All GPUs in short, and one VM (check_vm.c). */
check_finding check_gpus, check_placement, check_mmio_window, check_disks, check_first_boot,
	check_network, check_shares, check_owner;

/* Makes the findings of the GPU's scope for @gpu. */
void check_one_gpu(const struct check *check, const struct gpu *gpu, struct findings *findings);

#endif
