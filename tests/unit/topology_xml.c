// SPDX-License-Identifier: MIT
#include <string.h>

#include "tests/unit/hosts.h"
#include "topo/topology.h"
#include "topo/topology_xml.h"

/* The XML read back as lstopo -i does: by hwloc's own importer. */
static hwloc_topology_t import(const char *xml)
{
	hwloc_topology_t topology;

	assert_int_equal(hwloc_topology_init(&topology), 0);
	assert_int_equal(hwloc_topology_set_xmlbuffer(topology, xml, (int)strlen(xml) + 1), 0);
	hwloc_topology_set_io_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_ALL);
	hwloc_topology_set_type_filter(topology, HWLOC_OBJ_MISC, HWLOC_TYPE_FILTER_KEEP_ALL);
	assert_int_equal(hwloc_topology_load(topology), 0);
	return topology;
}

static hwloc_bitmap_t cpus_of(const char *list)
{
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();

	assert_int_equal(hwloc_bitmap_list_sscanf(cpus, list), 0);
	return cpus;
}

/* What a test asks of. */
struct scene {
	struct root *root;
	struct host *host;
	hwloc_topology_t topology;
};

static void scene_cleanup(struct scene *scene)
{
	hwloc_topology_destroy(scene->topology);
	host_free(scene->host);
	root_free(scene->root);
}

/* On hgx8 one VM has two cores and two GPUs, one has a GPU alone, and one has CPUs that are not there. */
static struct scene set(void)
{
	struct scene scene = { .root = hosts_open("hgx8") };
	CLEANUP(bitmap) hwloc_bitmap_t cpus = cpus_of("17-18,81-82");
	CLEANUP(bitmap) hwloc_bitmap_t nowhere = cpus_of("500");
	CLEANUP(bitmap) hwloc_bitmap_t own = cpus_of("0,64");
	const struct place_taken_cpus taken_cpus[] = { { cpus, "VM \"train\" of <alice>" },
						       { nowhere, "VM \"ghost\"" } };
	const struct place_taken_gpu taken_gpus[] = {
		{ .address = "0000:39:00.0", .holder = "VM \"train\" of <alice>" },
		{ .address = "0000:3a:00.0", .holder = "VM \"train\" of <alice>" },
		{ .address = "0000:88:00.0", .holder = "VM \"infer\" of bob" },
		{ .address = "0000:99:00.0", .holder = "VM \"ghost\"" }
	};
	const struct place_taken taken = {
		.cpus = taken_cpus, .cpus_count = 2, .gpus = taken_gpus, .gpu_count = 4
	};
	struct fail fail = { 0 };
	char *xml = NULL;

	assert_int_equal(host_read(scene.root, &scene.host, &fail), 0);
	assert_int_equal(topology_xml(scene.root, scene.host, &taken, own, &xml, &fail), 0);
	scene.topology = import(xml);
	free(xml);
	return scene;
}

static const char *vm_of(hwloc_obj_t object)
{
	assert_non_null(object);
	return hwloc_obj_get_info_by_name(object, "VM");
}

static void cpus_and_functions_carry_their_vm(void **state)
{
	__attribute__((cleanup(scene_cleanup))) struct scene scene = set();
	hwloc_topology_t topology = scene.topology;

	(void)state;
	assert_int_equal(hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU), 128);
	for (unsigned cpu = 0; cpu < 128; cpu++) {
		hwloc_obj_t pu = hwloc_get_pu_obj_by_os_index(topology, cpu);
		const char *own = hwloc_obj_get_info_by_name(pu, "gpuvm");

		if (cpu % 64 == 17 || cpu % 64 == 18)
			assert_string_equal(vm_of(pu), "VM \"train\" of <alice>");
		else
			assert_null(vm_of(pu));
		assert_true((cpu % 64 == 0) == (own != NULL));
	}
	assert_string_equal(vm_of(hwloc_get_pcidev_by_busidstring(topology, "0000:39:00.0")),
			    "VM \"train\" of <alice>");
	assert_string_equal(vm_of(hwloc_get_pcidev_by_busidstring(topology, "0000:88:00.0")),
			    "VM \"infer\" of bob");
	assert_null(vm_of(hwloc_get_pcidev_by_busidstring(topology, "0000:17:00.0")));
}

/* Colours are lstopo's own words, and differ between VMs. */
static void vms_have_colours_of_their_own(void **state)
{
	__attribute__((cleanup(scene_cleanup))) struct scene scene = set();
	hwloc_obj_t a = hwloc_get_pcidev_by_busidstring(scene.topology, "0000:39:00.0");
	hwloc_obj_t b = hwloc_get_pcidev_by_busidstring(scene.topology, "0000:88:00.0");
	hwloc_obj_t cpu = hwloc_get_pu_obj_by_os_index(scene.topology, 17);
	const char *style = hwloc_obj_get_info_by_name(a, "lstopoStyle");

	(void)state;
	assert_true(text_starts(style, "Background=#"));
	assert_string_equal(hwloc_obj_get_info_by_name(cpu, "lstopoStyle"), style);
	assert_string_not_equal(hwloc_obj_get_info_by_name(b, "lstopoStyle"), style);
}

static void vms_are_misc_objects(void **state)
{
	__attribute__((cleanup(scene_cleanup))) struct scene scene = set();
	hwloc_obj_t misc = NULL;
	size_t trains = 0;
	size_t others = 0;

	(void)state;
	while ((misc = hwloc_get_next_obj_by_type(scene.topology, HWLOC_OBJ_MISC, misc)) != NULL) {
		bool is_train = text_equal(misc->name, "VM \"train\" of <alice>");
		bool is_cpus = misc->parent->type != HWLOC_OBJ_PCI_DEVICE;

		trains += is_train;
		others += text_equal(misc->name, "VM \"infer\" of bob");
		/* both cores are on node 1, so the VM is shown there and not at the machine */
		if (is_cpus)
			assert_int_equal(hwloc_bitmap_weight(misc->parent->cpuset), 32);
	}
	assert_int_equal(trains, 3);
	assert_int_equal(others, 1);
	assert_int_equal(hwloc_get_nbobjs_by_type(scene.topology, HWLOC_OBJ_MISC), 4);
}

/* GPUs hang where the firmware says, below their switches, by name. */
static void the_pci_tree_is_in_it(void **state)
{
	__attribute__((cleanup(scene_cleanup))) struct scene scene = set();
	hwloc_obj_t gpu = hwloc_get_pcidev_by_busidstring(scene.topology, "0000:39:00.0");
	hwloc_obj_t near = hwloc_get_non_io_ancestor_obj(scene.topology, gpu);
	CLEANUP(text) char *nodes = machine_cpus_format(near->nodeset);
	size_t bridges = 0;

	(void)state;
	assert_string_equal(nodes, "1");
	for (hwloc_obj_t up = gpu->parent; up->type == HWLOC_OBJ_BRIDGE; up = up->parent)
		bridges++;
	assert_int_equal(bridges, 4); /* host bridge, root port, the switch's two */
	assert_string_equal(hwloc_obj_get_info_by_name(gpu, "PCIDevice"), "GH100 [H100 SXM5 80GB]");
	assert_string_equal(hwloc_obj_get_info_by_name(gpu, "PCIVendor"), "NVIDIA Corporation");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpus_and_functions_carry_their_vm),
		cmocka_unit_test(vms_have_colours_of_their_own),
		cmocka_unit_test(vms_are_misc_objects),
		cmocka_unit_test(the_pci_tree_is_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
