/* SPDX-License-Identifier: MIT */
/* Finding holders; for the holder*.c files only. */
#ifndef GPUVM_TOPO_HOLDER_INTERNAL_H
#define GPUVM_TOPO_HOLDER_INTERNAL_H

#include <stdbool.h>

#include "topo/holder.h"

/* A device node through which a process can have a function. */
struct holder_node {
	const struct device *device; /* borrowed */
	enum holder_kind kind;       /* HOLDER_VFIO or HOLDER_PROCESS */
	char *path;                  /* "/dev/dri/card1"; "/dev/nvidia": any of NVIDIA's GPUs */
	bool has_number;
	dev_t number;
	bool is_any_nvidia; /* which of them is not known */
};

struct holder_nodes {
	struct holder_node *nodes; /* those of one function next to each other, VFIO's first */
	size_t count;
};

/* Adds the nodes of @device, and with @with_group those of its IOMMU group. */
void holder_nodes_add(const struct root *root, const struct device *device, bool with_group,
		      struct holder_nodes *nodes);
void holder_nodes_done(struct holder_nodes *nodes);

/* Whether @node is what an open file's link, or a mapping's path, names; @number NULL: not known. */
bool holder_node_is(const struct holder_node *node, const char *path, const dev_t *number);

/* Adds the processes that have one of @nodes. */
void holder_processes_add(const struct root *root, const struct holder_nodes *nodes,
			  struct holder_list *list);

/* Adds a holder of @address without process. Takes the texts. */
struct holder *holder_add(struct holder_list *list, const char *address, enum holder_kind kind,
			  char *who, char *what, char *remedy);

#endif
