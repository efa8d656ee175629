// SPDX-License-Identifier: MIT
#include "vmm/hook.h"

#include <stdlib.h>
#include <string.h>

#include "topo/device.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/record_text.h"

#define VETO  "gpuvm: veto " /* the program's name is printed by whoever prints the failure */
#define CAUSE "; cause: "
#define HINT  "; hint: "

bool hook_is_asked(char *const *args, size_t count)
{
	return count >= 3 && text_equal(args[1], "prepare") && text_equal(args[2], "begin");
}

static bool names(const struct guest *guest, const char *address)
{
	for (size_t i = 0; i < guest->hostdev_count; i++)
		if (text_equal(guest->hostdevs[i], address))
			return true;
	return false;
}

static bool names_any_of(const struct guest *guest, const struct gpu *gpu)
{
	for (size_t i = 0; i < gpu->member_count; i++)
		if (names(guest, gpu->members[i].device->address))
			return true;
	return names(guest, gpu->device->address);
}

static bool is_of(const struct gpu *gpu, const char *address)
{
	for (size_t i = 0; i < gpu->member_count; i++)
		if (text_equal(gpu->members[i].device->address, address))
			return true;
	return text_equal(gpu->device->address, address);
}

/* A claim without a readable UUID is somebody's all the same. */
static int check_claim(const struct guest *guest, const struct lease_record *start,
		       const char *address, struct fail *fail)
{
	if (start->uuid != NULL && text_equal(start->uuid, guest->uuid))
		return 0;
	fail_add(fail, FAIL_BUSY, "%s is being taken by another start", address);
	fail_cause(fail, "gpuvm start of VM \"%s\" by %s (pid %d)",
		   start->name == NULL ? "?" : start->name,
		   start->user == NULL ? "somebody" : start->user, (int)start->pid);
	return fail_hint(fail, "gpuvm list");
}

static int check_claims(const struct guest *guest, const struct gpu *gpu,
			const struct lease_records *starts, struct fail *fail)
{
	for (size_t i = 0; i < starts->count; i++)
		for (size_t j = 0; j < starts->records[i].gpu_count; j++)
			if (text_equal(starts->records[i].gpus[j], gpu->device->address) &&
			    check_claim(guest, &starts->records[i], gpu->device->address, fail) < 0)
				return -1;
	return 0;
}

/*
 * Whether the domain of a hold's UUID is still defined cannot be asked here, so a hold counts until the next
 * gpuvm command finds out.
 */
static int check_records(const struct guest *guest, const struct gpu *gpu,
			 const struct record_list *records, struct fail *fail)
{
	for (size_t i = 0; i < records->count; i++) {
		const struct record *record = &records->records[i];
		CLEANUP(text) char *words = NULL;
		CLEANUP(text) char *remedy = NULL;

		if (!is_of(gpu, record->address) ||
		    (record->kind == RECORD_HELD && record->problem == NULL &&
		     text_equal(record->uuid, guest->uuid)))
			continue;
		words = record_text_words(record);
		remedy = record_text_remedy(record);
		fail_add(fail, FAIL_BUSY, "%s %s", record->address, words);
		fail_cause(fail, "gpuvm keeps a record of it: " RECORD_DIRECTORY "/%s/%s",
			   record_kind_name(record->kind), record->address);
		return fail_hint(fail, "%s", remedy);
	}
	return 0;
}

/* A start looked at it, but days may lie between, and virsh does not look. Others' domains mean what they say. */
static int check_idle(const struct guest *guest, const struct gpu_member *member, struct fail *fail)
{
	const struct device *device = member->device;

	if (!guest->is_ours || member->role != GPU_MEMBER_IN_USE || !names(guest, device->address))
		return 0;
	fail_add(fail, FAIL_HOST, "the host uses %s, which the VM takes with its GPU",
		 device->address);
	fail_cause(fail, "it is on driver %s%s%s", device->driver,
		   device->use == NULL ? "" : " as ", device->use == NULL ? "" : device->use);
	return fail_hint(fail, "free it, or choose another GPU: gpuvm gpus");
}

static int check_group(const struct guest *guest, const struct gpu *gpu, struct fail *fail)
{
	for (size_t i = 0; i < gpu->member_count; i++) {
		const struct device *device = gpu->members[i].device;

		if (check_idle(guest, &gpu->members[i], fail) < 0)
			return -1;
		if (names(guest, device->address) || !gpu_member_blocks_group(&gpu->members[i]))
			continue;
		fail_add(fail, FAIL_HOST,
			 "%s cannot be given away: its IOMMU group %d is not viable",
			 gpu->device->address, gpu->device->iommu_group);
		fail_cause(fail, "%s of that group stays on the host's driver %s", device->address,
			   device->driver);
		if (device->is_bridge)
			return fail_hint(fail, "echo %s | sudo tee /sys/bus/pci/drivers/%s/unbind",
					 device->address, device->driver);
		return fail_hint(fail,
				 "give the domain %s too, or: sudo driverctl set-override %s "
				 "vfio-pci",
				 device->address, device->address);
	}
	return 0;
}

