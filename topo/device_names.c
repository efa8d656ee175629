// SPDX-License-Identifier: MIT
#include "topo/device_names.h"

#include <pci/pci.h>
#include <setjmp.h>
#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define NAMES_FILE "/usr/share/misc/pci.ids"

/* libpci's own, behind the public face of it. */
struct pci_names {
	struct device_names names;
	struct pci_access *access;
};

/*
 * libpci's error handler must not return and gets no pointer of ours, so the way out has to lie in the
 * thread. It is set only inside open_access(); what fails after that is memory.
 */
static _Thread_local jmp_buf way_out;

__attribute__((noreturn)) static void escape(char *message, ...)
{
	(void)message;
	longjmp(way_out, 1);
}

__attribute__((noreturn)) static void give_up(char *message, ...)
{
	(void)message;
	abort();
}

static void ignore(char *message, ...)
{
	(void)message;
}

/* False if libpci itself cannot start. */
static bool open_access(struct pci_access *access, char *path, const char *ids)
{
	access->method = PCI_ACCESS_SYS_BUS_PCI; /* others would show the machine this runs on */
	access->error = escape;
	access->warning = ignore;
	access->debug = ignore;
	access->id_lookup_mode = 0;
	if (setjmp(way_out) != 0)
		return false;
	pci_set_param(access, "sysfs.path", path);
	if (ids != NULL)
		pci_set_name_list_path(access, mem_strdup(ids), 1); /* libpci frees it */
	pci_init(access);
	access->error = give_up;
	return true;
}

static char *find(struct device_names *names, const struct device *device, enum device_name which)
{
	struct pci_names *own = (struct pci_names *)names;
	int what = which == DEVICE_NAME_VENDOR ? PCI_LOOKUP_VENDOR : PCI_LOOKUP_DEVICE;
	char buffer[256];
	char *name = pci_lookup_name(own->access, buffer, sizeof buffer,
				     what | PCI_LOOKUP_NO_NUMBERS | PCI_LOOKUP_NO_HWDB,
				     device->vendor_id, device->device_id);

	return name == NULL ? NULL : text_printable(name, 0);
}

int device_names_open(const struct root *root, struct device_names **ret_names, struct fail *fail)
{
	CLEANUP(text) char *path = root_path(root, "/sys/bus/pci");
	CLEANUP(text) char *ids = root_path(root, NAMES_FILE);
	bool own_ids = !root->live && root_exists(root, NAMES_FILE);
	struct pci_names *names = mem_alloc(1, sizeof *names);

	names->names.find = find;
	names->access = pci_alloc();
	if (!open_access(names->access, path, own_ids ? ids : NULL)) {
		free(names); /* half open: pci_cleanup would not find its method */
		fail_add(fail, FAIL_FAIL, "the PCI functions of this host cannot be read");
		return fail_cause(fail, "libpci cannot use %s", path);
	}
	*ret_names = &names->names;
	return 0;
}

void device_names_free(struct device_names *names)
{
	struct pci_names *own = (struct pci_names *)names;

	if (names == NULL)
		return;
	pci_cleanup(own->access);
	free(own);
}
