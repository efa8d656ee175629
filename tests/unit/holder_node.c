// SPDX-License-Identifier: MIT
/* The device nodes by which a GPU is held. */
#include "topo/holder.h"

#include <sys/sysmacros.h>

#include "tests/unit/holders.h"
#include "topo/holder_internal.h"

#define GPU HOLDERS_GPU
#define PCI HOLDERS_PCI

/* A disk of the group that nothing has mounted may be open all the same. */
static void a_raw_disk_is_seen(void **state)
{
	CLEANUP(root)
	struct root *root = hosts_write("disk", PROCESSES_SLEEP
					"sys/block/sdx -> ../bus/pci/devices/" GPU "/sdx\n" PCI GPU
					"/sdx/sdx1/partition\t1\n"
					"sys/class/block/sdx -> ../../bus/pci/devices/" GPU
					"/sdx\n");
	struct device device = {
		.address = GPU, .class_id = 0x0106, .driver = (char *)"ahci", .iommu_group = 177
	};
	const struct gpu gpu = { .device = &device };
	const struct gpu *gpus = &gpu;
	CLEANUP(holder_list) struct holder_list *list = NULL;

	(void)state;
	processes_open(root->dir, "812", "0", "/dev/sdx1");
	list = holder_list_read(root, &gpus, 1);
	assert_int_equal(list->count, 1);
	assert_string_equal(list->holders[0].what, "has /dev/sdx1 open");
}

/* On the live host a number says what a path may not. */
static void nodes_are_told_by_number(void **state)
{
	const struct holder_node node = { .path = (char *)"/dev/dri/card77",
					  .has_number = true,
					  .number = makedev(226, 77) };
	const struct holder_node any = { .path = (char *)"/dev/nvidia", .is_any_nvidia = true };
	const dev_t same = makedev(226, 77);
	const dev_t other = makedev(226, 7);
	const dev_t nvidia = makedev(195, 3);
	const dev_t control = makedev(195, 255);

	(void)state;
	assert_true(holder_node_is(&node, "/dev/renamed", &same));
	assert_false(holder_node_is(&node, "/dev/dri/card77", &other));
	assert_true(holder_node_is(&node, "/dev/dri/card77", NULL));
	assert_false(holder_node_is(&node, "/dev/renamed", NULL));
	assert_true(holder_node_is(&any, "/dev/renamed", &nvidia));
	assert_false(holder_node_is(&any, "/dev/nvidia3", &control));
	assert_false(holder_node_is(&any, "/dev/nvidia3", &same));
	assert_true(holder_node_is(&any, "/dev/nvidia3", NULL));
	assert_false(holder_node_is(&any, "/dev/nvidiactl", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_raw_disk_is_seen),
		cmocka_unit_test(nodes_are_told_by_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
