// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "topo/host.h"
#include "vmm/absent.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/given_back.h"
#include "vmm/cli/out.h"
#include "vmm/cli/vm.h"
#include "vmm/pending.h"
#include "vmm/usage.h"

static json_t *functions_json(const struct usage_vm *vm, const struct host *host)
{
	json_t *functions = json_array();

	for (size_t i = 0; i < vm->guest->hostdev_count; i++) {
		const char *address = vm->guest->hostdevs[i];
		const struct device *device = device_find(host->devices, address);
		CLEANUP(text) char *title = device == NULL ? NULL : device_title(device);

		json_array_append_new(
			functions,
			json_pack("{s:s, s:o, s:o, s:o}", "address", address, "name",
				  out_text_or_null(title), "driver",
				  out_text_or_null(device == NULL ? NULL : device->driver),
				  "numa_node",
				  out_number_or_null(device == NULL ? -1 : device->numa_node)));
	}
	return functions;
}

/* What it writes to: bases and seeds are what those were made of. */
static json_t *disks_json(const struct guest *guest)
{
	json_t *disks = json_array();

	for (size_t i = 0; i < guest->disk_count; i++) {
		const struct guest_disk *disk = &guest->disks[i];

		if (disk->is_written)
			json_array_append_new(disks,
					      json_pack("{s:o, s:o, s:o}", "path",
							out_text_or_null(disk->path), "pool",
							out_text_or_null(disk->pool), "volume",
							out_text_or_null(disk->volume)));
	}
	return disks;
}

static json_t *show_json(const struct vm_view *view, const struct usage_vm *vm)
{
	json_t *result = vm_json(view, vm);
	CLEANUP(text) char *cpus = machine_cpus_format(vm->guest->vcpu_cpus);
	CLEANUP(text) char *file = pending_file(vm->guest);
	CLEANUP(text) char *word = text_shell(vm->domain->name);
	CLEANUP(text) char *uri = view->uri == NULL ? NULL : text_shell(view->uri);
	CLEANUP(text)
	char *console = uri == NULL ? text_format("gpuvm console %s", word)
				    : text_format("gpuvm console --connect %s %s", uri, word);

	json_object_set_new(result, "uuid", out_text_or_null(vm->domain->uuid));
	json_object_set_new(result, "spec", out_text_or_null(file));
	json_object_set_new(result, "functions", functions_json(vm, view->host));
	json_object_set_new(result, "disks", disks_json(vm->guest));
	json_object_set_new(result, "vcpu_cpus", out_text_or_null(cpus));
	json_object_set_new(result, "console", out_text_or_null(console));
	json_object_set_new(result, "serial_log", out_text_or_null(vm->guest->serial_log));
	return result;
}

static void print_member(const json_t *vm, const char *label, const char *key)
{
	CLEANUP(text) char *cell = out_cell(vm, key);

	out_line("%-8s %s", label, cell);
}

static void print_disk(const char *label, const json_t *disk)
{
	CLEANUP(text) char *path = out_cell(disk, "path");
	CLEANUP(text) char *pool = out_cell(disk, "pool");
	CLEANUP(text) char *volume = out_cell(disk, "volume");

	if (json_is_null(json_object_get(disk, "path")))
		out_line("%-8s %s in pool %s", label, volume, pool);
	else
		out_line("%-8s %s", label, path);
}

static void print(const json_t *vm)
{
	CLEANUP(text)
	char *memory = size_format(
		(uint64_t)json_integer_value(json_object_get(vm, "memory_bytes")));
	size_t i;
	const json_t *item;

	print_member(vm, "Name", "name");
	print_member(vm, "State", "state");
	print_member(vm, "Owner", "user");
	print_member(vm, "UUID", "uuid");
	print_member(vm, "Spec", "spec");
	print_member(vm, "vCPUs", "vcpus");
	print_member(vm, "on CPUs", "vcpu_cpus");
	out_line("%-8s %s", "Memory", memory);
	json_array_foreach(json_object_get(vm, "functions"), i, item)
	{
		CLEANUP(text) char *address = out_cell(item, "address");
		CLEANUP(text) char *name = out_cell(item, "name");
		CLEANUP(text) char *driver = out_cell(item, "driver");
		CLEANUP(text) char *node = out_cell(item, "numa_node");

		out_line("%-8s %s  %s, node %s, driver %s", i == 0 ? "Devices" : "", address, name,
			 node, driver);
	}
	json_array_foreach(json_object_get(vm, "disks"), i, item)
		print_disk(i == 0 ? "Disks" : "", item);
	print_member(vm, "Address", "address");
	print_member(vm, "Console", "console");
	print_member(vm, "Log", "serial_log");
	json_array_foreach(json_object_get(vm, "notes"), i, item)
		out_line("%-8s %s", i == 0 ? "Notes" : "", json_string_value(item));
}

static int refuse_foreign(const struct usage_vm *vm, const struct hv *hv, struct fail *fail)
{
	CLEANUP(text) char *uri = text_shell(hv_uri(hv));
	CLEANUP(text) char *word = text_shell(vm->domain->name);

	fail_add(fail, FAIL_USAGE, "gpuvm has no VM named \"%s\"", vm->domain->name);
	fail_cause(fail, "a libvirt domain of that name exists that gpuvm did not make");
	return fail_hint(fail, "virsh -c %s dominfo -- %s", uri, word);
}

int show_run(const struct cli *cli, struct fail *fail)
{
	CLEANUP(root) struct root *root = NULL;
	CLEANUP(host) struct host *host = NULL;
	CLEANUP(hv) struct hv *hv = NULL;
	CLEANUP(usage) struct usage *usage = NULL;
	CLEANUP(aftermath) struct aftermath *aftermath = NULL;
	const struct usage_vm *vm;
	json_t *result;

	if (hv_open(cli->uri == NULL ? HV_URI_DEFAULT : cli->uri, HV_READ, &hv, fail) < 0 ||
	    root_open(NULL, &root, fail) < 0 || host_read(root, &host, fail) < 0 ||
	    usage_read(hv, root, NULL, host->machine, NULL, &usage, fail) < 0)
		return -1;
	hv_domains_mark(hv, usage->domains);
	vm = usage_vm(usage, cli->args[0]);
	if (vm == NULL)
		return absent_refuse(cli->args[0], "show", fail);
	if (!vm->guest->is_ours)
		return refuse_foreign(vm, hv, fail);
	aftermath = given_back_read(cli, root, usage);
	result = show_json(
		&(struct vm_view){
			.hv = hv, .uri = cli->uri, .host = host, .records = usage->records },
		vm);
	json_object_set_new(result, "given_back", given_back_json(aftermath));
	if (cli->json) {
		out_json(result);
		return 0;
	}
	print(result);
	given_back_print(aftermath);
	json_decref(result);
	return 0;
}
