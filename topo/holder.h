/* SPDX-License-Identifier: MIT */
/*
 * Who has a GPU beside libvirt: processes, what was made of it, the host's console. Detaching a driver that
 * somebody still uses can hang for good, so this is asked before anything is detached.
 *
 * What counts: a process with the VFIO group or device of a function open; one with a device node of a
 * function open or mapped (DRM, framebuffer, accelerator, sound, disk, /dev/nvidiaN); enabled SR-IOV virtual
 * functions; mediated devices; the console in use: the firmware's framebuffer on the GPU, or a framebuffer
 * of the boot VGA.
 * What does not: a framebuffer that the kernel's console made on any other GPU, which goes with the driver;
 * nodes that all GPUs of a driver share (/dev/nvidiactl, /dev/nvidia-uvm, /dev/kfd): who works on one GPU has a
 * node of that GPU open too (a ROCm process its render node: the kernel asks for it in
 * AMDKFD_IOC_ACQUIRE_VM).
 *
 * Sources: proc_pid_fd(5), proc_pid_maps(5), Documentation/ABI/testing/sysfs-bus-pci, sysfs-bus-vfio-mdev.
 */
#ifndef GPUVM_TOPO_HOLDER_H
#define GPUVM_TOPO_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "topo/gpu.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"

enum holder_kind {
	HOLDER_VFIO,         /* a process: a VM, or another driver in user space */
	HOLDER_PROCESS,      /* a process that has a device node open or mapped */
	HOLDER_PERSISTENCED, /* nvidia-persistenced, whose files the caller may not see */
	HOLDER_VIRTUAL_FUNCTIONS,
	HOLDER_MEDIATED_DEVICE,
	HOLDER_CONSOLE,
};

/* "0000:17:00.0 is in use by WHO"; "WHO WHAT". Texts are printable. */
struct holder {
	char address[DEVICE_ADDRESS_BYTES]; /* the function; of a VFIO group, the GPU's own */
	enum holder_kind kind;
	pid_t pid;     /* 0: no process */
	char *program; /* its name, cut after 15 bytes; NULL: no process */
	char *who;     /* "process 812 (Xorg)", "the host's console" */
	char *what;    /* "has /dev/dri/card1 open", "is on it (fb0)" */
	bool may_hang; /* a console: detaching the driver that shows it can hang */
	char *remedy;  /* what frees it: a command, or what to do */
};

struct holder_list {
	struct holder *holders; /* processes by pid, then the others */
	size_t count;
	size_t not_checked; /* processes whose files the caller may not see */
};

/*
 * The holders of the functions that travel with @gpus. One pass over /proc. A node outside any folder
 * "dev" is not seen. Cannot fail; borrows nothing afterwards. Release with holder_list_free().
 */
struct holder_list *holder_list_read(const struct root *root, const struct gpu *const *gpus,
				     size_t gpu_count);
void holder_list_free(struct holder_list *list);
CLEANUP_DEFINE(holder_list, struct holder_list, holder_list_free)

/* Raises FAIL_BUSY for @holder, FAIL_HOST for a console, which no wait frees; its remedy is the hint. */
int holder_refuse(const struct holder *holder, struct fail *fail);

/* Whether @holder has @gpu or a function that travels with it. */
bool holder_has(const struct holder *holder, const struct gpu *gpu);

/* The first holder of @gpu or a function that travels with it, or NULL. Borrows from @list. */
const struct holder *holder_of(const struct holder_list *list, const struct gpu *gpu);

#endif
