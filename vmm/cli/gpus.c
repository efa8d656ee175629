// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "topo/holder.h"
#include "topo/health.h"
#include "topo/host.h"
#include "topo/pcie.h"
#include "topo/safety.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/given_back.h"
#include "vmm/cli/holders.h"
#include "vmm/cli/out.h"
#include "vmm/cli/pcie_json.h"
#include "vmm/cli/records.h"
#include "vmm/quarantine.h"

static const char *role_name(enum gpu_member_role role)
{
	switch (role) {
	case GPU_MEMBER_FUNCTION:
		return "function";
	case GPU_MEMBER_HELD:
		return "held";
	case GPU_MEMBER_GPU:
		return "gpu";
	case GPU_MEMBER_GPU_FUNCTION:
		return "gpu_function";
	case GPU_MEMBER_BRIDGE:
		return "bridge";
	case GPU_MEMBER_IN_USE:
		return "in_use";
	}
	return "unknown";
}

static json_t *members_json(const struct gpu *gpu)
{
	json_t *members = json_array();

	for (size_t i = 0; i < gpu->member_count; i++) {
		const struct device *device = gpu->members[i].device;
		CLEANUP(text) char *title = device_title(device);

		if (device == gpu->device)
			continue;
		json_array_append_new(members,
				      json_pack("{s:s, s:o, s:s, s:o}", "address", device->address,
						"name", out_text_or_null(title), "role",
						role_name(gpu->members[i].role), "driver",
						out_text_or_null(device->driver)));
	}
	return members;
}

static json_t *bars_json(const struct device *device)
{
	json_t *bars = json_array();

	for (int i = 0; i < DEVICE_BARS; i++) {
		const struct device_bar *bar = &device->bars[i];

		if (bar->size_bytes == 0 || !bar->is_memory)
			continue;
		json_array_append_new(bars, json_pack("{s:i, s:I, s:b, s:b, s:b}", "bar", i,
						      "size_bytes", (json_int_t)bar->size_bytes,
						      "is_64bit", bar->is_64bit, "is_prefetchable",
						      bar->is_prefetchable, "is_assigned",
						      bar->address != 0));
	}
	return bars;
}

/* What gpus are looked at with. All borrowed. */
struct view {
	const struct root *root;
	const struct host *host;
	const struct pcie *pcie;
	const struct place_taken *taken;
	const struct record_list *records;
	const struct holder_list *users;
};

/* What speaks against giving @gpu away at all although it is offered, or NULL. The caller frees. */
static char *danger_of(const struct view *view, const struct gpu *gpu)
{
	CLEANUP(fail) struct fail fail = { 0 };

	if (gpu->offer != GPU_OFFERED ||
	    safety_check(view->root, view->host->devices, gpu, &fail) == 0)
		return NULL;
	return text_format("%s: %s", fail.items[0].what, fail.items[0].cause);
}

/* Why a free GPU does not answer, or NULL. Asking would wake one that sleeps. The caller frees. */
static char *silence_of(const struct view *view, const struct gpu *gpu)
{
	const char *address = gpu->device->address;
	CLEANUP(health) struct health *health = health_read(view->root, address);

	return text_equal(health->power_state, "D3cold") ? NULL
							 : quarantine_silence(view->root, address);
}

static json_t *gpu_json(const struct view *view, const struct gpu *gpu)
{
	const struct device *device = gpu->device;
	const struct pcie_node *node = pcie_node(view->pcie, gpu);
	const struct holder *user = gpu->offer == GPU_OFFERED ? holder_of(view->users, gpu) : NULL;
	const char *holder = pcie_json_holder(gpu, view->taken);
	bool is_in_use = user != NULL && place_gpu_taken(gpu, view->taken) == NULL;
	const char *state = is_in_use ? "in use" : pcie_json_state(gpu, view->taken);
	CLEANUP(text) char *title = device_title(device);
	CLEANUP(text) char *id = text_format("%04x:%04x", device->vendor_id, device->device_id);
	CLEANUP(text) char *danger = danger_of(view, gpu);
	CLEANUP(text)
	char *silence = text_equal(state, "free") ? silence_of(view, gpu) : NULL;

	if (is_in_use)
		holder = user->who;
	if (holder == NULL && danger != NULL)
		state = "unsafe";
	if (silence != NULL) {
		state = "silent";
		free(danger);
		danger = STEAL(silence);
	}
	return json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}",
			 "address", device->address, "name", out_text_or_null(title), "id", id,
			 "numa_node", out_number_or_null(host_gpu_node(view->host, gpu)),
			 "iommu_group", out_number_or_null(device->iommu_group), "group_members",
			 members_json(gpu), "driver", out_text_or_null(device->driver), "bars",
			 bars_json(device), "link", pcie_json_link(node), "path",
			 pcie_json_path(view->pcie, node), "state", state, "holder",
			 out_text_or_null(holder), "reason",
			 out_text_or_null(danger == NULL ? gpu->offer_reason : danger), "records",
			 records_json(view->records, device->address));
}

static char *cell_address(const json_t *row)
{
	return out_cell(row, "address");
}

static char *cell_name(const json_t *row)
{
	return out_cell(row, "name");
}

static char *cell_id(const json_t *row)
{
	return out_cell(row, "id");
}

static char *cell_node(const json_t *row)
{
	return out_cell(row, "numa_node");
}

