// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"

/* What is wrong with a request on this host whatever is free: no search is needed to say so. */

static int refuse(const struct place_gpu_request *wanted, struct fail *fail)
{
	fail_hint(fail, "gpuvm gpus lists the GPUs of this host");
	return fail_at(fail, wanted->file, wanted->address_line);
}

static void check_missing(const struct host *host, const struct place_gpu_request *wanted,
			  const char *address, struct fail *fail)
{
	const struct device *device = device_find(host->devices, address);
	CLEANUP(text) char *title = device == NULL ? NULL : device_title(device);

	if (device == NULL) {
		fail_add(fail, FAIL_SPEC, "%s address = %s: not on this host", wanted->label,
			 address);
		fail_cause(fail, "none of its %zu PCI functions has this address",
			   host->devices->count);
	} else {
		fail_add(fail, FAIL_SPEC, "%s address = %s: not a GPU", wanted->label, address);
		fail_cause(fail, "it is %s, class %04x; a GPU has 03xx or 12xx", title,
			   device->class_id);
	}
	refuse(wanted, fail);
}

static void check_match(const struct gpu *gpu, const struct place_gpu_request *wanted,
			const char *address, struct fail *fail)
{
	CLEANUP(text) char *title = NULL;

	if (wanted->match == NULL || gpu_matches(gpu, wanted->match))
		return;
	title = device_title(gpu->device);
	fail_add(fail, FAIL_SPEC, "%s address = %s: does not match \"%s\"", wanted->label, address,
		 wanted->match);
	fail_cause(fail, "it is %s (%04x:%04x)", title, gpu->device->vendor_id,
		   gpu->device->device_id);
	refuse(wanted, fail);
}

static void check_console(const struct gpu *gpu, const struct place_gpu_request *wanted,
			  const char *address, struct fail *fail)
{
	if (!device_is_console(gpu->device) || wanted->allow_boot_vga)
		return;
	fail_add(fail, FAIL_SPEC, "%s address = %s: the host's console is on it", wanted->label,
		 address);
	if (gpu->device->firmware_framebuffer != NULL)
		fail_cause(fail, "/proc/iomem shows the firmware's framebuffer (%s) in its memory",
			   gpu->device->firmware_framebuffer);
	else
		fail_cause(fail, "it is the boot VGA (/sys/bus/pci/devices/%s/boot_vga is 1)",
			   gpu->device->address);
	fail_hint(fail, "to give it away, and the host's screen with it, set allow_boot_vga = yes "
			"beside the address; another GPU: gpuvm gpus");
	fail_at(fail, wanted->file, wanted->address_line);
}

static bool is_asked_for(const struct place_request *request, const struct host *host,
			 const struct gpu *gpu)
{
	for (size_t i = 0; i < request->gpu_count; i++) {
		const struct place_gpu_request *wanted = &request->gpus[i];

		for (size_t j = 0; j < wanted->address_count; j++)
			if (gpu_find(host->gpus, wanted->addresses[j]) == gpu)
				return true;
		if (wanted->address_count == 0 && gpu->offer == GPU_OFFERED &&
		    gpu_matches(gpu, wanted->match == NULL ? "any" : wanted->match))
			return true;
	}
	return false;
}

/* VFIO gives out groups: the other GPUs of the group have to be in the spec too. */
static void check_group(const struct place_request *request, const struct host *host,
			const struct gpu *gpu, const struct place_gpu_request *wanted,
			const char *address, struct fail *fail)
{
	for (size_t i = 0; i < gpu->member_count; i++) {
		const struct gpu_member *member = &gpu->members[i];
		const struct gpu *other;

		if (member->role != GPU_MEMBER_GPU)
			continue;
		other = gpu_find(host->gpus, member->device->address);
		if (other == NULL || is_asked_for(request, host, other))
			continue;
		fail_add(fail, FAIL_SPEC, "%s address = %s: goes only together with %s",
			 wanted->label, address, other->device->address);
		fail_cause(fail, "both are GPUs of IOMMU group %d, which one VM gets as a whole",
			   gpu->device->iommu_group);
		fail_hint(fail, "set address = %s, %s", address, other->device->address);
		fail_at(fail, wanted->file, wanted->address_line);
		return;
	}
}

/* Whether an address before (@request_at, @address_at) names the same GPU; says which section did. */
static const char *named_before(const struct place_request *request, const struct host *host,
				size_t request_at, size_t address_at, const struct gpu *gpu)
{
	for (size_t i = 0; i <= request_at; i++) {
		const struct place_gpu_request *wanted = &request->gpus[i];
		size_t end = i == request_at ? address_at : wanted->address_count;

		for (size_t j = 0; j < end; j++)
			if (gpu_find(host->gpus, wanted->addresses[j]) == gpu)
				return wanted->label;
	}
	return NULL;
}

