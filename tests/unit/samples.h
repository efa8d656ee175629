/* SPDX-License-Identifier: MIT */
/* Hosts and placements made by hand, and the domains of them; for the tests of domain, domxml and guest. */
#ifndef GPUVM_TESTS_SAMPLES_H
#define GPUVM_TESTS_SAMPLES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hwloc.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/domain.h"
#include "vmm/mmio.h"

enum {
	SAMPLE_MOST = 8,
	SAMPLE_VCPUS = 64
};

struct sample {
	const char *name;
	const char *about;
	struct machine_node nodes[SAMPLE_MOST];
	struct machine_cpu cpus[SAMPLE_VCPUS];
	unsigned distances[SAMPLE_MOST][SAMPLE_MOST];
	struct machine machine;
	struct host host;
	struct device devices[3 * SAMPLE_MOST];
	size_t device_count;
	struct gpu_member members[SAMPLE_MOST][SAMPLE_MOST];
	struct gpu gpus[SAMPLE_MOST];
	struct place_gpu placed[SAMPLE_MOST];
	struct place_cell cells[SAMPLE_MOST];
	struct place_vcpu vcpus[SAMPLE_VCPUS];
	struct placement placement;
	struct spec_disk disks[40];
	bool is_block[40];
	struct spec_share shares[2];
	struct spec spec;
	struct disks *made_disks;
	struct guest_volumes kept;
	struct domain_identity identity;
	const struct mmio *mmio;
	struct domain *domain;
};

/* Nodes of @per_package, CPU numbers @each to a node; two threads of a core are neighbours. */
static inline void sample_machine(struct sample *sample, unsigned nodes, unsigned per_package,
				  unsigned each)
{
	struct machine *machine = &sample->machine;

	for (unsigned i = 0; i < nodes; i++) {
		struct machine_node *node = &sample->nodes[i];

		node->os_index = i;
		node->package = i / per_package;
		node->distances = sample->distances[i];
		for (unsigned j = 0; j < nodes; j++)
			node->distances[j] = i == j                               ? 10
					     : i / per_package == j / per_package ? 12
										  : 32;
		for (unsigned j = 0; j < each; j++) {
			struct machine_cpu *cpu = &sample->cpus[i * each + j];

			cpu->os_index = i * each + j;
			cpu->node = i;
			cpu->package = node->package;
			cpu->core = cpu->os_index / 2;
		}
	}
	machine->nodes = sample->nodes;
	machine->node_count = nodes;
	machine->cpus = sample->cpus;
	machine->cpu_count = nodes * each;
	machine->package_count = nodes / per_package;
	sample->host.machine = machine;
}

