// SPDX-License-Identifier: MIT
#include <string.h>

#include "tests/unit/hosts.h"
#include "topo/host.h"
#include "vmm/base/size.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define CPU          "sys/devices/system/cpu/"
#define NODE         "sys/devices/system/node/"

/* 4 cores without SMT in one package. */
#define FOUR_CPUS                                                                                  \
	CPU "online\t0-3\n" CPU "possible\t0-3\n" CPU "present\t0-3\n" CPU                         \
	    "cpu[0-3]/topology/physical_package_id\t0\n" CPU                                       \
	    "cpu[0-3]/topology/package_cpus\tf\n" CPU "cpu0/topology/core_cpus\t1\n" CPU           \
	    "cpu1/topology/core_cpus\t2\n" CPU "cpu2/topology/core_cpus\t4\n" CPU                  \
	    "cpu3/topology/core_cpus\t8\n" CPU "cpu0/topology/core_id\t0\n" CPU                    \
	    "cpu1/topology/core_id\t1\n" CPU "cpu2/topology/core_id\t2\n" CPU                      \
	    "cpu3/topology/core_id\t3\n"

static struct machine *read_machine(const struct root *root)
{
	struct machine *machine = NULL;
	struct fail fail = { 0 };

	assert_int_equal(machine_read(root, &machine, &fail), 0);
	return machine;
}

static void a_big_server_is_read(void **state)
{
	CLEANUP(root) struct root *root = hosts_open("gpu8");
	CLEANUP(machine) struct machine *machine = read_machine(root);
	const struct machine_node *node = machine_node(machine, 1);
	CLEANUP(text) char *cpus = machine_cpus_format(node->cpus);

	(void)state;
	assert_int_equal(machine->cpu_count, 128);
	assert_int_equal(machine->core_count, 64);
	assert_int_equal(machine->package_count, 2);
	assert_int_equal(machine->node_count, 2);
	assert_string_equal(machine->cpu_model, "Intel(R) Xeon(R) Platinum 8462Y+");
	assert_int_equal(machine->phys_bits, 52);
	assert_false(machine->has_topoext);
	assert_string_equal(cpus, "32-63,96-127");
	assert_int_equal(node->package, 1);
	assert_int_equal(node->distances[0], 21);
	assert_int_equal(node->distances[1], 10);
	assert_int_equal(node->memory_total_bytes, 512 * SIZE_GIB);
	assert_int_equal(node->memory_available_bytes, 305 * SIZE_GIB - SIZE_MIB);
	assert_int_equal(node->page_count, 2);
	assert_int_equal(node->pages[0].page_bytes, SIZE_GIB);
	assert_int_equal(machine_node_pages(node, SIZE_GIB)->total, 128);
	assert_int_equal(machine_node_pages(node, SIZE_GIB)->free, 96);
	assert_int_equal(machine_node_pages(node, 2 * SIZE_MIB)->free, 0);
	assert_null(machine_node_pages(node, SIZE_KIB));
	assert_null(machine_node(machine, 2));
}

static void cpus_know_their_place(void **state)
{
	CLEANUP(root) struct root *root = hosts_open("gpu8");
	CLEANUP(machine) struct machine *machine = read_machine(root);

	(void)state;
	for (unsigned i = 0; i < 128; i++) {
		const struct machine_cpu *cpu = &machine->cpus[i];

		assert_ptr_equal(machine_cpu(machine, i), cpu);
		assert_int_equal(cpu->os_index, i);
		assert_int_equal(cpu->core, i % 64);
		assert_int_equal(cpu->package, i % 64 / 32);
		assert_int_equal(cpu->node, i % 64 / 32);
		assert_int_equal(cpu->l3, i % 64 / 32);
		assert_int_equal(cpu->kind, 0);
		assert_true(cpu->usable);
	}
	assert_null(machine_cpu(machine, 128));
}

static void assert_cpus(hwloc_const_bitmap_t cpus, const char *expected)
{
	CLEANUP(text) char *text = machine_cpus_format(cpus);

	assert_string_equal(text, expected);
}

