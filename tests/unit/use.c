// SPDX-License-Identifier: MIT
#include "topo/use.h"

#include <string.h>

#include "tests/unit/hosts.h"
#include "topo/gpu.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define PCI          "sys/bus/pci/devices/"
#define GPU          "0000:01:00.0"
#define OTHER        "0000:02:00.0"
#define AT           PCI OTHER

#define FUNCTION(address, class)                                                                   \
	PCI address "/vendor\t0x8086\n" PCI address "/device\t0x0001\n" PCI address                \
		    "/class\t" class "\n" PCI address "/resource\t0x0 0x0 0x0\n"
#define GROUP(address, group)                                                                      \
	PCI address "/iommu_group -> ../../../../kernel/iommu_groups/" group "\n"
#define DRIVER(address, name) PCI address "/driver -> ../../drivers/" name "\n"

#define ETH    "sys/class/net/eth7 -> ../../bus/pci/devices/" OTHER "/net/eth7\n"
#define ETH_AT AT "/net/eth7/"
#define DOWN   ETH ETH_AT "operstate\tdown\n"

#define SDX    "sys/block/sdx -> ../bus/pci/devices/" OTHER "/ata1/block/sdx\n" AT "/ata1/block/sdx/\n"
#define PART   "sys/class/block/sdx/sdx1/partition\t1\n"
#define TABLES "proc/swaps\tFilename Type\\n/dev/sdy2 partition 1 2 3\n"
#define ROOT   TABLES "proc/mounts\t/dev/sdy1 / ext4 rw 0 0\n"

/* One more function of the GPU's group, on a driver. */
struct other {
	const char *about, *class, *lines;
	bool is_idle;
	const char *use;
};

