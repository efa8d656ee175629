// SPDX-License-Identifier: MIT
#include "topo/machine.h"

#include <hwloc/distances.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "topo/memory.h"
#include "topo/topology.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define CPU "/sys/devices/system/cpu"

/* Numbers objects by first appearance. What belongs together comes in a row, so the last is tried first. */
struct numbering {
	uint64_t *ids;
	size_t count;
};

static unsigned number(struct numbering *numbering, uint64_t id)
{
	for (size_t i = numbering->count; i > 0; i--)
		if (numbering->ids[i - 1] == id)
			return (unsigned)i - 1;
	*MEM_APPEND(numbering->ids, numbering->count) = id;
	return (unsigned)(numbering->count - 1);
}

static hwloc_obj_t ancestor(hwloc_topology_t topology, hwloc_obj_type_t type, hwloc_obj_t object)
{
	return hwloc_get_ancestor_obj_by_type(topology, type, object);
}

/* The outermost cache above @pu, or what stands for one: its package, or itself. */
static hwloc_obj_t last_cache(hwloc_topology_t topology, hwloc_obj_t pu)
{
	hwloc_obj_t last = ancestor(topology, HWLOC_OBJ_PACKAGE, pu);

	for (hwloc_obj_t up = pu->parent; up != NULL; up = up->parent)
		if (hwloc_obj_type_is_dcache(up->type))
			last = up;
	return last == NULL ? pu : last;
}

/*
 * hwloc's kinds will not do: its linux component knows only clocks, which differ between favoured cores of
 * one design too. What must not be mixed in a VM are designs; Intel's hybrids have a PMU for each.
 */
static void read_kinds(const struct root *root, struct machine *machine)
{
	static const char *const designs[] = { "cpu_lowpower", "cpu_atom", "cpu_core" };
	CLEANUP(bitmap) hwloc_bitmap_t cpus = hwloc_bitmap_alloc();
	int rank = 0;

	for (size_t i = 0; i < sizeof designs / sizeof *designs; i++) {
		CLEANUP(text) char *list = root_text(root, "/sys/devices/%s/cpus", designs[i]);
		bool is_used = false;

		if (list == NULL || hwloc_bitmap_list_sscanf(cpus, list) != 0)
			continue;
		for (size_t j = 0; j < machine->cpu_count; j++) {
			if (!hwloc_bitmap_isset(cpus, machine->cpus[j].os_index))
				continue;
			machine->cpus[j].kind = rank;
			is_used = true;
		}
		rank += is_used;
	}
}

static unsigned node_of(const struct machine *machine, unsigned os_index)
{
	for (size_t i = 0; i < machine->node_count; i++)
		if (hwloc_bitmap_isset(machine->nodes[i].cpus, os_index))
			return (unsigned)i;
	return 0;
}

static int cpu_by_index(const void *a, const void *b)
{
	unsigned left = ((const struct machine_cpu *)a)->os_index;
	unsigned right = ((const struct machine_cpu *)b)->os_index;

	return (left > right) - (left < right);
}

/* The CPUs that machine.slice may use; full if the kernel does not say. */
static hwloc_bitmap_t read_slice(const struct root *root)
{
	static const char *const files[] = {
		"/sys/fs/cgroup/machine.slice/cpuset.cpus.effective",
		"/sys/fs/cgroup/cpuset.cpus.effective", /* the slice has no cpuset of its own */
		"/sys/fs/cgroup/cpuset/machine.slice/cpuset.effective_cpus", /* cgroup v1 */
	};
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc_full();

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		CLEANUP(text) char *text = root_text(root, "%s", files[i]);

		if (text == NULL || *text == '\0')
			continue;
		if (hwloc_bitmap_list_sscanf(cpus, text) != 0)
			hwloc_bitmap_fill(cpus);
		break;
	}
	return cpus;
}

static unsigned cache_of(struct machine *machine, struct numbering *caches, hwloc_obj_t object)
{
	unsigned at = number(caches, object->gp_index);

	if (at == machine->l3_count) {
		struct machine_l3 *l3 = MEM_APPEND(machine->l3s, machine->l3_count);

		l3->cpus = hwloc_bitmap_dup(object->cpuset);
		if (hwloc_obj_type_is_cache(object->type))
			l3->size_bytes = object->attr->cache.size;
	}
	return at;
}

/* The CPUs that the list in @file names; empty if there is none. */
static hwloc_bitmap_t read_list(const struct root *root, const char *file)
{
	CLEANUP(text) char *text = root_text(root, CPU "/%s", file);
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();

	if (text != NULL && *text != '\0' && hwloc_bitmap_list_sscanf(cpus, text) != 0)
		hwloc_bitmap_zero(cpus);
	return cpus;
}

/* Not the kernel's own list "offline", which also has CPUs that could only be plugged in. */
static void read_idle_lists(const struct root *root, hwloc_topology_t topology,
			    struct machine *machine)
{
	machine->offline_cpus = read_list(root, "present");
	hwloc_bitmap_andnot(machine->offline_cpus, machine->offline_cpus,
			    hwloc_topology_get_topology_cpuset(topology));
	machine->isolated_cpus = read_list(root, "isolated");
}

