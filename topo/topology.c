// SPDX-License-Identifier: MIT
#include "topo/topology.h"

#include <stdlib.h>

#include "vmm/base/mem.h"

/*
 * hwloc takes these from the environment alone. What a user has set for other programs must not change
 * which machine we see, and other components than linux would add this machine to a snapshot.
 */
static const struct variable {
	const char *name, *value; /* NULL: unset */
} variables[] = {
	{ "HWLOC_FSROOT", NULL },
	{ "HWLOC_COMPONENTS", "linux,stop" }, /* outdoes HWLOC_XMLFILE and HWLOC_SYNTHETIC too */
	{ "HWLOC_THISSYSTEM", NULL },
	{ "HWLOC_HIDE_ERRORS", "2" }, /* it prints what we report */
	{ "HWLOC_PCI_LOCALITY", NULL },
};
#define VARIABLES (sizeof variables / sizeof *variables)

static void put(const char *name, const char *value)
{
	if (value == NULL)
		unsetenv(name);
	else
		setenv(name, value, 1);
}

hwloc_topology_t topology_load(const struct root *root, bool with_all)
{
	CLEANUP(text) char *dir = root->live ? NULL : realpath(root->dir, NULL);
	CLEANUP(topology) hwloc_topology_t topology = NULL;
	char *before[VARIABLES];
	bool loaded;

	if ((!root->live && dir == NULL) || hwloc_topology_init(&topology) != 0)
		return NULL;
	for (size_t i = 0; i < VARIABLES; i++) {
		before[i] = mem_strdup(getenv(variables[i].name));
		put(variables[i].name, i == 0 ? dir : variables[i].value);
	}
	/* The cgroup of whoever asks is not the cgroup that runs the VM. */
	hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
	if (with_all) {
		hwloc_topology_set_io_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_ALL);
		hwloc_topology_set_type_filter(topology, HWLOC_OBJ_MISC,
					       HWLOC_TYPE_FILTER_KEEP_ALL);
	}
	loaded = hwloc_topology_load(topology) == 0;
	for (size_t i = 0; i < VARIABLES; i++) {
		put(variables[i].name, before[i]);
		free(before[i]);
	}
	return loaded ? STEAL(topology) : NULL;
}
