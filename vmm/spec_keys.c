// SPDX-License-Identifier: MIT
#include "vmm/spec_keys.h"

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/keys_type.h"
#include "vmm/spec.h"
#include "vmm/spec_type.h"
#include "vmm/spec_type_cloud_init.h"

/* Choices are stored as their position, which therefore is the enum's value. */
static const char *const policies[] = {
	[PLACE_REQUIRED] = "required",
	[PLACE_SOCKET] = "socket",
	[PLACE_PREFERRED] = "preferred",
	NULL,
};

static const char *const hugepages[] = {
	[PLACE_PAGES_AUTO] = "auto",
	[PLACE_PAGES_NO] = "no",
	[PLACE_PAGES_2_MIB] = "2 MiB",
	[PLACE_PAGES_1_GIB] = "1 GiB",
	NULL,
};

static const char *const threads[] = {
	[PLACE_WHOLE_CORES] = "whole-cores",
	[PLACE_SHARE] = "share",
	NULL,
};

static const char *const p2p[] = {
	[SPEC_P2P_NO] = "no",
	[SPEC_P2P_AUTO] = "auto",
	NULL,
};

static const char *const formats[] = {
	[SPEC_DISK_AUTO] = "auto",
	[SPEC_DISK_RAW] = "raw",
	[SPEC_DISK_QCOW2] = "qcow2",
	NULL,
};

static const struct keys_section sections[] = {
	{ .name = "vm", .required = true, .doc = "the machine: its name, CPUs and memory" },
	{ .name = "gpu",
	  .target = SPEC_TARGET_GPU,
	  .repeatable = true,
	  .required = true,
	  .doc = "GPUs to give to the VM; [gpu:NAME] adds another request" },
	{ .name = "numa", .doc = "where CPUs and memory may lie, seen from the GPUs" },
	{ .name = "cpu", .doc = "which of the host's CPUs the VM gets, and how" },
	{ .name = "firmware", .doc = "the UEFI firmware" },
	{ .name = "disk",
	  .target = SPEC_TARGET_DISK,
	  .repeatable = true,
	  .required = true,
	  .doc = "a disk, the first one boots; [disk:NAME] adds another" },
	{ .name = "share",
	  .target = SPEC_TARGET_SHARE,
	  .repeatable = true,
	  .doc = "a folder of the host in the guest, by virtiofs; [share:NAME] adds another" },
	{ .name = "network", .doc = "the network card" },
	{ .name = "cloud-init",
	  .doc = "the first boot of a cloud image: an account with your SSH keys, packages" },
	{ .name = NULL },
};

