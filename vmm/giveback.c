// SPDX-License-Identifier: MIT
#include "vmm/giveback.h"

#include <stdlib.h>
#include <time.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/taker.h"

#define POLL_MS 100

static char *driver_now(const struct root *root, const char *address)
{
	return root_link_name(root, "/sys/bus/pci/devices/%s/driver", address);
}

static char *override_now(const struct root *root, const char *address)
{
	char *text = root_text(root, "/sys/bus/pci/devices/%s/driver_override", address);

	/* The kernel prints an unset one as "(null)". */
	if (text != NULL && (*text == '\0' || text_equal(text, "(null)"))) {
		free(text);
		return NULL;
	}
	return text;
}

/* driverctl keeps what it was told to keep; libvirt's own overrides are not there. */
static bool is_chosen(const struct root *root, const char *address, const char *override)
{
	CLEANUP(text) char *kept = root_text(root, "/etc/driverctl.d/%s", address);

	return override != NULL && text_equal(kept, override);
}

static bool is_back(const struct root *root, const struct guest_function *function)
{
	CLEANUP(text) char *now = driver_now(root, function->address);
	CLEANUP(text) char *override = NULL;

	if (text_equal(now, function->driver))
		return true;
	override = override_now(root, function->address);
	return text_equal(now, override) && is_chosen(root, function->address, override);
}

static bool lost_override(const struct root *root, const struct guest_function *function)
{
	CLEANUP(text) char *override = override_now(root, function->address);

	return function->driver_override != NULL &&
	       !text_equal(override, function->driver_override) &&
	       !is_chosen(root, function->address, override);
}

/* Only from these does libvirt's call take a function without asking anybody who uses it. */
static bool is_askable(const char *driver)
{
	return driver == NULL || text_starts(driver, "vfio") || text_equal(driver, "pci-stub");
}

/* The record is only believed about what the domain still names: the rest may be another VM's by now. */
static bool is_named(const struct guest *guest, const struct guest_function *function)
{
	for (size_t i = 0; i < guest->hostdev_count; i++)
		if (text_equal(guest->hostdevs[i], function->address))
			return true;
	return false;
}

static bool all_right(const struct root *root, const struct guest *guest)
{
	for (size_t i = 0; i < guest->function_count; i++)
		if (is_named(guest, &guest->functions[i]) &&
		    (!is_back(root, &guest->functions[i]) ||
		     lost_override(root, &guest->functions[i])))
			return false;
	return true;
}

static bool all_back(const struct root *root, const struct guest *guest)
{
	for (size_t i = 0; i < guest->function_count; i++)
		if (is_named(guest, &guest->functions[i]) && !is_back(root, &guest->functions[i]))
			return false;
	return true;
}

static void wait_for_drivers(const struct root *root, const struct guest *guest,
			     unsigned timeout_ms)
{
	const struct timespec step = { .tv_nsec = POLL_MS * 1000000L };

	for (unsigned waited_ms = 0; waited_ms < timeout_ms && !all_back(root, guest);
	     waited_ms += POLL_MS)
		nanosleep(&step, NULL);
}

/* NULL: it was not looked for, as nothing is amiss. */
static bool is_taken(const struct taker_list *takers, const char *address)
{
	return takers != NULL && (!takers->is_complete || taker_has(takers, address));
}

/* Asks libvirt again for what is still held. Returns whether anything was asked. */
static bool ask_again(const struct root *root, const struct guest *guest, struct hv *hv,
		      const struct taker_list *takers, bool *asked)
{
	bool any = false;

	for (size_t i = 0; i < guest->function_count; i++) {
		const struct guest_function *function = &guest->functions[i];
		CLEANUP(text) char *now = driver_now(root, function->address);
		CLEANUP(fail) struct fail ignored = { 0 };

		if (!is_named(guest, function) || is_back(root, function) || !is_askable(now) ||
		    is_taken(takers, function->address))
			continue;
		asked[i] = any = true;
		(void)hv_reattach(hv, function->address, &ignored);
	}
	return any;
}

