// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>

#include "topo/host.h"
#include "topo/pcie.h"
#include "topo/topology_xml.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/holders.h"
#include "vmm/cli/out.h"
#include "vmm/cli/pcie_json.h"
#include "vmm/cli/topo_draw.h"
#include "vmm/policy.h"

/* What all of it is made from. */
struct scene {
	struct root *root;
	struct host *host;
	struct usage *usage;
	struct policy *policy;
	struct pcie *pcie;
	struct place_taken taken;
	hwloc_bitmap_t host_cpus;
	char *unknown; /* why libvirt's part is missing; NULL if it is not */
};

static void scene_cleanup(struct scene *scene)
{
	pcie_free(scene->pcie);
	usage_free(scene->usage);
	policy_free(scene->policy);
	host_free(scene->host);
	root_free(scene->root);
	hwloc_bitmap_free(scene->host_cpus);
	free(scene->unknown);
}

static const char *holder_of(const struct place_taken *taken, unsigned cpu)
{
	for (size_t i = 0; i < taken->cpus_count; i++)
		if (hwloc_bitmap_isset(taken->cpus[i].cpus, cpu))
			return taken->cpus[i].holder;
	return NULL;
}

static json_t *cpu_json(const struct scene *scene, const struct machine_cpu *cpu)
{
	const char *holder = holder_of(&scene->taken, cpu->os_index);
	bool is_host = hwloc_bitmap_isset(scene->host_cpus, cpu->os_index);
	bool is_isolated = hwloc_bitmap_isset(scene->host->machine->isolated_cpus, cpu->os_index);

	return json_pack("{s:i, s:s, s:b, s:o}", "cpu", (int)cpu->os_index, "state",
			 holder != NULL ? "held"
			 : is_host      ? "host"
			 : !cpu->usable ? "unusable"
					: "free",
			 "is_isolated", is_isolated, "holder", out_text_or_null(holder));
}

static json_t *core_json(const struct scene *scene, unsigned core, unsigned kind)
{
	const struct machine *machine = scene->host->machine;
	json_t *cpus = json_array();

	for (size_t i = 0; i < machine->cpu_count; i++)
		if (machine->cpus[i].core == core)
			json_array_append_new(cpus, cpu_json(scene, &machine->cpus[i]));
	return json_pack("{s:i, s:i, s:o}", "core", (int)core, "kind", (int)kind, "cpus", cpus);
}

/* The design's name where there are several: kinds are ranked, the most efficient first. */
static const char *design_of(const struct machine *machine, int kind)
{
	int most = 0;

	for (size_t i = 0; i < machine->cpu_count; i++)
		if (machine->cpus[i].kind > most)
			most = machine->cpus[i].kind;
	if (most == 0)
		return NULL;
	return kind == most ? "fast" : kind == 0 && most > 1 ? "low-power" : "small";
}

static json_t *other_nodes(const struct machine *machine, size_t node, unsigned l3)
{
	json_t *others = json_array();

	for (size_t i = 0; i < machine->node_count; i++)
		if (i != node &&
		    hwloc_bitmap_intersects(machine->nodes[i].cpus, machine->l3s[l3].cpus))
			json_array_append_new(others, json_integer(machine->nodes[i].os_index));
	return others;
}

/* The cores of @kind on @node below cache @l3. NULL if there is none. */
static json_t *cache_json(const struct scene *scene, size_t node, unsigned l3, int kind)
{
	const struct machine *machine = scene->host->machine;
	uint64_t bytes = machine->l3s[l3].size_bytes;
	json_t *cores = json_array();
	long last = -1;

	for (size_t i = 0; i < machine->cpu_count; i++) {
		const struct machine_cpu *cpu = &machine->cpus[i];

		/* a core's first CPU is met before its others: those are of a lower number elsewhere */
		if (cpu->node != node || cpu->l3 != l3 || cpu->kind != kind ||
		    (long)cpu->core <= last)
			continue;
		last = cpu->core;
		json_array_append_new(cores, core_json(scene, cpu->core, (unsigned)kind));
	}
	if (json_array_size(cores) == 0) {
		json_decref(cores);
		return NULL;
	}
	return json_pack("{s:i, s:o, s:o, s:o, s:o}", "cache", (int)l3, "size_bytes",
			 out_number_or_null(bytes == 0 ? -1 : (long long)bytes), "design",
			 out_text_or_null(design_of(machine, kind)), "other_nodes",
			 other_nodes(machine, node, l3), "cores", cores);
}

static json_t *caches_json(const struct scene *scene, size_t node)
{
	json_t *caches = json_array();

	for (unsigned l3 = 0; l3 < scene->host->machine->l3_count; l3++) {
		/* fast ones first, as the kernel numbers them; there are three designs at most */
		for (int kind = 2; kind >= 0; kind--) {
			json_t *cache = cache_json(scene, node, l3, kind);

			if (cache != NULL)
				json_array_append_new(caches, cache);
		}
	}
	return caches;
}