static const struct keys_row rows[] = {
	{ .section = "vm",
	  .key = "name",
	  .type = &spec_type_name,
	  .required = true,
	  .offset = offsetof(struct spec, name),
	  .example = "train",
	  .doc = "the VM's name: a-z 0-9 . _ -, starts with a letter or digit, up to 63" },
	{ .section = "vm",
	  .key = "vcpus",
	  .type = &keys_type_count,
	  .min = 1,
	  .max = 1024,
	  .required = true,
	  .offset = offsetof(struct spec, vcpus),
	  .line_offset = offsetof(struct spec, vcpus_line),
	  .example = "16",
	  .doc = "virtual CPUs, each pinned to a host CPU of its own" },
	{ .section = "vm",
	  .key = "memory",
	  .type = &keys_type_size,
	  .unit = "bytes",
	  .min = 256 * SIZE_MIB,
	  .max = 64 * SIZE_TIB,
	  .step = 2 * SIZE_MIB,
	  .required = true,
	  .offset = offsetof(struct spec, memory_bytes),
	  .line_offset = offsetof(struct spec, memory_line),
	  .example = "128 GiB",
	  .doc = "guest memory, all of it taken at the start (VFIO pins it)" },
	{ .section = "vm",
	  .key = "autostart",
	  .type = &keys_type_boolean,
	  .fallback = "no",
	  .offset = offsetof(struct spec, autostart),
	  .example = "yes",
	  .doc = "whether gpuvm's systemd unit starts the VM after boot, planned anew" },
	{ .section = "gpu",
	  .key = "count",
	  .type = &keys_type_count,
	  .min = 1,
	  .max = 256,
	  .offset = offsetof(struct spec_gpu, count),
	  .line_offset = offsetof(struct spec_gpu, count_line),
	  .example = "2",
	  .doc = "how many GPUs; not written: as many as there are addresses, else 1" },
	{ .section = "gpu",
	  .key = "match",
	  .type = &spec_type_match,
	  .offset = offsetof(struct spec_gpu, match),
	  .line_offset = offsetof(struct spec_gpu, match_line),
	  .example = "10de:2330",
	  .doc = "which GPUs: vendor:device, words of the name (H100), or any; not written: any" },
	{ .section = "gpu",
	  .key = "address",
	  .type = &spec_type_addresses,
	  .offset = offsetof(struct spec_gpu, addresses),
	  .line_offset = offsetof(struct spec_gpu, address_line),
	  .example = "0000:17:00.0, 0000:65:00.0",
	  .doc = "exactly these GPUs, by PCI address; match, if written, must hold for each" },
	{ .section = "gpu",
	  .key = "p2p",
	  .type = &keys_type_choice,
	  .fallback = "no",
	  .choices = p2p,
	  .offset = offsetof(struct spec_gpu, p2p),
	  .example = "auto",
	  .doc = "auto: NVIDIA GPUs under one switch or root may reach each other directly" },
	{ .section = "gpu",
	  .key = "hold",
	  .type = &keys_type_boolean,
	  .fallback = "no",
	  .offset = offsetof(struct spec_gpu, hold),
	  .example = "yes",
	  .doc = "whether the GPUs stay this VM's while it is off, over reboots too" },
	{ .section = "gpu",
	  .key = "allow_boot_vga",
	  .type = &keys_type_boolean,
	  .fallback = "no",
	  .offset = offsetof(struct spec_gpu, allow_boot_vga),
	  .example = "yes",
	  .doc = "whether address may name the host's console, whose screen then goes dark" },
	{ .section = "numa",
	  .key = "policy",
	  .type = &keys_type_choice,
	  .fallback = "required",
	  .choices = policies,
	  .offset = offsetof(struct spec, policy),
	  .line_offset = offsetof(struct spec, policy_line),
	  .example = "socket",
	  .doc = "CPUs and memory on each GPU's own node, on its socket, or near if possible" },
	{ .section = "numa",
	  .key = "hugepages",
	  .type = &keys_type_choice,
	  .fallback = "auto",
	  .choices = hugepages,
	  .offset = offsetof(struct spec, hugepages),
	  .line_offset = offsetof(struct spec, hugepages_line),
	  .example = "1 GiB",
	  .doc = "the size of memory pages; auto: the largest that the node has enough of" },
	{ .section = "cpu",
	  .key = "threads",
	  .type = &keys_type_choice,
	  .fallback = "whole-cores",
	  .choices = threads,
	  .offset = offsetof(struct spec, threads),
	  .line_offset = offsetof(struct spec, threads_line),
	  .example = "share",
	  .doc = "whole cores, never shared with another VM; or single threads of them" },
	{ .section = "cpu",
	  .key = "pin",
	  .type = &keys_type_cpus_or_auto,
	  .fallback = "auto",
	  .offset = offsetof(struct spec, pin),
	  .line_offset = offsetof(struct spec, pin_line),
	  .example = "4-11,36-43",
	  .doc = "exactly these host CPUs for the vCPUs, as many as vcpus; auto: near the GPUs" },
	{ .section = "cpu",
	  .key = "emulator",
	  .type = &keys_type_cpus_or_auto,
	  .fallback = "auto",
	  .offset = offsetof(struct spec, emulator),
	  .line_offset = offsetof(struct spec, emulator_line),
	  .example = "0,32",
	  .doc = "host CPUs for QEMU's own threads; auto: those kept for the host near the VM" },
	{ .section = "firmware",
	  .key = "uefi",
	  .type = &spec_type_firmware,
	  .fallback = "auto",
	  .offset = offsetof(struct spec, firmware_code),
	  .line_offset = offsetof(struct spec, firmware_line),
	  .example = "/usr/share/OVMF/OVMF_CODE_4M.fd, /usr/share/OVMF/OVMF_VARS_4M.fd",
	  .doc = "auto: libvirt chooses; or the code image and the template of its variables" },
	{ .section = "firmware",
	  .key = "secure_boot",
	  .type = &keys_type_boolean,
	  .fallback = "no",
	  .offset = offsetof(struct spec, secure_boot),
	  .line_offset = offsetof(struct spec, firmware_line),
	  .example = "yes",
	  .doc = "whether the firmware checks signatures; needs uefi = auto" },
	{ .section = "disk",
	  .key = "image",
	  .type = &spec_type_path,
	  .offset = offsetof(struct spec_disk, image),
	  .line_offset = offsetof(struct spec_disk, line),
	  .example = "/var/lib/libvirt/images/train.qcow2",
	  .doc = "an image or block device, the disk itself; with size only read, the base of a "
		 "disk that gpuvm makes" },
	{ .section = "disk",
	  .key = "size",
	  .type = &keys_type_size,
	  .unit = "bytes",
	  .min = SIZE_MIB,
	  .max = 64 * SIZE_TIB,
	  .step = SIZE_MIB,
	  .offset = offsetof(struct spec_disk, size_bytes),
	  .line_offset = offsetof(struct spec_disk, size_line),
	  .example = "200 GiB",
	  .doc = "gpuvm makes the VM a disk of this size, on image or blank; may grow later" },
	{ .section = "disk",
	  .key = "pool",
	  .type = &spec_type_pool,
	  .fallback = "default",
	  .offset = offsetof(struct spec_disk, pool),
	  .line_offset = offsetof(struct spec_disk, pool_line),
	  .example = "fast",
	  .doc = "the libvirt storage pool for what gpuvm makes; needs size" },
	{ .section = "disk",
	  .key = "format",
	  .type = &keys_type_choice,
	  .fallback = "auto",
	  .choices = formats,
	  .offset = offsetof(struct spec_disk, format),
	  .example = "raw",
	  .doc = "of the image; auto: qcow2 if its name ends in .qcow2, else raw; never by content" },
	{ .section = "share",
	  .key = "source",
	  .type = &spec_type_folder,
	  .required = true,
	  .offset = offsetof(struct spec_share, source),
	  .line_offset = offsetof(struct spec_share, line),
	  .example = "/srv/data",
	  .doc = "a folder of the host, shared and not copied" },
	{ .section = "share",
	  .key = "target",
	  .type = &spec_type_tag,
	  .required = true,
	  .offset = offsetof(struct spec_share, target),
	  .example = "data",
	  .doc = "the tag that the guest mounts it by: mount -t virtiofs data /mnt/data" },
	{ .section = "share",
	  .key = "readonly",
	  .type = &keys_type_boolean,
	  .fallback = "no",
	  .offset = offsetof(struct spec_share, readonly),
	  .example = "yes",
	  .doc = "whether the host keeps the guest from writing; refused where it cannot" },
	{ .section = "network",
	  .key = "source",
	  .type = &spec_type_network,
	  .fallback = "default",
	  .offset = offsetof(struct spec, network),
	  .line_offset = offsetof(struct spec, network_line),
	  .example = "bridge:br0",
	  .doc = "a libvirt network, bridge:NAME for a bridge of the host, or none" },
	{ .section = "cloud-init",
	  .key = "user",
	  .type = &spec_type_login,
	  .offset = offsetof(struct spec, cloud_init.user),
	  .example = "alice",
	  .doc = "the account made in the guest, which may use sudo; not written: your own name" },
	{ .section = "cloud-init",
	  .key = "ssh_key",
	  .type = &spec_type_ssh_key,
	  .fallback = "auto",
	  .offset = offsetof(struct spec, cloud_init.ssh_key_file),
	  .line_offset = offsetof(struct spec, cloud_init.ssh_key_line),
	  .example = "/home/alice/.ssh/id_ed25519.pub",
	  .doc = "its SSH keys: a file of public keys; auto: your ~/.ssh/id_*.pub; none: no account" },
	{ .section = "cloud-init",
	  .key = "hostname",
	  .type = &spec_type_hostname,
	  .offset = offsetof(struct spec, cloud_init.hostname),
	  .example = "train.example.org",
	  .doc = "the guest's name; not written: the VM's, with - for . and _" },
	{ .section = "cloud-init",
	  .key = "packages",
	  .type = &spec_type_packages,
	  .offset = offsetof(struct spec, cloud_init.packages),
	  .example = "python3-venv, git",
	  .doc = "what the guest installs of its distribution, comma separated" },
	{ .section = "cloud-init",
	  .key = "user_data",
	  .type = &spec_type_path,
	  .offset = offsetof(struct spec, cloud_init.user_data),
	  .line_offset = offsetof(struct spec, cloud_init.user_data_line),
	  .example = "driver.yaml",
	  .doc = "a file of your own for cloud-init: a #cloud-config, or a script" },
	{ .key = NULL },
};