static inline struct device *sample_device(struct sample *sample, const char *address,
					   const char *driver)
{
	struct device *device = &sample->devices[sample->device_count++];
	unsigned domain, bus, slot, function;

	snprintf(device->address, sizeof device->address, "%s", address);
	if (sscanf(address, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		abort();
	device->domain = (uint16_t)domain;
	device->bus = (uint8_t)bus;
	device->slot = (uint8_t)slot;
	device->function = (uint8_t)function;
	device->driver = (char *)driver;
	return device;
}

static inline void sample_member(struct sample *sample, size_t gpu, const struct device *device,
				 enum gpu_member_role role)
{
	struct gpu *owner = &sample->gpus[gpu];

	owner->members = sample->members[gpu];
	owner->members[owner->member_count++] = (struct gpu_member){ device, role };
}

/* GPU of one function, given to the guest. */
static inline struct device *sample_gpu(struct sample *sample, const char *address, int cell)
{
	struct device *device = sample_device(sample, address, "nvidia");
	size_t index = sample->placement.gpu_count++;

	sample->gpus[index].device = device;
	sample->placed[index] = (struct place_gpu){ &sample->gpus[index], 0, cell, -1, false };
	sample_member(sample, index, device, GPU_MEMBER_FUNCTION);
	return device;
}

/* A cell on @node: @count vCPUs on the CPUs from @first on. */
static inline void sample_cell(struct sample *sample, unsigned node, unsigned first, unsigned count,
			       uint64_t memory_bytes, uint64_t page_bytes)
{
	struct placement *placement = &sample->placement;

	for (unsigned i = 0; i < count; i++)
		sample->vcpus[placement->vcpu_count++] =
			(struct place_vcpu){ first + i, (unsigned)placement->cell_count };
	sample->cells[placement->cell_count++] = (struct place_cell){ node, memory_bytes,
								      page_bytes, count };
	sample->spec.memory_bytes += memory_bytes;
	hwloc_bitmap_set_range(placement->emulator_cpus, first - 2, (int)first - 1);
}

static inline void sample_disk(struct sample *sample, const char *image, bool is_block)
{
	size_t index = sample->spec.disk_count++;

	sample->disks[index].label = (char *)"[disk]";
	sample->disks[index].image = (char *)image;
	sample->disks[index].pool = (char *)"default";
	sample->is_block[index] = is_block;
}

static inline struct sample *sample_new(const char *name, const char *about)
{
	struct sample *sample = mem_alloc(1, sizeof *sample);
	struct placement *placement = &sample->placement;

	sample->name = name;
	sample->about = about;
	placement->gpus = sample->placed;
	placement->cells = sample->cells;
	placement->vcpus = sample->vcpus;
	placement->emulator_cpus = hwloc_bitmap_alloc();
	sample->spec = (struct spec){
		.file = (char *)"configs/train.ini",
		.directory = (char *)"/home/alice/vms/configs",
		.text = (char *)"[vm]\nname = train\n",
		.name = (char *)"train",
		.disks = sample->disks,
		.network = SPEC_NETWORK_LIBVIRT,
		.network_source = (char *)"default",
	};
	sample->identity = (struct domain_identity){
		.uuid = "8d0c4fd1-2e43-4d1a-9a55-6f0e1b2c3d4e",
		.user = "alice",
		.uid = 1000,
	};
	return sample;
}

static inline const struct domain *sample_build(struct sample *sample)
{
	const struct root nowhere = { .dir = (char *)"/nonexistent" };

	sample->spec.vcpus = (unsigned)sample->placement.vcpu_count;
	if (sample->placement.topology.threads == 0)
		sample->placement.topology = (struct place_topology){ 1, 1, sample->spec.vcpus, 1,
								      false };
	if (sample->spec.disk_count == 0)
		sample_disk(sample, "/var/lib/libvirt/images/train.qcow2", false);
	sample->made_disks = disks_new(&sample->spec);
	for (size_t i = 0; i < sample->spec.disk_count; i++)
		sample->made_disks->disks[i].is_block = sample->is_block[i];
	disks_choose_io(sample->made_disks, &nowhere);
	sample->domain = domain_build(&sample->spec, &sample->host, &sample->placement, NULL,
				      &sample->identity, sample->made_disks, &sample->kept);
	sample->domain->mmio = sample->mmio;
	return sample->domain;
}

static inline void sample_free(struct sample *sample)
{
	if (sample == NULL)
		return;
	domain_free(sample->domain);
	disks_free(sample->made_disks);
	hwloc_bitmap_free(sample->placement.emulator_cpus);
	free(sample);
}
CLEANUP_DEFINE(sample, struct sample, sample_free)

static inline struct sample *sample_two_sockets(void)
{
	struct sample *sample = sample_new("two-sockets",
					   "a GPU on each of two sockets, 1 GiB pages");

	sample_machine(sample, 2, 1, 32);
	sample->machine.has_topoext = true;
	sample->placement.topology = (struct place_topology){ 2, 1, 4, 2, true };
	sample_cell(sample, 0, 2, 8, 8 * SIZE_GIB, SIZE_GIB);
	sample_cell(sample, 1, 34, 8, 8 * SIZE_GIB, SIZE_GIB);
	sample_gpu(sample, "0000:17:00.0", 0);
	sample_gpu(sample, "0000:a1:00.0", 1);
	sample_member(sample, 0, sample_device(sample, "0000:17:00.1", "snd_hda_intel"),
		      GPU_MEMBER_FUNCTION);
	return sample;
}

static inline struct sample *sample_workstation(void)
{
	struct sample *sample = sample_new(
		"workstation", "four functions, bridge and held member; bridged; two disks");

	sample_machine(sample, 1, 1, 16);
	sample->machine.has_topoext = true; /* and no threads to need it */
	sample_cell(sample, 0, 2, 6, 4 * SIZE_GIB, 2 * SIZE_MIB);
	sample_member(sample, 0, sample_device(sample, "0000:00:01.0", "pcieport"),
		      GPU_MEMBER_BRIDGE);
	sample_gpu(sample, "0000:01:00.0", 0)->driver_override = (char *)"vfio-pci";
	sample_member(sample, 0, sample_device(sample, "0000:01:00.1", "snd_hda_intel"),
		      GPU_MEMBER_FUNCTION);
	sample_member(sample, 0, sample_device(sample, "0000:01:00.2", "xhci_hcd"),
		      GPU_MEMBER_FUNCTION);
	sample_member(sample, 0, sample_device(sample, "0000:01:00.3", NULL), GPU_MEMBER_FUNCTION);
	sample_member(sample, 0, sample_device(sample, "0000:02:00.0", NULL), GPU_MEMBER_HELD);
	sample_disk(sample, "/dev/vg0/train", true);
	sample_disk(sample, "/srv/a \"b\" & <c>.qcow2", false);
	sample->spec.autostart = true;
	sample->spec.network = SPEC_NETWORK_BRIDGE;
	sample->spec.network_source = (char *)"br0";
	return sample;
}

static inline struct sample *sample_unknown_node(void)
{
	struct sample *sample = sample_new(
		"unknown-node", "a GPU of no known node, without function 0; Secure Boot");

	sample_machine(sample, 2, 1, 8);
	sample_cell(sample, 1, 10, 3, 2 * SIZE_GIB, 0);
	sample_gpu(sample, "0001:c4:1f.1", -1)->driver = NULL;
	sample_member(sample, 0, sample_device(sample, "0001:c4:1f.2", "vfio-pci"),
		      GPU_MEMBER_FUNCTION);
	sample->spec.secure_boot = true;
	sample->spec.network = SPEC_NETWORK_NONE;
	sample->spec.network_source = NULL;
	return sample;
}

static inline struct sample *sample_sub_numa(void)
{
	struct sample *sample = sample_new(
		"sub-numa",
		"two nodes to a socket, mixed pages, three GPUs of which two in a group");
	const struct device *held;

	sample_machine(sample, 4, 2, 8);
	sample->placement.topology = (struct place_topology){ 2, 1, 4, 2, false };
	sample_cell(sample, 0, 2, 4, 4 * SIZE_GIB, SIZE_GIB);
	sample_cell(sample, 1, 10, 4, 4 * SIZE_GIB, 2 * SIZE_MIB);
	sample_cell(sample, 2, 18, 4, 2 * SIZE_GIB, 0);
	sample_cell(sample, 3, 26, 4, 4 * SIZE_GIB, SIZE_GIB);
	sample_gpu(sample, "0000:83:00.0", 3);
	sample_gpu(sample, "0000:03:00.0", 0);
	sample_gpu(sample, "0000:84:00.0", 3);
	held = sample_device(sample, "0000:85:00.0", "nvme");
	for (size_t i = 0; i < 3; i += 2) {
		sample_member(sample, i, sample->gpus[2 - i].device, GPU_MEMBER_GPU);
		sample_member(sample, i, held, GPU_MEMBER_HELD);
	}
	return sample;
}

static inline struct sample *sample_own_images(void)
{
	struct sample *sample = sample_new(
		"own-images", "firmware images of the user, no UUID yet, text that XML minds");

	sample_machine(sample, 1, 1, 8);
	sample_cell(sample, 0, 2, 1, SIZE_GIB, 0);
	sample_gpu(sample, "0000:01:00.0", 0);
	sample->identity.uuid = NULL;
	sample->identity.user = "d'arc";
	sample->spec.firmware_code = (char *)"/usr/share/OVMF/OVMF_CODE_4M.secboot.fd";
	sample->spec.firmware_vars = (char *)"/usr/share/OVMF/OVMF_VARS_4M.ms.fd";
	sample->spec.secure_boot = true;
	sample->spec.text = (char *)"\n\t ; ]]> & &amp; <vm> \"a\" 'b' \xc3\xa9\xe2\x82\xac\n[vm]\n"
				    "name = train\n\n ";
	return sample;
}

static inline struct sample *sample_cloud_init(void)
{
	static const struct domain_seed seed = { "default", "train-seed.iso",
						 "/var/lib/libvirt/images/train-seed.iso", true };
	struct sample *sample = sample_new("cloud-init", "a disk for cloud-init to read");

	sample_machine(sample, 1, 1, 8);
	sample_cell(sample, 0, 2, 1, SIZE_GIB, 0);
	sample_gpu(sample, "0000:01:00.0", 0);
	sample->identity.seed = &seed;
	sample->identity.has_vsock = true;
	return sample;
}

static inline struct sample *sample_cliques(void)
{
	struct sample *sample = sample_new(
		"cliques", "two dies; of four GPUs two and one in cliques, with companions");

	sample_machine(sample, 1, 1, 16);
	sample->placement.topology = (struct place_topology){ 1, 2, 2, 2, true };
	sample_cell(sample, 0, 4, 8, 8 * SIZE_GIB, 0);
	sample_gpu(sample, "0000:17:00.0", 0);
	sample_gpu(sample, "0000:18:00.1", 0);
	sample_gpu(sample, "0000:65:00.0", 0);
	sample_gpu(sample, "0000:66:00.0", 0);
	sample_member(sample, 0, sample_device(sample, "0000:17:00.1", "snd_hda_intel"),
		      GPU_MEMBER_FUNCTION);
	sample_member(sample, 1, sample_device(sample, "0000:18:00.3", NULL), GPU_MEMBER_FUNCTION);
	sample_member(sample, 2, sample_device(sample, "0000:67:00.0", NULL), GPU_MEMBER_HELD);
	sample->placed[0].clique = sample->placed[1].clique = 0;
	sample->placed[2].clique = 15;
	return sample;
}

/* A disk on a base, a blank one, an image with its own, and a volume of a disk that the spec has no more. */
static inline struct sample *sample_made_disks(void)
{
	static struct guest_volume kept[] = {
		{ (char *)"default", (char *)"train.qcow2", (char *)"/old/train.qcow2",
		  (char *)"qcow2", NULL },
		{ (char *)"fast", (char *)"train-old.img", (char *)"/mnt/<fast>/train-old.img",
		  (char *)"raw", NULL },
	};
	struct sample *sample = sample_workstation();

	sample->name = "made-disks";
	sample->about = "an overlay, a blank disk and an image, each with an iothread";
	sample->spec.disk_count = 0;
	sample_disk(sample, "/srv/debian & co.qcow2", false);
	sample->disks[0].size_bytes = 200 * SIZE_GIB;
	sample_disk(sample, NULL, false);
	sample->disks[1].label = (char *)"[disk:scratch]";
	sample->disks[1].size_bytes = SIZE_TIB;
	sample->disks[1].format = SPEC_DISK_RAW;
	sample_disk(sample, "/dev/disk/by-id/nvme-data", true);
	sample->kept = (struct guest_volumes){ kept, 2 };
	return sample;
}

static inline struct sample *sample_far_emulator(void)
{
	struct sample *sample = sample_new(
		"far-emulator", "QEMU's own CPUs are on the first node, the VM on the others");

	sample_machine(sample, 3, 1, 8);
	sample_cell(sample, 0, 4, 2, SIZE_GIB, 0);
	sample_cell(sample, 1, 10, 3, SIZE_GIB, 0);
	sample_cell(sample, 2, 18, 1, SIZE_GIB, 0);
	sample_gpu(sample, "0000:01:00.0", 1);
	hwloc_bitmap_zero(sample->placement.emulator_cpus);
	hwloc_bitmap_set_range(sample->placement.emulator_cpus, 0, 1);
	return sample;
}

static inline struct sample *sample_shares(void)
{
	struct sample *sample = sample_new(
		"shares", "folders of the host: memory that virtiofsd maps too, normal pages");

	sample_machine(sample, 1, 1, 8);
	sample_cell(sample, 0, 2, 2, SIZE_GIB, 0);
	sample_gpu(sample, "0000:01:00.0", 0);
	sample->shares[0] = (struct spec_share){ .source = (char *)"/srv/data & sets",
						 .target = (char *)"data" };
	sample->shares[1] = (struct spec_share){ .source = (char *)"/srv/results",
						 .target = (char *)"results" };
	sample->spec.shares = sample->shares;
	sample->spec.share_count = 2;
	return sample;
}

static inline struct sample *sample_shares_read_only(void)
{
	struct sample *sample = sample_shares();

	sample->name = "shares-read-only";
	sample->about = "one of the folders is not the guest's to write";
	sample->shares[0].readonly = true;
	return sample;
}

static inline struct sample *sample_large_bars(void)
{
	static const struct mmio mmio = { .knob_mib = 263168 };
	struct sample *sample = sample_cliques();

	sample->name = "large-bars";
	sample->about = "a window that the firmware would not make by itself, and cliques";
	sample->mmio = &mmio;
	return sample;
}

static inline struct sample *sample_address_limit(void)
{
	static const struct mmio mmio = { .limit_bits = 39 };
	struct sample *sample = sample_cloud_init();

	sample->name = "address-limit";
	sample->about = "an IOMMU that maps fewer addresses than the CPU has";
	sample->mmio = &mmio;
	return sample;
}

static struct sample *(*const samples[])(void) = {
	sample_two_sockets,      sample_workstation, sample_unknown_node, sample_sub_numa,
	sample_own_images,       sample_cliques,     sample_far_emulator, sample_shares,
	sample_shares_read_only, sample_made_disks,  sample_cloud_init,   sample_large_bars,
	sample_address_limit,
};

enum {
	SAMPLES = sizeof samples / sizeof *samples
};

#endif