static char *cell_group(const json_t *row)
{
	char *text = out_cell(row, "iommu_group");
	const char *before = " with ";
	size_t i;
	const json_t *member;

	json_array_foreach(json_object_get(row, "group_members"), i, member)
	{
		if (text_equal(json_string_value(json_object_get(member, "role")), "bridge"))
			continue;
		text_add(&text, "%s%s", before,
			 json_string_value(json_object_get(member, "address")));
		before = ", ";
	}
	return text;
}

static char *cell_driver(const json_t *row)
{
	return out_cell(row, "driver");
}

static char *cell_bars(const json_t *row)
{
	char *text = NULL;
	size_t i;
	const json_t *bar;

	json_array_foreach(json_object_get(row, "bars"), i, bar)
	{
		json_int_t bytes = json_integer_value(json_object_get(bar, "size_bytes"));
		CLEANUP(text) char *size = size_format((uint64_t)bytes);

		text_join(&text, " + ", size);
	}
	return text == NULL ? mem_strdup("-") : text;
}

/* The state says one thing, and of a hold all but since when; there may be more. */
static void add_records(char **state, const json_t *records)
{
	bool is_off = text_contains(*state, ", which is off");
	size_t i;
	const json_t *record;

	json_array_foreach(records, i, record)
	{
		CLEANUP(text) char *words = records_words(record);

		if (is_off && text_starts(words, "held"))
			continue;
		if (text_starts(words, *state)) {
			free(*state);
			*state = STEAL(words);
		} else {
			text_add(state, "; %s", words);
		}
	}
}

static char *cell_state(const json_t *row)
{
	const char *holder = json_string_value(json_object_get(row, "holder"));
	const char *reason = json_string_value(json_object_get(row, "reason"));
	char *state = out_cell(row, "state");

	if (holder != NULL)
		text_add(&state, " by %s", holder);
	else if (reason != NULL)
		text_add(&state, ": %s", reason);
	add_records(&state, json_object_get(row, "records"));
	return state;
}

static const struct out_column columns[] = {
	{ "ADDRESS", cell_address }, { "GPU", cell_name },    { "ID", cell_id },
	{ "NODE", cell_node },       { "GROUP", cell_group }, { "DRIVER", cell_driver },
	{ "BARS", cell_bars },       { "STATE", cell_state },
};

static bool is_on_host_driver(const struct host *host)
{
	for (size_t i = 0; i < host->gpus->count; i++) {
		const char *driver = host->gpus->gpus[i].device->driver;

		if (driver != NULL && !text_starts(driver, "vfio"))
			return true;
	}
	return false;
}

/* Who uses them beside libvirt's VMs. Other users' processes matter where a driver could be in use. */
static struct holder_list *read_users(const struct root *root, const struct host *host,
				      char **ret_unknown)
{
	size_t count = host->live ? host->gpus->count : 0;
	const struct gpu **gpus = mem_alloc(count, sizeof *gpus);
	struct holder_list *users;

	for (size_t i = 0; i < count; i++)
		gpus[i] = &host->gpus->gpus[i];
	users = holder_list_read(root, gpus, count);
	free(gpus);
	if (*ret_unknown == NULL && users->not_checked > 0 && is_on_host_driver(host))
		*ret_unknown = text_format("only root sees the files of %zu processes",
					   users->not_checked);
	return users;
}

static void print(const struct host *host, const json_t *rows, const char *unknown)
{
	if (json_array_size(rows) == 0)
		out_line("This host has no GPU (PCI class 03 or 12).");
	else
		out_table(columns, sizeof columns / sizeof *columns, rows);
	if (!host->has_iommu && host->gpus->count > 0)
		out_note("No GPU can be given to a VM: the IOMMU is off.\n  hint: %s",
			 host->iommu_hint);
	if (unknown != NULL)
		out_note("Not known who holds them: %s", unknown);
}

int gpus_run(const struct cli *cli, struct fail *fail)
{
	CLEANUP(root) struct root *root = NULL;
	CLEANUP(host) struct host *host = NULL;
	CLEANUP(usage) struct usage *usage = NULL;
	CLEANUP(pcie) struct pcie *pcie = NULL;
	CLEANUP(holder_list) struct holder_list *users = NULL;
	CLEANUP(aftermath) struct aftermath *aftermath = NULL;
	CLEANUP(text) char *unknown = NULL;
	struct place_taken taken;
	struct view view;
	json_t *rows;

	if (root_open(cli->root_directory, &root, fail) < 0 || host_read(root, &host, fail) < 0)
		return -1;
	usage = holders_read(cli, root, host, &unknown);
	pcie = pcie_read(root, host->devices, host->gpus);
	users = read_users(root, host, &unknown);
	taken = usage_taken(usage);
	aftermath = given_back_read(cli, root, usage);
	view = (struct view){ root, host, pcie, &taken, usage->records, users };
	rows = json_array();
	for (size_t i = 0; i < host->gpus->count; i++)
		json_array_append_new(rows, gpu_json(&view, &host->gpus->gpus[i]));
	if (cli->json) {
		out_json(json_pack("{s:o, s:b, s:o, s:o}", "gpus", rows, "has_iommu",
				   host->has_iommu, "holders_unknown", out_text_or_null(unknown),
				   "given_back", given_back_json(aftermath)));
		return 0;
	}
	print(host, rows, unknown);
	given_back_print(aftermath);
	json_decref(rows);
	return 0;
}