static int check_holders(const struct guest *guest, const struct gpu *gpu,
			 const struct holder_list *holders, struct fail *fail)
{
	for (size_t i = 0; i < holders->count; i++) {
		const struct holder *holder = &holders->holders[i];

		if (holder->kind == HOLDER_CONSOLE || !is_of(gpu, holder->address) ||
		    (holder->kind != HOLDER_VFIO && !names(guest, holder->address)))
			continue;
		return holder_refuse(holder, fail);
	}
	return 0;
}

int hook_judge(const struct guest *guest, const struct hook_view *view, struct fail *fail)
{
	for (size_t i = 0; i < view->gpus->count; i++) {
		const struct gpu *gpu = &view->gpus->gpus[i];

		if (names_any_of(guest, gpu) &&
		    (check_claims(guest, gpu, view->starts, fail) < 0 ||
		     check_records(guest, gpu, view->records, fail) < 0 ||
		     check_group(guest, gpu, fail) < 0 ||
		     check_holders(guest, gpu, view->holders, fail) < 0))
			return -1;
	}
	return 0;
}

static struct holder_list *read_holders(const struct root *root, const struct guest *guest,
					const struct gpu_list *gpus)
{
	const struct gpu **named = mem_alloc(gpus->count, sizeof *named);
	struct holder_list *holders;
	size_t count = 0;

	for (size_t i = 0; i < gpus->count; i++)
		if (names_any_of(guest, &gpus->gpus[i]))
			named[count++] = &gpus->gpus[i];
	holders = holder_list_read(root, named, count);
	free(named);
	return holders;
}

int hook_check(const struct root *root, const char *lease_directory, const char *xml,
	       struct fail *fail)
{
	CLEANUP(guest) struct guest *guest = NULL;
	CLEANUP(device_list) struct device_list *devices = NULL;
	CLEANUP(gpu_list) struct gpu_list *gpus = NULL;
	CLEANUP(lease_records) struct lease_records *starts = NULL;
	CLEANUP(holder_list) struct holder_list *holders = NULL;
	CLEANUP(record_list) struct record_list *records = NULL;

	if (!guest_may_have_hostdevs(xml))
		return 0;
	if (guest_parse(xml, &guest, fail) < 0)
		return -1;
	if (guest->hostdev_count == 0)
		return 0;
	if (device_list_read(root, &devices, fail) < 0)
		return -1;
	gpus = gpu_list_build(devices);
	starts = lease_scan(lease_directory);
	records = record_scan(root);
	holders = read_holders(root, guest, gpus);
	return hook_judge(
		guest,
		&(struct hook_view){
			.gpus = gpus, .starts = starts, .holders = holders, .records = records },
		fail);
}

char *hook_veto(const struct fail *fail)
{
	const struct fail_item *item = &fail->items[0];
	char *text = text_format("veto %s: %s", fail_kind_row(fail->kind)->name, item->what);

	if (item->cause != NULL)
		text_add(&text, CAUSE "%s", item->cause);
	if (item->hint != NULL)
		text_add(&text, HINT "%s", item->hint);
	/* A domain's XML is quoted in some: the mark must be only where this line begins. */
	for (char *at = text; (at = strstr(at, VETO)) != NULL;)
		at[strcspn(at, ":")] = ' ';
	return text;
}

/* The part of *@rest up to @separator, which is passed; all of it if there is none. */
static char *part(char **rest, const char *separator)
{
	char *begin = *rest;
	char *end = strstr(begin, separator);

	*rest = end == NULL ? NULL : end + strlen(separator);
	if (end != NULL)
		*end = '\0';
	return begin;
}

static bool read_kind(const char *name, enum fail_kind *ret_kind)
{
	for (int kind = FAIL_FAIL; kind < FAIL_KINDS; kind++) {
		*ret_kind = (enum fail_kind)kind;
		if (text_equal(fail_kind_row(*ret_kind)->name, name))
			return true;
	}
	return false;
}

/* The last one: a domain's name, which libvirt shows before it, may hold anything. */
bool hook_read_veto(const char *text, struct fail *fail)
{
	CLEANUP(text) char *line = NULL;
	CLEANUP(text) char *copy = NULL;
	const char *veto = NULL;
	char *rest, *name, *head, *what, *hint;
	enum fail_kind kind;

	for (const char *at = text; (at = strstr(at, VETO)) != NULL; at++)
		veto = at;
	if (veto == NULL)
		return false;
	line = mem_strndup(veto + strlen(VETO), strcspn(veto + strlen(VETO), "\n"));
	copy = text_printable(line, 0);
	rest = copy;
	name = part(&rest, ": ");
	if (rest == NULL || !read_kind(name, &kind))
		return false;
	head = part(&rest, HINT);
	hint = rest;
	rest = head;
	what = part(&rest, CAUSE);
	fail_add(fail, kind, "%s", what);
	if (rest != NULL)
		fail_cause(fail, "%s", rest);
	if (hint != NULL)
		fail_hint(fail, "%s", hint);
	return true;
}
