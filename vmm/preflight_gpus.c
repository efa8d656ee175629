// SPDX-License-Identifier: MIT
#include <unistd.h>

#include "topo/holder.h"
#include "topo/safety.h"
#include "vmm/base/text.h"
#include "vmm/hook_state.h"
#include "vmm/preflight.h"

static int check_safety(const struct root *root, const struct host *host,
			const struct placement *placement, const char *const *forced,
			struct fail *fail)
{
	for (size_t i = 0; i < placement->gpu_count; i++)
		if (safety_check_but(root, host->devices, placement->gpus[i].gpu, forced, fail) < 0)
			return -1;
	return 0;
}

/* The spec may give away the host's console, but not at the price of a hang. */
static bool is_given_away(const struct holder *holder, const struct placement *placement)
{
	if (holder->kind != HOLDER_CONSOLE || holder->may_hang)
		return false;
	for (size_t i = 0; i < placement->gpu_count; i++)
		if (placement->gpus[i].allow_boot_vga &&
		    text_equal(placement->gpus[i].gpu->device->address, holder->address))
			return true;
	return false;
}

static bool is_of(const struct holder *holder, const struct placement *placement)
{
	for (size_t i = 0; i < placement->gpu_count; i++)
		if (holder_has(holder, placement->gpus[i].gpu))
			return true;
	return false;
}

static int check_holders(const struct holder_list *holders, const struct placement *placement,
			 struct fail *fail)
{
	for (size_t i = 0; i < holders->count; i++)
		if (is_of(&holders->holders[i], placement) &&
		    !is_given_away(&holders->holders[i], placement)) {
			holder_refuse(&holders->holders[i], fail);
			return fail_finding(fail, "holder");
		}
	return 0;
}

static bool needs_detach(const struct gpu_member *member)
{
	switch (member->role) {
	case GPU_MEMBER_FUNCTION:
	case GPU_MEMBER_HELD:
	case GPU_MEMBER_GPU:
	case GPU_MEMBER_GPU_FUNCTION:
		return member->device->driver != NULL &&
		       !text_starts(member->device->driver, "vfio");
	case GPU_MEMBER_BRIDGE:
	case GPU_MEMBER_IN_USE:
		return false;
	}
	return false;
}

static const struct device *first_to_detach(const struct placement *placement)
{
	for (size_t i = 0; i < placement->gpu_count; i++) {
		const struct gpu *gpu = placement->gpus[i].gpu;

		for (size_t j = 0; j < gpu->member_count; j++)
			if (needs_detach(&gpu->members[j]))
				return gpu->members[j].device;
	}
	return NULL;
}

static int refuse_driver(const struct device *device, const struct hook_state *hook,
			 struct fail *fail)
{
	fail_add(fail, FAIL_HOST,
		 "%s is on the host's driver %s, and only root can see that nobody uses it",
		 device->address, device->driver);
	fail_cause(fail,
		   "you are not root, and libvirt's hook, which looks as root, is not active: %s",
		   hook->reason);
	fail_hint(fail,
		  "make the hook active: %s   or bind each of its functions to vfio-pci from "
		  "the next boot on: sudo driverctl --noprobe set-override %s vfio-pci",
		  hook->remedy, device->address);
	return fail_finding(fail, "driver");
}

/* What the caller could not check himself the hook does, where it is active. */
static int check_unseen(const struct root *root, const struct placement *placement,
			size_t not_checked, size_t *ret_not_checked, struct fail *fail)
{
	const struct device *device = geteuid() == 0 ? NULL : first_to_detach(placement);
	CLEANUP(hook_state) struct hook_state *hook = NULL;

	if (device == NULL && not_checked == 0)
		return 0;
	hook = hook_state_read(root);
	if (hook->activity == HOOK_ACTIVE)
		return 0;
	*ret_not_checked = not_checked;
	return device == NULL ? 0 : refuse_driver(device, hook, fail);
}

int preflight_gpus(const struct root *root, const struct host *host,
		   const struct placement *placement, const struct holder_list *holders,
		   const char *const *forced, size_t *ret_not_checked, struct fail *fail)
{
	*ret_not_checked = 0;
	if (check_safety(root, host, placement, forced, fail) < 0 ||
	    check_holders(holders, placement, fail) < 0)
		return -1;
	return check_unseen(root, placement, holders->not_checked, ret_not_checked, fail);
}