/* A driver gets a function only when no other has it. */
static char *rebind_command(const struct guest_function *before, const char *now)
{
	CLEANUP(text) char *command = NULL;

	if (now != NULL)
		text_add(&command, "echo %s | sudo tee /sys/bus/pci/drivers/%s/unbind",
			 before->address, now);
	if (now != NULL && before->driver != NULL)
		text_add(&command, "; ");
	if (before->driver != NULL)
		text_add(&command, "echo %s | sudo tee /sys/bus/pci/drivers/%s/bind",
			 before->address, before->driver);
	return STEAL(command);
}

/* What is left to do for a function that is elsewhere: first what needs no root, if it was not tried. */
static char *remedy_of(const struct giveback_function *function, const struct giveback_means *means,
		       bool asked)
{
	CLEANUP(text)
	char *rebind = rebind_command(function->before, function->driver_now);
	CLEANUP(text)
	char *uri = text_shell(means->uri == NULL ? HV_URI_DEFAULT : means->uri);
	CLEANUP(text) char *node = hv_node_name(function->before->address);

	if (asked || !is_askable(function->driver_now))
		return STEAL(rebind);
	return text_format("virsh -c %s nodedev-reattach %s   or, if that does not help: %s", uri,
			   node, rebind);
}

static void judge(const struct root *root, const struct giveback_means *means,
		  const struct taker_list *takers, bool asked, struct giveback_function *function)
{
	const struct guest_function *before = function->before;

	function->driver_now = driver_now(root, before->address);
	if (is_taken(takers, before->address)) {
		function->state = GIVEBACK_TAKEN;
	} else if (lost_override(root, before)) {
		function->state = GIVEBACK_OVERRIDE_LOST;
		function->remedy = text_format("sudo driverctl set-override %s %s", before->address,
					       before->driver_override);
	} else if (is_back(root, before)) {
		function->state = asked ? GIVEBACK_REPAIRED : GIVEBACK_SAME;
	} else {
		function->state = GIVEBACK_ELSEWHERE;
		function->remedy = remedy_of(function, means, asked);
	}
}

struct giveback *giveback_check(const struct guest *guest, const struct root *root,
				const struct giveback_means *means)
{
	struct giveback *giveback = mem_alloc(1, sizeof *giveback);
	CLEANUP(taker_list) struct taker_list *takers = NULL;
	bool *asked = mem_alloc(guest->function_count, sizeof *asked);

	wait_for_drivers(root, guest, means->timeout_ms);
	if (!all_right(root, guest))
		takers = taker_list_read(root, means->hv, means->domains, means->lease_directory,
					 guest->uuid);
	if (means->hv != NULL && ask_again(root, guest, means->hv, takers, asked))
		wait_for_drivers(root, guest, means->timeout_ms);
	giveback->complete = giveback->fulfilled = true;
	for (size_t i = 0; i < guest->function_count; i++) {
		struct giveback_function *function;

		if (!is_named(guest, &guest->functions[i]))
			continue;
		function = MEM_APPEND(giveback->functions, giveback->count);
		function->before = &guest->functions[i];
		judge(root, means, takers, asked[i], function);
		giveback->complete &= function->state < GIVEBACK_OVERRIDE_LOST;
		giveback->fulfilled &= function->state < GIVEBACK_TAKEN;
	}
	free(asked);
	return giveback;
}

void giveback_free(struct giveback *giveback)
{
	if (giveback == NULL)
		return;
	for (size_t i = 0; i < giveback->count; i++) {
		free(giveback->functions[i].driver_now);
		free(giveback->functions[i].remedy);
	}
	free(giveback->functions);
	free(giveback);
}

char *giveback_boot(const struct root *root)
{
	return root_text(root, "/proc/sys/kernel/random/boot_id");
}