static size_t add(void *whole, const struct keys_section *section, const char *label, unsigned line)
{
	struct spec *spec = whole;

	switch ((enum spec_target)section->target) {
	case SPEC_TARGET_GPU:
		*MEM_APPEND(spec->gpus, spec->gpu_count) =
			(struct spec_gpu){ .label = mem_strdup(label), .line = line };
		return spec->gpu_count - 1;
	case SPEC_TARGET_DISK:
		*MEM_APPEND(spec->disks, spec->disk_count) =
			(struct spec_disk){ .label = mem_strdup(label), .line = line };
		return spec->disk_count - 1;
	case SPEC_TARGET_SHARE:
		*MEM_APPEND(spec->shares, spec->share_count) =
			(struct spec_share){ .label = mem_strdup(label), .line = line };
		return spec->share_count - 1;
	case SPEC_TARGET_SPEC:
		break;
	}
	return 0;
}

static void *target(void *whole, const struct keys_section *section, size_t position)
{
	struct spec *spec = whole;

	switch ((enum spec_target)section->target) {
	case SPEC_TARGET_GPU:
		return &spec->gpus[position];
	case SPEC_TARGET_DISK:
		return &spec->disks[position];
	case SPEC_TARGET_SHARE:
		return &spec->shares[position];
	case SPEC_TARGET_SPEC:
		break;
	}
	return spec;
}

const struct keys_table *spec_keys(void)
{
	static const struct keys_table table = {
		.sections = sections,
		.rows = rows,
		.start = "a spec starts with [vm]",
		.add = add,
		.target = target,
	};

	return &table;
}
