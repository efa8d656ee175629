// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "topo/host.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/given_back.h"
#include "vmm/cli/out.h"
#include "vmm/cli/records.h"
#include "vmm/cli/vm.h"
#include "vmm/held.h"
#include "vmm/usage.h"

static char *cell_name(const json_t *row)
{
	return out_cell(row, "name");
}

static char *cell_state(const json_t *row)
{
	return out_cell(row, "state");
}

static char *cell_owner(const json_t *row)
{
	return out_cell(row, "user");
}

static char *cell_vcpus(const json_t *row)
{
	return out_cell(row, "vcpus");
}

static char *cell_memory(const json_t *row)
{
	const json_t *bytes = json_object_get(row, "memory_bytes");

	return json_is_integer(bytes) ? size_format((uint64_t)json_integer_value(bytes))
				      : mem_strdup("-");
}

static char *cell_gpus(const json_t *row)
{
	char *text = NULL;
	size_t i;
	const json_t *gpu;

	json_array_foreach(json_object_get(row, "gpus"), i, gpu)
		text_join(&text, " ", json_string_value(gpu));
	return text == NULL ? mem_strdup("-") : text;
}

static char *cell_notes(const json_t *row)
{
	char *text = NULL;
	size_t i;
	const json_t *note;

	json_array_foreach(json_object_get(row, "notes"), i, note)
		text_join(&text, "; ", json_string_value(note));
	return text == NULL ? mem_strdup("") : text;
}

static const struct out_column columns[] = {
	{ "NAME", cell_name },   { "STATE", cell_state },   { "OWNER", cell_owner },
	{ "VCPUS", cell_vcpus }, { "MEMORY", cell_memory }, { "GPUS", cell_gpus },
	{ "NOTES", cell_notes },
};

static json_t *start_json(const struct lease_record *start)
{
	json_t *gpus = json_array();

	for (size_t i = 0; i < start->gpu_count; i++)
		json_array_append_new(gpus, json_string(start->gpus[i]));
	return json_pack("{s:o, s:s, s:o, s:n, s:n, s:o, s:b, s:b, s:[], s:n, s:n}", "name",
			 out_text_or_null(start->name), "state", "starting", "user",
			 out_text_or_null(start->user), "vcpus", "memory_bytes", "gpus", gpus,
			 "spec_changed", false, "definition_edited", false, "notes", "address",
			 "address_source");
}

static json_t *rows_of(const struct usage *usage, const struct vm_view *view)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < usage->vm_count; i++)
		if (usage->vms[i].guest->is_ours)
			json_array_append_new(rows, vm_json(view, &usage->vms[i]));
	/* A start under way shows here until libvirt has its VM. */
	for (size_t i = 0; i < usage->starts->count; i++) {
		const struct lease_record *start = &usage->starts->records[i];
		const struct usage_vm *vm = start->name == NULL ? NULL
								: usage_vm(usage, start->name);

		if (vm == NULL || !vm->guest->is_ours)
			json_array_append_new(rows, start_json(start));
	}
	return rows;
}

int list_run(const struct cli *cli, struct fail *fail)
{
	CLEANUP(root) struct root *root = NULL;
	CLEANUP(host) struct host *host = NULL;
	CLEANUP(hv) struct hv *hv = NULL;
	CLEANUP(usage) struct usage *usage = NULL;
	CLEANUP(aftermath) struct aftermath *aftermath = NULL;
	CLEANUP(held_lines) struct held_lines taken_over = { 0 };
	json_t *rows;

	if (hv_open(cli->uri == NULL ? HV_URI_DEFAULT : cli->uri, HV_READ, &hv, fail) < 0 ||
	    root_open(NULL, &root, fail) < 0)
		return -1;
	held_take_over(root, hv, NULL, &taken_over);
	records_print_lines(&taken_over);
	if (host_read(root, &host, fail) < 0 ||
	    usage_read(hv, root, NULL, host->machine, NULL, &usage, fail) < 0)
		return -1;
	hv_domains_mark(hv, usage->domains);
	aftermath = given_back_read(cli, root, usage);
	rows = rows_of(usage, &(struct vm_view){ .hv = hv,
						 .uri = cli->uri,
						 .host = host,
						 .records = usage->records });
	if (cli->json) {
		out_json(json_pack("{s:o, s:o, s:o}", "vms", rows, "records",
				   records_json(usage->records, NULL), "given_back",
				   given_back_json(aftermath)));
		return 0;
	}
	if (json_array_size(rows) == 0)
		out_line("No VMs yet. Start one from its file: gpuvm start FILE.ini");
	else
		out_table(columns, sizeof columns / sizeof *columns, rows);
	records_print_closed(usage->records);
	given_back_print(aftermath);
	json_decref(rows);
	return 0;
}
