/* SPDX-License-Identifier: MIT */
/*
 * The machine that the guest will see, worked out to the last address: a pure function of the spec, the
 * host, the placement and the firmware. domxml.h writes it down for libvirt.
 *
 * Shape: q35; one PCIe expander bus per guest cell that owns GPUs, on it one root port per GPU, all of a
 * GPU's functions in slot 0 behind it; root ports on pcie.0 for the emulated devices but vsock; no port can be
 * hot-plugged. Sources: libvirt formatdomain, "PCI topology and hotplug"; QEMU docs/pcie.txt,
 * docs/pcie_pci_bridge.txt, docs/pci_expander_bridge.txt.
 */
#ifndef GPUVM_VMM_DOMAIN_H
#define GPUVM_VMM_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/descriptor.h"
#include "topo/host.h"
#include "topo/place.h"
#include "vmm/base/cleanup.h"
#include "vmm/disk.h"
#include "vmm/guest.h"
#include "vmm/spec.h"

/* The volume that cloud-init in the guest reads. Texts are borrowed. */
struct domain_seed {
	const char *pool, *volume; /* libvirt's */
	const char *path;          /* of its file */
	bool is_attached;          /* false: of an earlier start, only kept in mind */
};

/* Who the VM is, and whose. */
struct domain_identity {
	const char *uuid; /* RFC 4122 text; NULL while planning a VM that is not defined yet */
	const char *user; /* name of the owner */
	unsigned uid;
	const char *boot;               /* the host's, for giveback.h; NULL: unknown */
	const struct domain_seed *seed; /* NULL: none */
	bool has_vsock; /* an address on the host's vsock, which libvirt chooses at each start */
};

/* A PCI address in the guest; bus is the index of a controller. */
struct domain_address {
	unsigned bus, slot, function;
	bool multifunction;
};

enum domain_controller_model {
	DOMAIN_ROOT,      /* pcie-root, index 0 */
	DOMAIN_EXPANDER,  /* pcie-expander-bus */
	DOMAIN_ROOT_PORT, /* pcie-root-port, hotplug='off' */
};

struct domain_controller {
	enum domain_controller_model model;
	unsigned index;
	struct domain_address address; /* not for DOMAIN_ROOT */
	unsigned bus_number;           /* DOMAIN_EXPANDER: of the guest's bus */
	int cell; /* DOMAIN_EXPANDER: its guest cell; -1: no node, for GPUs whose node has no cell */
};

struct domain_hostdev {
	const struct device *device;   /* borrowed from the host */
	bool seen_by_guest;            /* false: held for its group, <address type='unassigned'/> */
	struct domain_address address; /* if seen */
	size_t gpu;                    /* position in placement.gpus that brings it along */
};

struct domain_disk {
	const struct disk *disk; /* borrowed */
	unsigned iothread;       /* its own, from 1 */
	char target[8];          /* "vda" */
	struct domain_address address;
};

struct domain_share {
	const struct spec_share *share; /* borrowed from the spec */
	struct domain_address address;
};

struct mmio; /* mmio.h */

struct domain {
	const struct spec *spec; /* borrowed, as are the next four */
	const struct host *host;
	const struct placement *placement;
	const struct descriptor *firmware;
	const struct guest_volumes *kept;
	struct domain_identity identity;
	struct domain_controller *controllers; /* by index */
	size_t controller_count;
	struct domain_hostdev *hostdevs;
	size_t hostdev_count;
	struct domain_disk *disks;
	size_t disk_count;
	struct domain_share *shares;
	size_t share_count;
	bool has_network;
	struct domain_address network_address;
	struct domain_address
		agent_address; /* of the controller behind which the guest agent's channel is */
	char seed_target[8];   /* "" if no seed is attached */
	struct domain_address seed_address;
	struct domain_address vsock_address; /* if identity.has_vsock */
	char mac[18]; /* "" without a UUID; else 52:54:00 and three bytes of it, so that it stays */
	unsigned sockets, dies, cores, threads; /* product = vCPUs */
	const struct mmio *
		mmio; /* borrowed; NULL as domain_build() leaves it: nothing is set for large BARs */
};

/* Builds it. Cannot fail: what could not be built was refused before. @kept: volumes that gpuvm made for
 * it before, of which those that @disks does not have stay recorded; NULL: none. Borrows its arguments. Release with
 * domain_free(). */
struct domain *domain_build(const struct spec *spec, const struct host *host,
			    const struct placement *placement, const struct descriptor *firmware,
			    const struct domain_identity *identity, const struct disks *disks,
			    const struct guest_volumes *kept);
void domain_free(struct domain *domain);
CLEANUP_DEFINE(domain, struct domain, domain_free)

#endif