static json_t *node_json(const struct scene *scene, size_t at)
{
	const struct machine *machine = scene->host->machine;
	const struct machine_node *node = &machine->nodes[at];
	json_t *pages = json_array();
	json_t *distances = json_array();

	for (size_t i = 0; i < node->page_count; i++)
		json_array_append_new(pages, json_pack("{s:I, s:I, s:I}", "page_bytes",
						       (json_int_t)node->pages[i].page_bytes,
						       "total", (json_int_t)node->pages[i].total,
						       "free", (json_int_t)node->pages[i].free));
	for (size_t i = 0; i < machine->node_count; i++)
		json_array_append_new(distances, json_integer(node->distances[i]));
	return json_pack("{s:i, s:i, s:I, s:I, s:o, s:o, s:o}", "node", (int)node->os_index,
			 "package", (int)node->package, "memory_total_bytes",
			 (json_int_t)node->memory_total_bytes, "memory_available_bytes",
			 (json_int_t)node->memory_available_bytes, "pages", pages, "distances",
			 distances, "caches", caches_json(scene, at));
}

static void add_holder(json_t *holders, const char *holder)
{
	json_t *label = out_text_or_null(holder);
	const json_t *other;
	size_t i;

	json_array_foreach(holders, i, other)
	{
		if (json_equal(other, label)) {
			json_decref(label);
			return;
		}
	}
	json_array_append_new(holders, label);
}

static json_t *holders_json(const struct place_taken *taken)
{
	json_t *holders = json_array();

	for (size_t i = 0; i < taken->gpu_count; i++)
		if (taken->gpus[i].word == NULL)
			add_holder(holders, taken->gpus[i].holder);
	for (size_t i = 0; i < taken->cpus_count; i++)
		add_holder(holders, taken->cpus[i].holder);
	return holders;
}

static json_t *cpus_json(hwloc_const_bitmap_t cpus)
{
	CLEANUP(text) char *text = machine_cpus_format(cpus);

	return out_text_or_null(*text == '\0' ? NULL : text);
}

static json_t *machine_json(const struct scene *scene)
{
	const struct machine *machine = scene->host->machine;
	json_t *nodes = json_array();

	for (size_t i = 0; i < machine->node_count; i++)
		json_array_append_new(nodes, node_json(scene, i));
	return json_pack(
		"{s:o, s:i, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "cpu_model",
		out_text_or_null(machine->cpu_model), "package_count", (int)machine->package_count,
		"core_count", (int)machine->core_count, "cpu_count", (int)machine->cpu_count,
		"gpu_count", (int)scene->host->gpus->count, "nodes", nodes, "offline_cpus",
		cpus_json(machine->offline_cpus), "isolated_cpus",
		cpus_json(machine->isolated_cpus), "pcie",
		pcie_json_tree(scene->pcie, scene->host, &scene->taken), "holders",
		holders_json(&scene->taken), "holders_unknown", out_text_or_null(scene->unknown));
}

static void read_host_cpus(struct scene *scene)
{
	const struct machine *machine = scene->host->machine;

	scene->host_cpus = hwloc_bitmap_alloc();
	for (size_t i = 0; i < machine->node_count; i++) {
		hwloc_bitmap_t own = place_host_cpus(machine, &scene->policy->rules, i);

		hwloc_bitmap_or(scene->host_cpus, scene->host_cpus, own);
		hwloc_bitmap_free(own);
	}
}

static int read_scene(const struct cli *cli, struct scene *scene, struct fail *fail)
{
	if (root_open(cli->root_directory, &scene->root, fail) < 0 ||
	    host_read(scene->root, &scene->host, fail) < 0 ||
	    policy_read(scene->root, NULL, scene->host->machine, &scene->policy, fail) < 0)
		return -1;
	scene->usage = holders_read(cli, scene->root, scene->host, &scene->unknown);
	scene->taken = usage_taken(scene->usage);
	scene->pcie = pcie_read(scene->root, scene->host->devices, scene->host->gpus);
	read_host_cpus(scene);
	return 0;
}

static int print_xml(const struct scene *scene, struct fail *fail)
{
	CLEANUP(text) char *xml = NULL;

	if (topology_xml(scene->root, scene->host, &scene->taken, scene->host_cpus, &xml, fail) < 0)
		return -1;
	out_line("%s", text_trim(xml));
	return 0;
}

int topo_run(const struct cli *cli, struct fail *fail)
{
	__attribute__((cleanup(scene_cleanup))) struct scene scene = { 0 };
	json_t *machine;

	if (read_scene(cli, &scene, fail) < 0)
		return -1;
	if (cli->xml && !cli->json)
		return print_xml(&scene, fail);
	machine = machine_json(&scene);
	if (cli->json) {
		out_json(machine);
		return 0;
	}
	topo_draw(machine);
	json_decref(machine);
	if (scene.unknown != NULL)
		out_note("Not known who holds what: %s", scene.unknown);
	return 0;
}
