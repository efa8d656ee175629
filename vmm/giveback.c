// SPDX-License-Identifier: MIT
#include "vmm/giveback.h"

#include <stdlib.h>
#include <time.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

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

static bool is_back(const struct root *root, const struct guest_function *function)
{
	CLEANUP(text) char *now = driver_now(root, function->address);

	return text_equal(now, function->driver);
}

/* The record is only believed about what the domain still names: the rest may be another VM's by now. */
static bool is_named(const struct guest *guest, const struct guest_function *function)
{
	for (size_t i = 0; i < guest->hostdev_count; i++)
		if (text_equal(guest->hostdevs[i], function->address))
			return true;
	return false;
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

/* Asks libvirt again for what is still held. Returns whether anything was asked. */
static bool ask_again(const struct root *root, const struct guest *guest, struct hv *hv,
		      bool *asked)
{
	bool any = false;

	for (size_t i = 0; i < guest->function_count; i++) {
		CLEANUP(fail) struct fail ignored = { 0 };

		if (!is_named(guest, &guest->functions[i]) || is_back(root, &guest->functions[i]))
			continue;
		asked[i] = any = true;
		(void)hv_reattach(hv, guest->functions[i].address, &ignored);
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

static void judge(const struct root *root, struct giveback_function *function, bool asked)
{
	const struct guest_function *before = function->before;
	CLEANUP(text) char *override = override_now(root, before->address);
	bool same;

	function->driver_now = driver_now(root, before->address);
	same = text_equal(function->driver_now, before->driver);
	if (before->driver_override != NULL && !text_equal(override, before->driver_override)) {
		function->state = GIVEBACK_OVERRIDE_LOST;
		function->remedy = text_format("sudo driverctl set-override %s %s", before->address,
					       before->driver_override);
	} else if (same) {
		function->state = asked ? GIVEBACK_REPAIRED : GIVEBACK_SAME;
	} else {
		function->state = GIVEBACK_ELSEWHERE;
		function->remedy = rebind_command(before, function->driver_now);
	}
}

struct giveback *giveback_check(const struct guest *guest, const struct root *root, struct hv *hv,
				unsigned timeout_ms)
{
	struct giveback *giveback = mem_alloc(1, sizeof *giveback);
	bool *asked = mem_alloc(guest->function_count, sizeof *asked);

	wait_for_drivers(root, guest, timeout_ms);
	if (hv != NULL && ask_again(root, guest, hv, asked))
		wait_for_drivers(root, guest, timeout_ms);
	giveback->complete = true;
	for (size_t i = 0; i < guest->function_count; i++) {
		struct giveback_function *function;

		if (!is_named(guest, &guest->functions[i]))
			continue;
		function = MEM_APPEND(giveback->functions, giveback->count);

		function->before = &guest->functions[i];
		judge(root, function, asked[i]);
		if (function->state == GIVEBACK_ELSEWHERE ||
		    function->state == GIVEBACK_OVERRIDE_LOST)
			giveback->complete = false;
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