static void check_addresses(const struct place_request *request, const struct host *host,
			    struct fail *fail)
{
	for (size_t i = 0; i < request->gpu_count; i++) {
		const struct place_gpu_request *wanted = &request->gpus[i];

		for (size_t j = 0; j < wanted->address_count; j++) {
			const char *address = wanted->addresses[j];
			const struct gpu *gpu = gpu_find(host->gpus, address);
			const char *before;

			if (gpu == NULL) {
				check_missing(host, wanted, address, fail);
				continue;
			}
			before = named_before(request, host, i, j, gpu);
			if (before != NULL) {
				fail_add(fail, FAIL_SPEC, "%s address = %s: named twice",
					 wanted->label, address);
				fail_cause(fail, "%s already names this GPU, %s", before,
					   gpu->device->address);
				refuse(wanted, fail);
				continue;
			}
			check_match(gpu, wanted, address, fail);
			check_console(gpu, wanted, address, fail);
			check_group(request, host, gpu, wanted, address, fail);
		}
	}
}

static void check_memory(const struct place_request *request, struct fail *fail)
{
	uint64_t page_bytes = place_memory_fixed(request);
	uint64_t left = page_bytes == 0 ? 0 : request->memory_bytes % page_bytes;
	CLEANUP(text) char *memory = size_format(request->memory_bytes);
	CLEANUP(text) char *page = size_format(page_bytes);
	CLEANUP(text) char *more = size_format(request->memory_bytes - left + page_bytes);

	if (left == 0)
		return;
	fail_add(fail, FAIL_SPEC, "memory = %s: not a multiple of hugepages = %s", memory, page);
	fail_hint(fail, "set memory = %s, or hugepages = auto", more);
	fail_at(fail, request->file, request->memory_line);
}

/* The search is exact as long as what it has to remember is bounded; no host comes near this. */
static void check_bounds(const struct place_request *request, const struct host *host,
			 struct fail *fail)
{
	struct place_taken nothing = { 0 };
	CLEANUP(place_view) struct place_view *view = NULL;
	size_t states = 1;
	bool is_too_much = false;

	view = place_view_new(request, host, &nothing, true);
	for (size_t class = 0; class < view->class_count; class ++) {
		const struct place_class *wanted = &view->classes[class];

		/* More than match is refused without a search. */
		if (wanted->count <= wanted->most && states <= PLACE_STATES_MOST)
			states *= wanted->count + 1;
	}
	for (size_t i = 0; i < request->gpu_count; i++)
		is_too_much |= request->gpus[i].address_count == 0 &&
			       view->request_class[i] == SIZE_MAX;
	is_too_much |= states > PLACE_STATES_MOST;
	if (!is_too_much)
		return;
	fail_add(fail, FAIL_SPEC, "%s match: too many different kinds of GPU are asked for",
		 request->gpus[0].label);
	fail_cause(fail, "the %zu sections can be met in too many ways to compare",
		   request->gpu_count);
	fail_hint(fail, "choose the GPUs with address");
	fail_at(fail, request->gpus[0].file, request->gpus[0].match_line);
}

static int check_host(const struct place_request *request, const struct host *host,
		      struct fail *fail)
{
	if (!host->has_iommu) {
		fail_add(fail, FAIL_HOST, "%s: no GPU can be given to a VM, this host has no IOMMU",
			 request->gpus[0].label);
		fail_cause(fail, "/sys/kernel/iommu_groups is empty");
		fail_hint(fail, "%s",
			  host->iommu_hint == NULL
				  ? "switch the IOMMU on in the firmware and the kernel"
				  : host->iommu_hint);
		fail_finding(fail, "iommu");
		return fail_at(fail, request->gpus[0].file, request->gpus[0].line);
	}
	for (size_t i = 0; i < request->gpu_count; i++) {
		const struct place_gpu_request *wanted = &request->gpus[i];

		for (size_t j = 0; j < wanted->address_count; j++) {
			const struct gpu *gpu = gpu_find(host->gpus, wanted->addresses[j]);

			if (gpu_offer_yields_to_address(gpu->offer))
				continue;
			fail_add(fail, FAIL_HOST, "%s address = %s: cannot be given to a VM",
				 wanted->label, wanted->addresses[j]);
			fail_cause(fail, "%s", gpu->offer_reason);
			fail_hint(fail, "choose another GPU (gpuvm gpus), or move the card to a "
					"slot with an IOMMU group of its own");
			fail_finding(fail, "iommu-group");
			return fail_at(fail, wanted->file, wanted->address_line);
		}
	}
	return 0;
}

int place_check(const struct place_request *request, const struct host *host, struct fail *fail)
{
	check_addresses(request, host, fail);
	check_memory(request, fail);
	place_pin_check(request, host, fail);
	if (fail->item_count == 0)
		check_bounds(request, host, fail);
	if (fail->item_count > 0)
		return -1;
	return check_host(request, host, fail);
}