static void read_cpus(const struct root *root, hwloc_topology_t topology, struct machine *machine)
{
	CLEANUP(bitmap) hwloc_bitmap_t slice = read_slice(root);
	struct numbering cores = { 0 };
	struct numbering caches = { 0 };
	hwloc_obj_t pu = NULL;

	/* hwloc's order is the machine's, core by core: that makes the numbers of cores run with it. */
	while ((pu = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, pu)) != NULL) {
		struct machine_cpu *cpu = MEM_APPEND(machine->cpus, machine->cpu_count);
		hwloc_obj_t core = ancestor(topology, HWLOC_OBJ_CORE, pu);
		hwloc_obj_t package = ancestor(topology, HWLOC_OBJ_PACKAGE, pu);

		cpu->os_index = pu->os_index;
		cpu->core = number(&cores, core == NULL ? pu->gp_index : core->gp_index);
		cpu->l3 = cache_of(machine, &caches, last_cache(topology, pu));
		cpu->package = package == NULL ? 0 : package->os_index;
		cpu->node = node_of(machine, pu->os_index);
		cpu->usable = hwloc_bitmap_isset(slice, pu->os_index);
	}
	if (machine->cpu_count > 1)
		qsort(machine->cpus, machine->cpu_count, sizeof *machine->cpus, cpu_by_index);
	machine->core_count = (unsigned)cores.count;
	read_kinds(root, machine);
	read_idle_lists(root, topology, machine);
	free(cores.ids);
	free(caches.ids);
}

/*
 * The kernel's own list, not hwloc's set: hwloc gives a node without CPUs those that are nearest, and
 * such a node (CXL, HBM) must not look like somewhere to run.
 */
static hwloc_bitmap_t read_node_cpus(const struct root *root, hwloc_topology_t topology,
				     hwloc_obj_t node)
{
	CLEANUP(text)
	char *list = root_text(root, "/sys/devices/system/node/node%u/cpulist", node->os_index);
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();

	if (list == NULL || hwloc_bitmap_list_sscanf(cpus, list) != 0)
		hwloc_bitmap_copy(cpus, node->cpuset);
	hwloc_bitmap_and(cpus, cpus, hwloc_topology_get_topology_cpuset(topology));
	return cpus;
}

static unsigned node_package(hwloc_topology_t topology, hwloc_obj_t node, hwloc_const_bitmap_t cpus)
{
	int first = hwloc_bitmap_first(cpus);
	hwloc_obj_t near = first < 0 ? node
				     : hwloc_get_pu_obj_by_os_index(topology, (unsigned)first);
	hwloc_obj_t package = near == NULL ? NULL : ancestor(topology, HWLOC_OBJ_PACKAGE, near);

	return package == NULL ? 0 : package->os_index;
}

static int node_by_index(const void *a, const void *b)
{
	unsigned left = ((const struct machine_node *)a)->os_index;
	unsigned right = ((const struct machine_node *)b)->os_index;

	return (left > right) - (left < right);
}

static void read_nodes(const struct root *root, hwloc_topology_t topology, struct machine *machine)
{
	hwloc_obj_t object = NULL;

	while ((object = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, object)) !=
	       NULL) {
		struct machine_node *node = MEM_APPEND(machine->nodes, machine->node_count);

		node->os_index = object->os_index;
		node->cpus = read_node_cpus(root, topology, object);
		node->package = node_package(topology, object, node->cpus);
		memory_read(root, node);
	}
	if (machine->node_count > 1)
		qsort(machine->nodes, machine->node_count, sizeof *machine->nodes, node_by_index);
}

static ssize_t position(const struct machine *machine, hwloc_obj_t object)
{
	const struct machine_node *node = machine_node(machine, object->os_index);

	return node == NULL ? -1 : node - machine->nodes;
}

static void read_distances(hwloc_topology_t topology, struct machine *machine)
{
	struct hwloc_distances_s *found = NULL;
	unsigned count = 1;

	for (size_t i = 0; i < machine->node_count; i++) {
		machine->nodes[i].distances = mem_alloc(machine->node_count, sizeof(unsigned));
		/* the kernel's LOCAL_DISTANCE and REMOTE_DISTANCE, include/linux/topology.h */
		for (size_t j = 0; j < machine->node_count; j++)
			machine->nodes[i].distances[j] = i == j ? 10 : 20;
	}
	if (hwloc_distances_get_by_name(topology, "NUMALatency", &count, &found, 0) != 0 ||
	    count == 0)
		return;
	for (unsigned i = 0; i < found->nbobjs; i++) {
		for (unsigned j = 0; j < found->nbobjs; j++) {
			ssize_t from = position(machine, found->objs[i]);
			ssize_t to = position(machine, found->objs[j]);
			hwloc_uint64_t value = found->values[i * found->nbobjs + j];

			if (from >= 0 && to >= 0 && value <= UINT_MAX)
				machine->nodes[from].distances[to] = (unsigned)value;
		}
	}
	hwloc_distances_release(topology, found);
}