/* Several caches per node on one host, several nodes per cache on the other. */
static void caches_have_their_cpus(void **state)
{
	CLEANUP(root) struct root *nps = hosts_open("amd-nps4");
	CLEANUP(root) struct root *snc = hosts_open("hgx8");
	CLEANUP(machine) struct machine *amd = read_machine(nps);
	CLEANUP(machine) struct machine *intel = read_machine(snc);

	(void)state;
	assert_int_equal(amd->node_count, 4);
	assert_int_equal(amd->l3_count, 8);
	assert_int_equal(amd->l3s[amd->cpus[25].l3].size_bytes, 32 * SIZE_MIB);
	assert_cpus(amd->l3s[amd->cpus[25].l3].cpus, "24-31,88-95");
	assert_cpus(amd->isolated_cpus, "8-15,72-79");
	assert_cpus(amd->offline_cpus, "");
	assert_int_equal(intel->node_count, 4);
	assert_int_equal(intel->nodes[1].package, 0);
	assert_int_equal(intel->l3_count, 2);
	assert_int_equal(intel->cpus[0].l3, intel->cpus[16].l3);
}

static void what_is_offline_is_told(void **state)
{
	CLEANUP(root) struct root *root = hosts_open("hybrid");
	CLEANUP(machine) struct machine *machine = read_machine(root);

	(void)state;
	assert_int_equal(machine->cpu_count, 31);
	assert_int_equal(machine->core_count, 8 + 15);
	assert_cpus(machine->offline_cpus, "31");
	assert_cpus(machine->isolated_cpus, "");
	assert_int_equal(machine->cpus[0].kind, 1);
	assert_int_equal(machine->cpus[16].kind, 0);
	assert_int_equal(machine->l3_count, 1);
}

static void the_slice_limits_what_is_usable(void **state)
{
	CLEANUP(root) struct root *root = hosts_open("bmc");
	CLEANUP(machine) struct machine *machine = read_machine(root);

	(void)state;
	assert_true(machine->has_topoext);
	for (unsigned i = 0; i < machine->cpu_count; i++)
		assert_true(machine->cpus[i].usable == (i != 0 && i != 32));
}