static const struct other others[] = {
	{ "no interface", "0x020000", "sys/\n", false, NULL },
	{ "an interface nothing is known of", "0x020000", ETH ETH_AT "mtu\t1500\n", false,
	  "network interface eth7" },
	{ "up", "0x020000", ETH ETH_AT "operstate\tup\n", false,
	  "network interface eth7, which is up" },
	{ "a state unknown", "0x020000", ETH ETH_AT "operstate\tunknown\n", false,
	  "network interface eth7" },
	{ "down", "0x020000", DOWN, true, "network interface eth7, which is down" },
	{ "down, another has an address", "0x020000",
	  DOWN "proc/net/route\tIface Destination\\neth77\\t0000\\t0000\\nbr0 eth7 x\n"
	       "proc/net/if_inet6\tfe80 02 40 20 80 eth77\\nfe80 02 40 20 eth7 eth0\n",
	  true, "network interface eth7, which is down" },
	{ "down, with an IPv4 address", "0x020000",
	  DOWN "proc/net/route\tIface Destination\\neth0\\t0\\neth7\\t000200C0\\t0000\n", false,
	  "network interface eth7, which has an address" },
	{ "with an IPv6 address", "0x020000", DOWN "proc/net/if_inet6\tfe80 02 40 20 80     eth7\n",
	  false, "network interface eth7, which has an address" },
	{ "a port of a bridge", "0x020000",
	  DOWN ETH_AT "master -> ../../../../../../devices/virtual/net/br7\n", false,
	  "network interface eth7, a port of br7" },
	{ "under a VLAN", "0x020000", DOWN ETH_AT "upper_eth7.5/\n", false,
	  "network interface eth7, which eth7.5 is built on" },
	{ "with virtual functions", "0x020000", DOWN AT "/sriov_numvfs\t2\n", false,
	  "network interface eth7, which is down; what its virtual functions belong to" },
	{ "for RDMA", "0x020000", DOWN AT "/infiniband/mlx5_0/\n", false,
	  "network interface eth7, which is down" },
	{ "no disk", "0x010601", ROOT, true, NULL },
	{ "a disk", "0x010601", ROOT SDX PART, true, "disk sdx, not mounted" },
	{ "another's disk", "0x010601",
	  ROOT "sys/block/sdy -> ../bus/pci/devices/" GPU "/sdy\n" PCI GPU "/sdy/\n", true, NULL },
	{ "no tables", "0x010601", SDX, false, "disk sdx" },
	{ "a mounted partition", "0x010601",
	  SDX PART TABLES "proc/mounts\t/dev/sdx1 /srv ext4 rw 0 0\n", false,
	  "disk sdx, mounted on /srv" },
	{ "the root file system, perhaps", "0x010601",
	  SDX PART TABLES "proc/mounts\tproc /proc proc rw 0 0\\n/dev/root / ext4 rw 0 0\n", false,
	  "disk sdx" },
	{ "a mount by another name, perhaps", "0x010601",
	  SDX PART TABLES "proc/mounts\t/dev/disk/by-uuid/77 / ext4 rw 0 0\n", false, "disk sdx" },
	{ "swap", "0x010601",
	  SDX PART "proc/mounts\t\nproc/swaps\tFilename\\n/dev/sdx1  partition 1 2 3\n", false,
	  "disk sdx, swapped to" },
	{ "another's swap", "0x010601",
	  SDX PART "proc/mounts\t\nproc/swaps\tFilename\\n/dev/sdx11 partition 1 2 3\n", true,
	  "disk sdx, not mounted" },
	{ "a RAID that is not mounted", "0x010601",
	  ROOT SDX PART "sys/class/block/sdx1/holders/md7/\n", false, "disk sdx, part of md7" },
	{ "swap on LVM", "0x010601",
	  SDX PART "sys/class/block/sdx1/holders/dm-7/\nsys/class/block/dm-7/dm/name\tvg-swap\n"
		   "proc/mounts\t\nproc/swaps\tFilename\\n/dev/dm-7 partition 1 2 3\n",
	  false, "disk sdx, swapped to" },
	{ "LVM on a partition of a disk with many paths, and a loop of holders", "0x010802",
	  AT "/nvme/nvme0/nvme0c0n1/\n"
	     "sys/block/nvme0c0n1 -> ../bus/pci/devices/" OTHER "/nvme/nvme0/nvme0c0n1\n"
	     "sys/class/block/nvme0n1/nvme0n1p1/partition\t1\n"
	     "sys/class/block/nvme0n1p1/holders/dm-0/\n"
	     "sys/class/block/dm-0/dm/name\tvg-data\nsys/class/block/dm-0/holders/dm-0/\n" TABLES
	     "proc/mounts\t/dev/mapper/vg-data /data ext4 rw 0 0\\n/dev/sda1 / ext4 rw 0 0\n",
	  false, "disk nvme0n1, mounted on /data" },
	{ "one of a btrfs", "0x010601", ROOT SDX PART "sys/fs/btrfs/77/devices/sdx1/\n", false,
	  "disk sdx, part of a mounted btrfs" },
	{ "of a ZFS pool, perhaps", "0x010601", ROOT SDX PART "sys/module/zfs/\n", false,
	  "disk sdx" },
	{ "no hub", "0x0c0330", "sys/\n", false, NULL },
	{ "nothing plugged in", "0x0c0330", AT "/usb7/7-0:1.0/\n" AT "/usb7/power/\n", true, NULL },
	{ "a keyboard", "0x0c0330",
	  AT "/usb7/7-0:1.0/\n" AT "/usb8/8-1/product\tNemo \x1b[1mKeyboard\n", false,
	  "USB device 8-1 (Nemo \\x1b[1mKeyboard)" },
	{ "something nameless", "0x0c0330", AT "/usb7/7-1/7-1.2/\n", false, "USB device 7-1" },
	{ "sound", "0x040300", AT "/sound/card7/\n", true, NULL },
	{ "an SMBus", "0x0c0500", "sys/\n", false, NULL },
	{ "a security device", "0x108000", "sys/\n", false, NULL },
};

