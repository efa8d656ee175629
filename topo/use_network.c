// SPDX-License-Identifier: MIT
#include <string.h>

#include "topo/use_internal.h"
#include "vmm/base/text.h"

#define DEVICES    "/sys/bus/pci/devices"
#define INTERFACES "/sys/class/net"

/* Whether a line of @text has @name in column @column, counted from 0. */
static bool has_in_column(const char *text, unsigned column, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = text; at != NULL && *at != '\0';) {
		const char *end = strchr(at, '\n');

		for (unsigned i = 0; i < column; i++) {
			at += strcspn(at, " \t\n");
			at += strspn(at, " \t");
		}
		if (strncmp(at, name, length) == 0 && strcspn(at, " \t\n") == length)
			return true;
		at = end == NULL ? NULL : end + 1;
	}
	return false;
}

/* An address brings a route; the kernel gives IPv6 addresses only to interfaces that are up. */
static bool has_address(const struct root *root, const char *name)
{
	CLEANUP(text) char *routes = root_bytes(root, NULL, "/proc/net/route");
	CLEANUP(text) char *inet6 = root_bytes(root, NULL, "/proc/net/if_inet6");

	return has_in_column(routes, 0, name) || has_in_column(inet6, 5, name);
}

/* What is built on the interface: a VLAN or the like; NULL: nothing. The caller frees. */
static char *upper_of(const struct root *root, const char *name)
{
	CLEANUP(root_names) char **names = root_names(root, INTERFACES "/%s", name);

	for (char **entry = names; *entry != NULL; entry++)
		if (text_starts(*entry, "upper_"))
			return text_format("%s", *entry + strlen("upper_"));
	return NULL;
}

static bool is_down(const char *operstate)
{
	static const char *const states[] = { "down", "lowerlayerdown", "notpresent" };

	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (text_equal(operstate, states[i]))
			return true;
	return false;
}

/* Whether nothing uses interface @name. */
static bool look_at_interface(const struct root *root, struct device *device, const char *name)
{
	CLEANUP(text) char *master = root_link_name(root, INTERFACES "/%s/master", name);
	CLEANUP(text) char *upper = upper_of(root, name);
	CLEANUP(text) char *state = root_text(root, INTERFACES "/%s/operstate", name);
	CLEANUP(text) char *what = text_format("network interface %s", name);
	bool is_idle = false;

	if (master != NULL)
		text_add(&what, ", a port of %s", master);
	else if (has_address(root, name))
		text_add(&what, ", which has an address");
	else if (upper != NULL)
		text_add(&what, ", which %s is built on", upper);
	else if (is_down(state))
		is_idle = true;
	else if (text_equal(state, "up"))
		text_add(&what, ", which is up");
	if (is_idle)
		text_add(&what, ", which is down");
	use_add(device, what);
	return is_idle;
}

/* A card without interface may have it in another network namespace. */
bool use_look_at_networks(const struct root *root, struct device *device)
{
	CLEANUP(root_names) char **names = root_names(root, INTERFACES);
	bool is_idle = true;
	bool has_interface = false;

	for (char **name = names; *name != NULL; name++) {
		CLEANUP(text) char *link = root_path(root, INTERFACES "/%s", *name);

		if (!use_is_below(root, link, device))
			continue;
		has_interface = true;
		if (!look_at_interface(root, device, *name))
			is_idle = false;
	}
	if (root_number(root, 0, DEVICES "/%s/sriov_numvfs", device->address) > 0) {
		use_add(device, "what its virtual functions belong to");
		is_idle = false;
	}
	return is_idle && has_interface &&
	       !root_exists(root, DEVICES "/%s/infiniband", device->address);
}