static void isolated_cpus_are_usable(void **state)
{
	CLEANUP(root) struct root *root = hosts_write("isolated", FOUR_CPUS CPU "isolated\t2-3\n");
	CLEANUP(machine) struct machine *machine = read_machine(root);

	(void)state;
	assert_int_equal(machine->cpu_count, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_true(machine->cpus[i].usable);
}

/* Four clocks, two designs: only the latter are kinds. */
static void kinds_are_designs(void **state)
{
	CLEANUP(root)
	struct root *root = hosts_write("hybrid",
					FOUR_CPUS "sys/devices/cpu_core/cpus\t0-1\n"
						  "sys/devices/cpu_atom/cpus\t2-3\n" CPU
						  "cpu0/cpufreq/cpuinfo_max_freq\t6000000\n" CPU
						  "cpu1/cpufreq/cpuinfo_max_freq\t5000000\n" CPU
						  "cpu2/cpufreq/cpuinfo_max_freq\t4000000\n" CPU
						  "cpu3/cpufreq/cpuinfo_max_freq\t3000000\n");
	CLEANUP(machine) struct machine *machine = read_machine(root);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(machine->cpus[i].kind, i < 2 ? 1 : 0);
}

static void clocks_make_no_kinds(void **state)
{
	CLEANUP(root)
	struct root *root = hosts_write("clocks", FOUR_CPUS CPU
					"cpu[0-2]/cpufreq/cpuinfo_max_freq\t6000000\n" CPU
					"cpu3/cpufreq/cpuinfo_max_freq\t3000000\n");
	CLEANUP(machine) struct machine *machine = read_machine(root);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(machine->cpus[i].kind, 0);
}

/* Also: a distance table, and node numbers with a gap. */
static void a_node_of_memory_alone_runs_nothing(void **state)
{
	CLEANUP(root)
	struct root *root = hosts_write(
		"cxl", FOUR_CPUS NODE
		"online\t0,2\n" NODE "node0/cpulist\t0-3\n" NODE "node0/cpumap\tf\n" NODE
		"node2/cpulist\t\n" NODE "node2/cpumap\t0\n" NODE "node0/distance\t10 14\n" NODE
		"node2/distance\t14 10\n" NODE
		"node0/meminfo\tNode 0 MemTotal: 1024 kB\\nNode 0 MemFree: 512 kB\n" NODE
		"node2/meminfo\tNode 2 MemTotal: 2048 kB\\nNode 2 MemFree: 4096 kB\\n"
		"Node 2 Dirty: 99 kB\n" NODE "node2/access0/initiators/node0/\n");
	CLEANUP(machine) struct machine *machine = read_machine(root);
	const struct machine_node *node = machine_node(machine, 2);

	(void)state;
	assert_int_equal(machine->node_count, 2);
	assert_true(hwloc_bitmap_iszero(node->cpus));
	assert_int_equal(hwloc_bitmap_weight(machine->nodes[0].cpus), 4);
	assert_int_equal(node->distances[0], 14);
	assert_int_equal(node->distances[1], 10);
	assert_int_equal(machine->nodes[0].memory_available_bytes, 512 * SIZE_KIB);
	assert_int_equal(node->memory_available_bytes, 2048 * SIZE_KIB);
	for (size_t i = 0; i < machine->cpu_count; i++)
		assert_int_equal(machine->cpus[i].node, 0);
}

static void a_kernel_without_nodes_has_one(void **state)
{
	CLEANUP(root)
	struct root *root = hosts_write(
		"flat", FOUR_CPUS "proc/meminfo\tMemTotal: 8388608 kB\\nMemFree: 4194304 kB\\n"
				  "Active(file): 99999999999999999999 kB\n"
				  "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages\t8\n"
				  "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages\t-1\n"
				  "sys/kernel/mm/hugepages/hugepages-kB/free_hugepages\t1\n");
	CLEANUP(machine) struct machine *machine = read_machine(root);

	(void)state;
	assert_int_equal(machine->node_count, 1);
	assert_int_equal(machine->package_count, 1);
	assert_int_equal(hwloc_bitmap_weight(machine->nodes[0].cpus), 4);
	assert_int_equal(machine->nodes[0].memory_total_bytes, 8 * SIZE_GIB);
	assert_int_equal(machine->nodes[0].page_count, 1);
	assert_int_equal(machine->nodes[0].pages[0].total, 8);
	assert_int_equal(machine->nodes[0].pages[0].free, 0);
	assert_int_equal(machine->nodes[0].distances[0], 10);
	assert_null(machine->cpu_model);
	assert_int_equal(machine->phys_bits, 0);
}

static void no_processors_is_a_failure(void **state)
{
	CLEANUP(root) struct root *root = hosts_write("empty", "sys/\n");
	struct machine *machine = NULL;
	struct fail fail = { 0 };

	(void)state;
	assert_int_equal(machine_read(root, &machine, &fail), -1);
	assert_null(machine);
	assert_int_equal(fail.kind, FAIL_FAIL);
	assert_non_null(strstr(fail.items[0].cause, root->dir));
	fail_done(&fail);
}

/* What the user has set for other programs neither counts nor changes. */
static void the_environment_is_left_alone(void **state)
{
	CLEANUP(root) struct root *root = hosts_write("environment", FOUR_CPUS);
	struct machine *machine;

	(void)state;
	setenv("HWLOC_SYNTHETIC", "core:9 pu:1", 1);
	setenv("HWLOC_XMLFILE", "/nowhere.xml", 1);
	setenv("HWLOC_FSROOT", "/nowhere", 1);
	unsetenv("HWLOC_COMPONENTS");
	machine = read_machine(root);
	assert_int_equal(machine->cpu_count, 4);
	assert_string_equal(getenv("HWLOC_SYNTHETIC"), "core:9 pu:1");
	assert_string_equal(getenv("HWLOC_FSROOT"), "/nowhere");
	assert_null(getenv("HWLOC_COMPONENTS"));
	unsetenv("HWLOC_SYNTHETIC");
	unsetenv("HWLOC_XMLFILE");
	unsetenv("HWLOC_FSROOT");
	machine_free(machine);
}

static void hosts_are_read_whole(void **state)
{
	static const struct {
		const char *name;
		size_t gpus;
		bool has_iommu;
		const char *gpu;
		int node;
		const char *hint; /* a part of it */
	} cases[] = {
		{ "gpu8", 9, true, "0000:97:00.0", 1, "intel_iommu=on" },
		{ "workstation", 2, true, "0000:08:00.0", 0, "intel_iommu=on" },
		{ "bmc", 2, true, "0000:c1:00.0", 0, "amd_iommu=off" },
		{ "node-unknown", 2, true, "0000:a1:00.0", -1, "amd_iommu=off" },
		{ "no-iommu", 2, false, "0000:08:00.0", 0, "VT-d" },
		{ "shared-group", 3, true, "0000:04:00.0", 0, "intel_iommu=on" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(root) struct root *root = hosts_open(cases[i].name);
		CLEANUP(host) struct host *host = NULL;
		struct fail fail = { 0 };

		assert_int_equal(host_read(root, &host, &fail), 0);
		assert_false(host->live);
		assert_true(host->has_vfio_pci && host->has_kvm);
		assert_int_equal(host->gpus->count, cases[i].gpus);
		assert_true(host->has_iommu == cases[i].has_iommu);
		assert_int_equal(host_gpu_node(host, gpu_find(host->gpus, cases[i].gpu)),
				 cases[i].node);
		assert_non_null(strstr(host->iommu_hint, cases[i].hint));
	}
}

static void a_bare_host_lacks_everything(void **state)
{
	CLEANUP(root)
	struct root *root = hosts_write("bare",
					FOUR_CPUS "proc/cpuinfo\tvendor_id : AuthenticAMD\n"
						  "proc/sys/kernel/osrelease\t6.1.0\n"
						  "lib/modules/6.1.0/modules.dep\tvfio.ko:\n");
	CLEANUP(host) struct host *host = NULL;
	struct fail fail = { 0 };

	(void)state;
	assert_int_equal(host_read(root, &host, &fail), 0);
	assert_false(host->has_iommu || host->has_vfio_pci || host->has_kvm);
	assert_non_null(strstr(host->iommu_hint, "AMD-Vi"));
}

static void this_machine_is_read(void **state)
{
	struct fail fail = { 0 };
	CLEANUP(root) struct root *root = NULL;
	CLEANUP(host) struct host *host = NULL;

	(void)state;
	assert_int_equal(root_open(NULL, &root, &fail), 0);
	assert_int_equal(host_read(root, &host, &fail), 0);
	assert_true(host->live);
	assert_int_equal(host->machine->cpu_count, sysconf(_SC_NPROCESSORS_ONLN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_big_server_is_read),
		cmocka_unit_test(cpus_know_their_place),
		cmocka_unit_test(caches_have_their_cpus),
		cmocka_unit_test(what_is_offline_is_told),
		cmocka_unit_test(the_slice_limits_what_is_usable),
		cmocka_unit_test(isolated_cpus_are_usable),
		cmocka_unit_test(kinds_are_designs),
		cmocka_unit_test(clocks_make_no_kinds),
		cmocka_unit_test(a_node_of_memory_alone_runs_nothing),
		cmocka_unit_test(a_kernel_without_nodes_has_one),
		cmocka_unit_test(no_processors_is_a_failure),
		cmocka_unit_test(the_environment_is_left_alone),
		cmocka_unit_test(hosts_are_read_whole),
		cmocka_unit_test(a_bare_host_lacks_everything),
		cmocka_unit_test(this_machine_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
