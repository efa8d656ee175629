// SPDX-License-Identifier: MIT
#include "vmm/cli/pcie_json.h"

#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/out.h"

const char *pcie_json_state(const struct gpu *gpu, const struct place_taken *taken)
{
	const struct place_taken_gpu *entry = place_gpu_taken(gpu, taken);

	if (entry != NULL)
		return entry->word == NULL ? "held" : entry->word;
	return gpu->offer != GPU_OFFERED ? "not offered" : "free";
}

const char *pcie_json_holder(const struct gpu *gpu, const struct place_taken *taken)
{
	const struct place_taken_gpu *entry = place_gpu_taken(gpu, taken);

	return entry == NULL || entry->word != NULL ? NULL : entry->holder;
}

static json_t *speed(unsigned mts)
{
	return mts == 0 ? json_null() : json_real(mts / 1000.0);
}

static json_t *width(unsigned lanes)
{
	return lanes == 0 ? json_null() : json_integer(lanes);
}

json_t *pcie_json_link(const struct pcie_node *node)
{
	struct pcie_link link = node == NULL ? (struct pcie_link){ 0 } : node->link;

	return json_pack("{s:o, s:o, s:o, s:o}", "speed_gts", speed(link.speed_mts), "width",
			 width(link.width), "max_speed_gts", speed(link.max_speed_mts), "max_width",
			 width(link.max_width));
}

json_t *pcie_json_path(const struct pcie *pcie, const struct pcie_node *node)
{
	json_t *path = json_array();

	while (node != NULL && node->role != PCIE_ROOT_BUS) {
		node = &pcie->nodes[node->parent];
		json_array_insert_new(path, 0,
				      json_pack("{s:s, s:s}", "name", node->name, "role",
						pcie_role_name(node->role)));
	}
	return path;
}

static json_t *gpu_json(const struct pcie_node *node, const struct place_taken *taken)
{
	return json_pack("{s:s, s:o, s:i}", "state", pcie_json_state(node->gpu, taken), "holder",
			 out_text_or_null(pcie_json_holder(node->gpu, taken)), "virtual_functions",
			 (int)node->virtual_function_count);
}

/* What pci.ids calls it, or its numbers. */
static json_t *device_json(const struct device *device)
{
	CLEANUP(text) char *name = device == NULL ? NULL : device_device_name(device);

	if (device != NULL && name == NULL)
		name = text_format("%04x:%04x", device->vendor_id, device->device_id);
	return out_text_or_null(name);
}

static json_t *node_json(const struct pcie_node *node, const struct host *host,
			 const struct place_taken *taken)
{
	int numa_node = node->gpu != NULL      ? host_gpu_node(host, node->gpu)
			: node->device != NULL ? node->device->numa_node
					       : -1;

	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:[]}", "name", node->name, "role",
			 pcie_role_name(node->role), "device", device_json(node->device),
			 "numa_node", out_number_or_null(numa_node), "link", pcie_json_link(node),
			 "gpu", node->gpu == NULL ? json_null() : gpu_json(node, taken),
			 "children");
}

json_t *pcie_json_tree(const struct pcie *pcie, const struct host *host,
		       const struct place_taken *taken)
{
	json_t **nodes = mem_alloc(pcie->count, sizeof *nodes);
	size_t *roots = mem_alloc(pcie->count, sizeof *roots);
	json_t *tree = json_array();

	for (size_t i = 0; i < pcie->count; i++) {
		const struct pcie_node *node = &pcie->nodes[i];

		nodes[i] = node_json(node, host, taken);
		roots[i] = node->role == PCIE_ROOT_BUS ? i : roots[node->parent];
		json_array_append_new(node->role == PCIE_ROOT_BUS
					      ? tree
					      : json_object_get(nodes[node->parent], "children"),
				      nodes[i]);
		/* A root bus is near what its first end is near. */
		if (node->role >= PCIE_GPU &&
		    json_is_null(json_object_get(nodes[roots[i]], "numa_node")))
			json_object_set(nodes[roots[i]], "numa_node",
					json_object_get(nodes[i], "numa_node"));
	}
	free(nodes);
	free(roots);
	return tree;
}
