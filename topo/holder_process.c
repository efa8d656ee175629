// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "topo/holder_internal.h"
#include "topo/process.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define DELETED             " (deleted)"
#define PERSISTENCED        "nvidia-persistenced"
#define PERSISTENCED_SOCKET "/run/nvidia-persistenced/socket"

/* How one process has one node. */
struct hit {
	bool is_open, is_mapped;
};

/* What frees a GPU from a program that should not simply be killed; %s: the function. */
static const struct {
	const char *program, *remedy;
} remedies[] = {
	{ PERSISTENCED, "sudo systemctl stop nvidia-persistenced" },
	{ "nv-hostengine", "sudo systemctl stop nvidia-dcgm" },
	{ "systemd-logind", "end the graphical session: sudo systemctl isolate multi-user.target" },
	{ "Xorg", "end the graphical session: sudo systemctl isolate multi-user.target" },
	{ "gnome-shell", "end the graphical session: sudo systemctl isolate multi-user.target" },
	{ "kwin_wayland", "end the graphical session: sudo systemctl isolate multi-user.target" },
	{ "pipewire", "keep the desktop's sound off it: sudo driverctl set-override %s vfio-pci" },
	{ "wireplumber",
	  "keep the desktop's sound off it: sudo driverctl set-override %s vfio-pci" },
	{ "pulseaudio",
	  "keep the desktop's sound off it: sudo driverctl set-override %s vfio-pci" },
};

/* The kernel cuts names after 15 bytes. */
static bool is_program(const struct process *process, const char *program)
{
	return strncmp(process->name, program, 15) == 0 && strlen(process->name) <= 15;
}

static char *remedy_of(const struct process *process, const char *address)
{
	for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++) {
		const char *place = strstr(remedies[i].remedy, "%s");

		if (!is_program(process, remedies[i].program))
			continue;
		if (place == NULL)
			return mem_strdup(remedies[i].remedy);
		return text_format("%.*s%s%s", (int)(place - remedies[i].remedy),
				   remedies[i].remedy, address, place + 2);
	}
	if (text_starts(process->name, "qemu"))
		return text_format("shut that VM down; its command line: ps -ww %d",
				   (int)process->pid);
	return text_format("end it: sudo kill %d", (int)process->pid);
}

static void add_holder(const struct process *process, const struct holder_node *node,
		       enum holder_kind kind, char *what, struct holder_list *list)
{
	struct holder *holder = holder_add(
		list, node->device->address, kind,
		text_format("process %d (%s)", (int)process->pid, process->name), what,
		remedy_of(process, node->device->address));

	holder->pid = process->pid;
	holder->program = mem_strdup(process->name);
}

/* "has A, B open", "has A mapped", "has A open and B mapped". */
static char *what_it_has(const struct holder_node *nodes, const struct hit *hits, size_t count)
{
	CLEANUP(text) char *opened = NULL;
	CLEANUP(text) char *mapped = NULL;
	char *what = NULL;

	for (size_t i = 0; i < count; i++)
		if (hits[i].is_open)
			text_join(&opened, ", ", nodes[i].path);
		else if (hits[i].is_mapped)
			text_join(&mapped, ", ", nodes[i].path);
	if (opened != NULL)
		text_add(&what, "has %s open", opened);
	if (mapped != NULL)
		text_add(&what, "%s %s mapped", what == NULL ? "has" : " and", mapped);
	return what;
}

/* One holder for all nodes of one kind of one function. */
static void add_hits(const struct process *process, const struct holder_nodes *nodes,
		     const struct hit *hits, struct holder_list *list)
{
	for (size_t first = 0, end; first < nodes->count; first = end) {
		const struct holder_node *node = &nodes->nodes[first];
		char *what;

		for (end = first + 1;
		     end < nodes->count && nodes->nodes[end].device == node->device &&
		     nodes->nodes[end].kind == node->kind;
		     end++)
			;
		what = what_it_has(node, hits + first, end - first);
		if (what != NULL)
			add_holder(process, node, node->kind, what, list);
	}
}