static struct device_list *read_with(const char *name, const struct other *other, const char *group)
{
	CLEANUP(text)
	char *lines = text_format(
		"%s%s" PCI OTHER
		"/iommu_group -> ../../../../kernel/iommu_groups/%s\n" FUNCTION(GPU, "0x030200")
			GROUP(GPU, "5") DRIVER(OTHER, "nemo") PCI OTHER
		"/vendor\t0x8086\n" PCI OTHER "/device\t0x0001\n" PCI OTHER
		"/resource\t0x0 0x0 0x0\n" PCI OTHER "/class\t%s\n",
		other->lines, "", group, other->class);
	CLEANUP(root) struct root *root = hosts_write(name, lines);
	struct device_list *list = NULL;
	struct fail fail = { 0 };

	assert_int_equal(device_list_read(root, &list, &fail), 0);
	return list;
}

static void used_and_idle_are_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		CLEANUP(device_list)
		struct device_list *list = read_with("use", &others[i], "5");
		const struct device *device = device_find(list, OTHER);
		CLEANUP(gpu_list) struct gpu_list *gpus = gpu_list_build(list);

		print_message("  %s: %s\n", others[i].about,
			      device->use == NULL ? "-" : device->use);
		assert_true(text_equal(device->use, others[i].use));
		assert_int_equal(device->is_idle, others[i].is_idle);
		assert_int_equal(gpus->gpus[0].members[1].role,
				 others[i].is_idle ? GPU_MEMBER_HELD : GPU_MEMBER_IN_USE);
		assert_int_equal(gpus->gpus[0].offer,
				 others[i].is_idle ? GPU_OFFERED : GPU_GROUP_NOT_VIABLE);
	}
}

/* Nothing is read of what would stay with the host anyway. */
static void only_a_gpus_group_is_looked_at(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		CLEANUP(device_list)
		struct device_list *list = read_with("apart", &others[i], "6");

		assert_null(device_find(list, OTHER)->use);
		assert_false(device_find(list, OTHER)->is_idle);
	}
}

static void all_in_use_are_named(void **state)
{
	struct device devices[7] = { { .address = GPU, .class_id = 0x0302, .iommu_group = 5 } };
	struct device_list list = { .devices = devices, .count = 7 };
	CLEANUP(gpu_list) struct gpu_list *gpus = NULL;

	(void)state;
	for (unsigned i = 1; i < 7; i++) {
		devices[i] = (struct device){ .class_id = 0x0200,
					      .iommu_group = 5,
					      .slot = (uint8_t)i,
					      .driver = (char *)"nemo",
					      .use = (char *)"network interface eth7" };
		snprintf(devices[i].address, sizeof devices[i].address, "0000:01:%02x.0", i);
	}
	gpus = gpu_list_build(&list);
	assert_string_equal(
		gpus->gpus[0].offer_reason,
		"its IOMMU group 5 is not viable: "
		"0000:01:01.0 PCI device 0000:0000 [0000:0000] is on driver nemo as network interface eth7, "
		"0000:01:02.0 PCI device 0000:0000 [0000:0000] is on driver nemo as network interface eth7, "
		"0000:01:03.0 PCI device 0000:0000 [0000:0000] is on driver nemo as network interface eth7, "
		"0000:01:04.0 PCI device 0000:0000 [0000:0000] is on driver nemo as network interface eth7 "
		"(and 2 more)");
}

static void the_names_of_disks_are_found(void **state)
{
	CLEANUP(root)
	struct root *root = hosts_write("names", SDX PART "sys/block/sdy -> ../nowhere/sdy\n");
	const struct device device = { .address = OTHER };
	CLEANUP(root_names) char **names = use_block_names(root, &device);

	(void)state;
	assert_string_equal(names[0], "sdx");
	assert_string_equal(names[1], "sdx1");
	assert_null(names[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(used_and_idle_are_told_apart),
		cmocka_unit_test(only_a_gpus_group_is_looked_at),
		cmocka_unit_test(all_in_use_are_named),
		cmocka_unit_test(the_names_of_disks_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
