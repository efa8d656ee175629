// SPDX-License-Identifier: MIT
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "topo/process.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/verify_internal.h"

#define PID_FILE "/run/libvirt/qemu/%s.pid" /* libvirt, qemu_process.c, virPidFileBuildPath */

/* Pids are used again: it is the VM's only if it was called with its UUID, as libvirt calls each QEMU. */
static bool is_its_qemu(const struct root *root, pid_t pid, const char *uuid)
{
	return process_has_option(root, pid, "-uuid", uuid);
}

static pid_t from_file(const struct root *root, const char *name, const char *uuid)
{
	CLEANUP(text) char *text = NULL;
	unsigned long long pid;

	if (strchr(name, '/') != NULL)
		return 0;
	text = root_text(root, PID_FILE, name);
	if (text == NULL || !text_number(text, &pid) || pid == 0 || pid > INT_MAX)
		return 0;
	return is_its_qemu(root, (pid_t)pid, uuid) ? (pid_t)pid : 0;
}

static pid_t from_processes(const struct root *root, const char *uuid)
{
	CLEANUP(process_list) struct process_list *list = process_list_read(root);

	for (size_t i = 0; i < list->count; i++)
		if (text_starts(list->processes[i].name, "qemu") &&
		    is_its_qemu(root, list->processes[i].pid, uuid))
			return list->processes[i].pid;
	return 0;
}

static void read_process(const struct root *root, struct verify_evidence *evidence)
{
	evidence->pid = from_file(root, evidence->name, evidence->uuid);
	if (evidence->pid != 0) {
		evidence->pid_source = text_format(PID_FILE, evidence->name);
	} else {
		evidence->pid = from_processes(root, evidence->uuid);
		evidence->pid_source = mem_strdup("the command lines of processes");
	}
	evidence->threads = evidence->pid == 0 ? mem_alloc(1, sizeof *evidence->threads)
					       : thread_list_read(root, evidence->pid);
	errno = ESRCH;
	if (evidence->pid != 0)
		evidence->maps = numa_maps_read(root, evidence->pid);
	if (evidence->maps == NULL)
		evidence->maps_problem = text_format(
			"%s", evidence->pid == 0 ? "its QEMU was not found" : strerror(errno));
}

static bool has_function(const struct verify_evidence *evidence, const char *address)
{
	for (size_t i = 0; i < evidence->function_count; i++)
		if (text_equal(evidence->functions[i].address, address))
			return true;
	return false;
}

static struct verify_function *add_function(const struct root *root, const char *address,
					    struct verify_evidence *evidence)
{
	struct verify_function *function = MEM_APPEND(evidence->functions,
						      evidence->function_count);

	memcpy(function->address, address, strlen(address) + 1);
	function->device = device_find(evidence->host->devices, address);
	if (function->device != NULL)
		function->health = health_read(root, address);
	return function;
}

static void add_given(const struct root *root, const char *address,
		      struct verify_evidence *evidence)
{
	struct verify_function *function;
	const struct gpu *gpu = gpu_find(evidence->host->gpus, address);

	if (has_function(evidence, address))
		return;
	function = add_function(root, address, evidence);
	function->hostdev = guest_plan_hostdev(evidence->plan, address);
	if (gpu != NULL && text_equal(gpu->device->address, address))
		function->gpu = gpu;
}

/* A port may be above several GPUs. */
static void add_port(const struct root *root, const struct gpu *gpu,
		     struct verify_evidence *evidence)
{
	const char *parent = gpu->device->parent;

	if (*parent != '\0' && !has_function(evidence, parent))
		add_function(root, parent, evidence)->is_port = true;
}

/* What gpuvm recorded; what is there besides, or in its place if the record is damaged, the domain has too. */
static void read_functions(const struct root *root, struct verify_evidence *evidence)
{
	size_t given;

	for (size_t i = 0; i < evidence->guest->function_count; i++)
		add_given(root, evidence->guest->functions[i].address, evidence);
	for (size_t i = 0; i < evidence->plan->hostdev_count; i++)
		add_given(root, evidence->plan->hostdevs[i].address, evidence);
	given = evidence->function_count;
	for (size_t i = 0; i < given; i++)
		if (evidence->functions[i].gpu != NULL)
			add_port(root, evidence->functions[i].gpu, evidence);
}

static struct holder_list *read_holders(const struct root *root,
					const struct verify_evidence *evidence)
{
	const struct gpu **gpus = NULL;
	size_t count = 0;
	struct holder_list *list;

	for (size_t i = 0; i < evidence->function_count; i++)
		if (evidence->functions[i].gpu != NULL)
			*MEM_APPEND(gpus, count) = evidence->functions[i].gpu;
	list = holder_list_read(root, gpus, count);
	free(gpus);
	return list;
}

struct verify_evidence *verify_evidence_read(const struct root *root, struct host *host,
					     struct guest *guest, const char *xml)
{
	struct verify_evidence *evidence = mem_alloc(1, sizeof *evidence);

	evidence->host = host;
	evidence->guest = guest;
	evidence->name = text_printable(guest->name, 0);
	evidence->uuid = mem_strdup(guest->uuid == NULL ? "?" : guest->uuid);
	evidence->plan = guest_plan_read(xml);
	evidence->pcie = pcie_read(root, host->devices, host->gpus);
	read_process(root, evidence);
	read_functions(root, evidence);
	evidence->holders = read_holders(root, evidence);
	return evidence;
}

void verify_evidence_free(struct verify_evidence *evidence)
{
	if (evidence == NULL)
		return;
	for (size_t i = 0; i < evidence->function_count; i++)
		health_free(evidence->functions[i].health);
	for (size_t i = 0; i < evidence->affinity.count; i++)
		hwloc_bitmap_free(evidence->affinity.vcpus[i]);
	free(evidence->affinity.vcpus);
	free(evidence->functions);
	holder_list_free(evidence->holders);
	thread_list_free(evidence->threads);
	numa_maps_free(evidence->maps);
	free(evidence->maps_problem);
	verify_guest_free(evidence->inside);
	verify_drivers_free(evidence->drivers);
	free(evidence->inside_problem);
	free(evidence->inside_hint);
	free(evidence->drivers_problem);
	free(evidence->drivers_hint);
	free(evidence->pid_source);
	pcie_free(evidence->pcie);
	guest_plan_free(evidence->plan);
	guest_free(evidence->definition);
	guest_free(evidence->guest);
	host_free(evidence->host);
	free(evidence->name);
	free(evidence->uuid);
	free(evidence);
}