/* A link of /proc leads out of its "dev" if the file was opened in another root. */
static const char *path_in_dev(char *path)
{
	char *deleted = strstr(path, DELETED);
	char *dev = strstr(path, "/dev/");

	if (deleted != NULL && strlen(deleted) == strlen(DELETED))
		*deleted = '\0';
	return dev;
}

/* False if the caller may not see the files of the process. */
static bool look_at_files(const struct root *root, const struct process *process,
			  const struct holder_nodes *nodes, struct hit *hits)
{
	CLEANUP(root_names) char **names = root_names(root, "/proc/%d/fd", (int)process->pid);

	if (errno == EACCES || errno == EPERM)
		return false;
	for (char **name = names; *name != NULL; name++) {
		CLEANUP(text)
		char *link = root_link(root, "/proc/%d/fd/%s", (int)process->pid, *name);
		const char *path = link == NULL ? NULL : path_in_dev(link);
		dev_t number;
		bool known;

		/* Only what may be a node is asked for its number: a file on a dead server would hang. */
		if (path == NULL)
			continue;
		known = root_character_device(root, &number, "/proc/%d/fd/%s", (int)process->pid,
					      *name);
		for (size_t i = 0; i < nodes->count; i++)
			if (holder_node_is(&nodes->nodes[i], path, known ? &number : NULL))
				hits[i].is_open = true;
	}
	return true;
}

/* Mappings outlive the open file. They are told by path: their device column is that of the file system. */
static void look_at_mappings(const struct root *root, const struct process *process,
			     const struct holder_nodes *nodes, struct hit *hits)
{
	CLEANUP(text) char *maps = root_bytes(root, NULL, "/proc/%d/maps", (int)process->pid);
	char *end;

	for (char *rest = maps; rest != NULL; rest = end == NULL ? NULL : end + 1) {
		char *path = strstr(rest, "/dev/");

		if (path == NULL)
			return;
		end = strchr(path, '\n');
		if (end != NULL)
			*end = '\0';
		for (size_t i = 0; i < nodes->count; i++)
			if (holder_node_is(&nodes->nodes[i], path_in_dev(path), NULL))
				hits[i].is_mapped = true;
	}
}

/* All that another user can see of it: its name, and its socket, which only root can make. */
static void add_persistenced(const struct root *root, const struct process *process,
			     const struct holder_nodes *nodes, struct holder_list *list)
{
	const struct device *last = NULL;

	if (!is_program(process, PERSISTENCED) || !root_exists(root, PERSISTENCED_SOCKET))
		return;
	for (size_t i = 0; i < nodes->count; i++) {
		const struct device *device = nodes->nodes[i].device;

		if (device == last || !text_equal(device->driver, "nvidia"))
			continue;
		last = device;
		add_holder(process, &nodes->nodes[i], HOLDER_PERSISTENCED,
			   mem_strdup("keeps NVIDIA's driver ready on it"), list);
	}
}

static bool has_mappable(const struct holder_nodes *nodes)
{
	for (size_t i = 0; i < nodes->count; i++)
		if (nodes->nodes[i].kind != HOLDER_VFIO)
			return true;
	return false;
}

void holder_processes_add(const struct root *root, const struct holder_nodes *nodes,
			  struct holder_list *list)
{
	CLEANUP(process_list) struct process_list *processes = process_list_read(root);
	bool with_mappings = has_mappable(nodes);

	for (size_t i = 0; i < processes->count; i++) {
		const struct process *process = &processes->processes[i];
		struct hit *hits;

		if (root->live && process->pid == getpid())
			continue;
		hits = mem_alloc(nodes->count, sizeof *hits);
		if (look_at_files(root, process, nodes, hits)) {
			if (with_mappings)
				look_at_mappings(root, process, nodes, hits);
			add_hits(process, nodes, hits, list);
		} else {
			list->not_checked++;
			add_persistenced(root, process, nodes, list);
		}
		free(hits);
	}
}