/* The value of the first "@key : value" in @cpuinfo, or NULL. The caller frees. */
static char *cpuinfo_value(const char *cpuinfo, const char *key)
{
	CLEANUP(text) char *copy = mem_strdup(cpuinfo);
	char *rest = copy;
	char *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		char *name = strsep(&line, ":");

		if (line != NULL && text_equal(text_trim(name), key))
			return text_printable(text_trim(line), 4096);
	}
	return NULL;
}

static void read_cpuinfo(const struct root *root, struct machine *machine)
{
	CLEANUP(text) char *cpuinfo = root_text(root, "/proc/cpuinfo");
	CLEANUP(text) char *flags = NULL;
	CLEANUP(text) char *sizes = NULL;
	char *rest;
	char *flag;

	if (cpuinfo == NULL)
		return;
	machine->cpu_vendor = cpuinfo_value(cpuinfo, "vendor_id");
	machine->cpu_model = cpuinfo_value(cpuinfo, "model name");
	sizes = cpuinfo_value(cpuinfo, "address sizes");
	if (sizes == NULL || sscanf(sizes, "%3u bits physical", &machine->phys_bits) != 1)
		machine->phys_bits = 0;
	flags = cpuinfo_value(cpuinfo, "flags");
	rest = flags;
	while ((flag = strsep(&rest, " ")) != NULL) {
		machine->has_topoext = machine->has_topoext || text_equal(flag, "topoext");
		machine->has_1gib_pages = machine->has_1gib_pages || text_equal(flag, "pdpe1gb");
	}
}

int machine_read(const struct root *root, struct machine **ret_machine, struct fail *fail)
{
	CLEANUP(topology) hwloc_topology_t topology = topology_load(root, false);
	CLEANUP(machine) struct machine *machine = mem_alloc(1, sizeof *machine);

	if (topology != NULL) {
		read_nodes(root, topology, machine);
		read_cpus(root, topology, machine);
		read_distances(topology, machine);
		machine->package_count = (unsigned)hwloc_get_nbobjs_by_type(topology,
									    HWLOC_OBJ_PACKAGE);
		if (machine->package_count == 0)
			machine->package_count = 1;
	}
	if (machine->cpu_count == 0 || machine->node_count == 0) {
		fail_add(fail, FAIL_FAIL, "the processors of this host cannot be read");
		return fail_cause(fail, "hwloc finds none in %s" CPU, root->dir);
	}
	read_cpuinfo(root, machine);
	*ret_machine = STEAL(machine);
	return 0;
}

void machine_free(struct machine *machine)
{
	if (machine == NULL)
		return;
	for (size_t i = 0; i < machine->node_count; i++) {
		hwloc_bitmap_free(machine->nodes[i].cpus);
		free(machine->nodes[i].pages);
		free(machine->nodes[i].distances);
	}
	for (size_t i = 0; i < machine->l3_count; i++)
		hwloc_bitmap_free(machine->l3s[i].cpus);
	hwloc_bitmap_free(machine->offline_cpus);
	hwloc_bitmap_free(machine->isolated_cpus);
	free(machine->l3s);
	free(machine->nodes);
	free(machine->cpus);
	free(machine->cpu_vendor);
	free(machine->cpu_model);
	free(machine);
}

const struct machine_node *machine_node(const struct machine *machine, unsigned os_index)
{
	for (size_t i = 0; i < machine->node_count; i++)
		if (machine->nodes[i].os_index == os_index)
			return &machine->nodes[i];
	return NULL;
}

const struct machine_cpu *machine_cpu(const struct machine *machine, unsigned os_index)
{
	struct machine_cpu wanted = { .os_index = os_index };

	return bsearch(&wanted, machine->cpus, machine->cpu_count, sizeof *machine->cpus,
		       cpu_by_index);
}

const struct machine_pages *machine_node_pages(const struct machine_node *node, uint64_t page_bytes)
{
	for (size_t i = 0; i < node->page_count; i++)
		if (node->pages[i].page_bytes == page_bytes)
			return &node->pages[i];
	return NULL;
}

char *machine_cpus_format(hwloc_const_bitmap_t cpus)
{
	char *text = NULL;

	if (hwloc_bitmap_list_asprintf(&text, cpus) < 0)
		abort();
	return text;
}

void machine_widen_to_cores(const struct machine *machine, hwloc_bitmap_t cpus)
{
	hwloc_bitmap_t cores = hwloc_bitmap_alloc();

	for (size_t i = 0; i < machine->cpu_count; i++)
		if (hwloc_bitmap_isset(cpus, machine->cpus[i].os_index))
			hwloc_bitmap_set(cores, machine->cpus[i].core);
	for (size_t i = 0; i < machine->cpu_count; i++)
		if (hwloc_bitmap_isset(cores, machine->cpus[i].core))
			hwloc_bitmap_set(cpus, machine->cpus[i].os_index);
	hwloc_bitmap_free(cores);
}
